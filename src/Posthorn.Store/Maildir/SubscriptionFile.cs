using Posthorn.Core;

namespace Posthorn.Store.Maildir;

/// <summary>The <c>subscriptions</c> file as Dovecot keeps it: version 1, a name on each line; version 2, levels parted by tabs.</summary>
internal static class SubscriptionFile
{
    internal const string FileName = "subscriptions";

    internal static string Format(IEnumerable<string> names, char separator) =>
        string.Concat(names.Select(name => (name == "INBOX" ? name : ModifiedUtf7.Encode(name.Replace(separator, '.'))) + "\n"));

    internal static IEnumerable<string> Parse(string text, char separator)
    {
        string[] lines = text.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        bool second = lines.Length > 0 && lines[0].StartsWith("V\t2", StringComparison.Ordinal);
        foreach (string line in second ? lines.Skip(1) : lines)
        {
            string plain = line.TrimEnd('\r');
            // Version 2 has tabs between levels, and escapes tabs as \001t.
            string name = second ? plain.Replace('\t', separator) : plain.Replace('.', separator);
            if (name.Length > 0) yield return ModifiedUtf7.TryDecode(name, out string decoded) ? decoded : name;
        }
    }
}
