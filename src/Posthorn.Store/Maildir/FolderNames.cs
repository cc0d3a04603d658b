using System.Text;
using Posthorn.Core;

namespace Posthorn.Store.Maildir;

/// <summary>Between mailbox names and the directories of Maildir++: <c>.Folder.Sub</c> in the root, names in modified UTF-7.</summary>
/// <remarks>
/// On disk levels are parted by dots. What cannot lie there as it is (a slash; a dot when the mailbox separator is another character) is written as an
/// escape: modified UTF-7 never has <c>&amp;</c> before an ASCII character's own encoding, so <c>&amp;AC8-</c> for <c>/</c> and <c>&amp;AC4-</c> for <c>.</c> cannot collide.
/// A directory whose name is not modified UTF-7 at all (Dovecot accepts them) is taken as it is.
/// </remarks>
internal sealed class FolderNames(char separator)
{
    /// <summary>The longest directory name of Linux file systems, octets.</summary>
    internal const int MaxLength = 255;

    internal char Separator { get; } = separator;

    /// <summary>The directory relative to the root; empty for INBOX. False when it would be too long.</summary>
    internal bool TryDirectory(MailboxName name, out string directory)
    {
        directory = name.IsInbox ? "" : "." + Encode(name);
        return directory.Length <= MaxLength;
    }

    /// <summary>Whether a mailbox can be made under this name: its directory's is not too long, and no level is <c>.</c> or <c>..</c>, which lead out of the tree where levels are directories (<c>LAYOUT=fs</c>).</summary>
    internal bool MayBeMade(MailboxName name) => TryDirectory(name, out _) && !name.Value.Split(Separator).Any(IsDots);

    /// <summary>Whether a level is no name for a directory.</summary>
    internal static bool IsDots(string level) => level is "." or "..";

    /// <summary>A name as it stands on disk, levels parted by dots.</summary>
    internal string Encode(MailboxName name)
    {
        StringBuilder result = new();
        foreach (string level in name.Value.Split(Separator))
        {
            if (result.Length > 0) result.Append('.');
            foreach (char c in ModifiedUtf7.Encode(level))
            {
                if (c == '/') result.Append("&AC8-");
                else if (c == '.') result.Append("&AC4-");
                else result.Append(c);
            }
        }

        return result.ToString();
    }

    internal string Directory(MailboxName name) => TryDirectory(name, out string directory) ? directory : throw new InvalidOperationException($"{name} is too long for a directory.");

    /// <summary>The mailbox of a directory in the root. False when the directory is none of ours.</summary>
    internal bool TryMailbox(string directory, out MailboxName name)
    {
        name = default;
        return directory.Length >= 2 && directory[0] == '.' && TryDecode(directory[1..], out name) && !name.IsInbox;
    }

    /// <summary>Reads what <see cref="Encode"/> wrote, and what other servers do.</summary>
    internal bool TryDecode(string encoded, out MailboxName name)
    {
        name = default;
        StringBuilder result = new();
        foreach (string level in encoded.Split('.'))
        {
            if (level.Length == 0) return false;
            if (result.Length > 0) result.Append(Separator);
            string plain = level.Replace("&AC8-", "/", StringComparison.Ordinal).Replace("&AC4-", ".", StringComparison.Ordinal);
            result.Append(ModifiedUtf7.TryDecode(plain, out string text) ? text : AsLatin1(level));
        }

        return MailboxName.TryCreate(result.ToString(), Separator, out name);
    }

    // A byte that is not UTF-8 (see PathBytes) is taken for Latin-1, as which old mail programs wrote names.
    private static string AsLatin1(string level) => string.Concat(level.Select(c => c is >= '\udc80' and <= '\udcff' ? (char)(c - 0xdc00) : c));
}
