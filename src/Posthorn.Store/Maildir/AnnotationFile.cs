using System.Text;
using Posthorn.Core;

namespace Posthorn.Store.Maildir;

/// <summary>Annotations beside the mail: the second home of what the catalogue knows of them.</summary>
internal static class AnnotationFile
{
    internal const string FileName = "annotations";
    private const string Head = "posthorn-annotations 1";

    /// <summary>The file when there are none.</summary>
    internal static string Empty { get; } = Format([]);

    /// <summary>A line for each: MAILBOXID (or <c>-</c>), user (or <c>-</c>), entry (blanks as <c>%20</c>, which no entry contains), value in base64.</summary>
    internal static string Format(IEnumerable<(string Mailbox, string User, string Entry, byte[] Value)> annotations)
    {
        StringBuilder text = new(Head + "\n");
        foreach ((string mailbox, string user, string entry, byte[] value) in annotations)
            text.Append(mailbox.Length == 0 ? "-" : mailbox).Append(' ').Append(user.Length == 0 ? "-" : user.Replace(" ", "%20", StringComparison.Ordinal)).Append(' ')
                .Append(entry.Replace(" ", "%20", StringComparison.Ordinal)).Append(' ').Append(Convert.ToBase64String(value)).Append('\n');
        return text.Append("end\n").ToString();
    }

    /// <summary>Reads what is whole of it.</summary>
    internal static List<(MailboxId? Mailbox, string User, string Entry, byte[] Value)> Parse(string text)
    {
        List<(MailboxId?, string, string, byte[])> found = [];
        string[] lines = text.Split('\n');
        if (lines.Length < 3 || lines[0] != Head || lines[^2] != "end") return found;
        foreach (string line in lines[1..^2])
        {
            if (line.Split(' ') is not [string mailbox, string user, string entry, string base64]) continue;
            byte[] value = new byte[base64.Length];
            if (!Convert.TryFromBase64String(base64, value, out int length)) continue;
            found.Add((mailbox == "-" ? null : new MailboxId(mailbox), user == "-" ? "" : user.Replace("%20", " ", StringComparison.Ordinal), entry.Replace("%20", " ", StringComparison.Ordinal), value[..length]));
        }

        return found;
    }
}
