using Posthorn.Core;

namespace Posthorn.Store.Maildir;

/// <summary>The <c>subscriptions</c> file as Dovecot keeps it: version 1, a name on each line; version 2, levels parted by tabs. Names are written as those of the directories.</summary>
internal static class SubscriptionFile
{
    internal const string FileName = "subscriptions";

    internal static string Format(IEnumerable<string> subscribed, FolderNames names) =>
        string.Concat(subscribed.Select(name => MailboxName.TryCreate(name, names.Separator, out MailboxName mailbox) ? names.Encode(mailbox) + "\n" : ""));

    internal static IEnumerable<string> Parse(string text, FolderNames names)
    {
        string[] lines = text.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        bool second = lines.Length > 0 && lines[0].StartsWith("V\t2", StringComparison.Ordinal);
        foreach (string line in second ? lines.Skip(1) : lines)
        {
            // Version 2 has tabs between levels.
            string plain = second ? line.TrimEnd('\r').Replace('\t', '.') : line.TrimEnd('\r');
            if (plain == "INBOX") yield return plain;
            else if (names.TryDecode(plain, out MailboxName name)) yield return name.Value;
        }
    }
}
