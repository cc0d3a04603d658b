namespace Posthorn.Store.Sharing;

/// <summary>What somebody may do with a mailbox (RFC 4314 section 2.1). The numbers reach the disk: never renumber, only add.</summary>
[Flags]
public enum MailboxRights
{
    None = 0,
    /// <summary><c>l</c>: see it in lists.</summary>
    Lookup = 1,
    /// <summary><c>r</c>: open it, ask for its status.</summary>
    Read = 2,
    /// <summary><c>s</c>: change <c>\Seen</c>.</summary>
    KeepSeen = 4,
    /// <summary><c>w</c>: change flags other than <c>\Seen</c> and <c>\Deleted</c>.</summary>
    Write = 8,
    /// <summary><c>i</c>: put messages into it.</summary>
    Insert = 16,
    /// <summary><c>p</c>: have mail delivered into it.</summary>
    Post = 32,
    /// <summary><c>k</c>: make mailboxes below it.</summary>
    Create = 64,
    /// <summary><c>x</c>: remove or rename it.</summary>
    Delete = 128,
    /// <summary><c>t</c>: change <c>\Deleted</c>.</summary>
    DeleteMessages = 256,
    /// <summary><c>e</c>: expunge.</summary>
    Expunge = 512,
    /// <summary><c>a</c>: change these rights.</summary>
    Administer = 1024,
    All = 2047,
}

/// <summary>Rights as letters.</summary>
public static class RightsText
{
    /// <summary>The letters, in the order of the bits; <c>c</c> and <c>d</c> stand for groups of them (RFC 4314 section 2.1.1).</summary>
    private const string Letters = "lrswipkxtea";

    /// <summary>Writes rights, with the obsolete <c>c</c> and <c>d</c> for clients that know nothing else.</summary>
    public static string Format(MailboxRights rights) => Plain(rights)
        + ((rights & (MailboxRights.Create | MailboxRights.Delete)) != 0 ? "c" : "")
        + ((rights & (MailboxRights.DeleteMessages | MailboxRights.Expunge)) != 0 ? "d" : "");

    /// <summary>Writes rights, each by its own letter.</summary>
    public static string Plain(MailboxRights rights) => string.Concat(Letters.Where((_, i) => ((int)rights & 1 << i) != 0));

    /// <summary>Reads rights; false when a letter is none, and which.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, out MailboxRights rights, out char unknown)
    {
        (rights, unknown) = (MailboxRights.None, '\0');
        foreach (char letter in text)
        {
            int bit = Letters.IndexOf(letter, StringComparison.Ordinal);
            if (bit >= 0) rights |= (MailboxRights)(1 << bit);
            else if (letter == 'c') rights |= MailboxRights.Create | MailboxRights.Delete;
            else if (letter == 'd') rights |= MailboxRights.DeleteMessages | MailboxRights.Expunge;
            else
            {
                unknown = letter;
                return false;
            }
        }

        return true;
    }
}
