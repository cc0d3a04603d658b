using System.Text;
using Posthorn.Core;

namespace Posthorn.Directory;

/// <summary>A login name taken apart, whatever its spelling: <c>user</c>, <c>user@domain</c>, <c>DOMAIN\user</c>, in any case, with spaces around it.</summary>
internal readonly record struct LoginName(string User, DomainName? Domain)
{
    /// <summary>Reads a login name; the domain is null where none was given that could be one of ours.</summary>
    public static bool TryParse(string text, Func<DomainName, bool> isHosted, out LoginName login)
    {
        login = default;
        if (!TryFold(text.Trim(), out string name)) return false;
        DomainName? domain = null;
        // Outlook and Windows programs put a domain of theirs before the name. It counts only if it is one of ours.
        int backslash = name.IndexOf('\\', StringComparison.Ordinal);
        if (backslash >= 0)
        {
            if (DomainName.TryCreate(name.AsSpan(0, backslash), out DomainName prefix) && isHosted(prefix)) domain = prefix;
            name = name[(backslash + 1)..].Trim();
        }
        int at = name.LastIndexOf('@');
        if (at >= 0)
        {
            if (!DomainName.TryCreate(name.AsSpan(at + 1), out DomainName given)) return false;
            domain = given;
            name = name[..at];
        }
        if (name.Length == 0) return false;
        login = new(name, domain);
        return true;
    }

    /// <summary>NFC and lower case; false for text that is not well-formed (U+FFFE is no character, and normalising it throws).</summary>
    public static bool TryFold(string text, out string folded)
    {
        folded = text;
        if (Ascii.IsValid(text))
        {
            folded = text.ToLowerInvariant();
            return true;
        }
        if (!UnicodeText.CanBeFolded(text)) return false;
        folded = text.Normalize().ToLowerInvariant();
        return true;
    }
}
