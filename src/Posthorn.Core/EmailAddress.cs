using System.Text;

namespace Posthorn.Core;

/// <summary>An addr-spec: local part and domain (RFC 5321 section 4.1.2, RFC 6531 for non-ASCII).</summary>
/// <remarks>The local part is kept as meant, without quotes and in the case that was given; comparison ignores case, as every mailbox of ours does.</remarks>
public readonly record struct EmailAddress
{
    /// <summary>The longest local part accepted, octets. RFC 5321 says 64; SRS and VERP addresses in the wild are longer.</summary>
    public const int MaxLocalPart = 256;

    private readonly string? _localPart;

    private EmailAddress(string localPart, DomainName domain) => (_localPart, Domain) = (localPart, domain);

    /// <summary>The part before the <c>@</c>, unquoted, in NFC.</summary>
    public string LocalPart => _localPart ?? throw new InvalidOperationException("This EmailAddress was never set.");

    /// <summary>The part after the <c>@</c>.</summary>
    public DomainName Domain { get; }

    /// <summary>True when the local part needs SMTPUTF8 (RFC 6531); the domain can always travel as A-labels.</summary>
    public bool NeedsUtf8 => !Ascii.IsValid(LocalPart);

    /// <summary>Makes an address of an unquoted local part and a domain.</summary>
    public static bool TryCreate(string localPart, DomainName domain, out EmailAddress address)
    {
        address = default;
        if (localPart.Length == 0 || Encoding.UTF8.GetByteCount(localPart) > MaxLocalPart) return false;
        foreach (char c in localPart)
            // U+FFFE is no character, and normalising it throws.
            if (char.IsControl(c) || c == '\uFFFE' || char.IsSurrogate(c) && !IsWellFormed(localPart)) return false;
        address = new(localPart.IsNormalized() ? localPart : localPart.Normalize(), domain);
        return true;
    }

    /// <summary>Reads <c>local@domain</c> or <c>"quoted local"@domain</c>, without angle brackets.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, out EmailAddress address)
    {
        address = default;
        int at = text.LastIndexOf('@');
        if (at <= 0 || !DomainName.TryCreate(text[(at + 1)..], out DomainName domain)) return false;
        ReadOnlySpan<char> local = text[..at];
        if (local[0] != '"') return IsDotString(local) && TryCreate(local.ToString(), domain, out address);
        return TryUnquote(local, out string plain) && TryCreate(plain, domain, out address);
    }

    /// <summary>As <see cref="TryParse"/>, for addresses that are known to be right.</summary>
    /// <exception cref="FormatException">The text is not an address.</exception>
    public static EmailAddress Parse(string text) =>
        TryParse(text, out EmailAddress address) ? address : throw new FormatException($"'{text}' is not an e-mail address");

    public bool Equals(EmailAddress other) =>
        Domain == other.Domain && string.Equals(_localPart, other._localPart, StringComparison.OrdinalIgnoreCase);

    public override int GetHashCode() =>
        HashCode.Combine(Domain, StringComparer.OrdinalIgnoreCase.GetHashCode(_localPart ?? ""));

    /// <summary>The address as it goes on the wire, the local part quoted where it must be.</summary>
    public override string ToString() => _localPart is null ? "" : $"{QuotedLocalPart}@{Domain}";

    /// <summary>The local part as it goes on the wire: a dot-string, or a quoted string where it must be.</summary>
    public string QuotedLocalPart => Quote(LocalPart);

    /// <summary>A local part, or a piece of one, as it would go on the wire.</summary>
    public static string Quote(string localPart)
    {
        if (IsDotString(localPart)) return localPart;
        StringBuilder quoted = new("\"", localPart.Length + 4);
        foreach (char c in localPart)
        {
            if (c is '"' or '\\') quoted.Append('\\');
            quoted.Append(c);
        }
        return quoted.Append('"').ToString();
    }

    // Dot-string = Atom *("." Atom); non-ASCII counts as atext (RFC 6531 section 3.3).
    private static bool IsDotString(ReadOnlySpan<char> text)
    {
        bool dot = true;
        foreach (char c in text)
        {
            if (c == '.')
            {
                if (dot) return false;
                dot = true;
                continue;
            }
            if (c < 128 && !IsAtomText(c)) return false;
            dot = false;
        }
        return !dot;
    }

    /// <summary>Whether all characters are such as a local part has without quotes: atext and dots.</summary>
    public static bool IsDotText(ReadOnlySpan<char> text)
    {
        foreach (char c in text)
            if (c < 128 && c != '.' && !IsAtomText(c)) return false;
        return true;
    }

    private static bool IsAtomText(char c) => char.IsAsciiLetterOrDigit(c) || "!#$%&'*+-/=?^_`{|}~".Contains(c, StringComparison.Ordinal);

    private static bool TryUnquote(ReadOnlySpan<char> quoted, out string plain)
    {
        plain = "";
        if (quoted.Length < 3 || quoted[^1] != '"') return false;
        StringBuilder text = new(quoted.Length);
        for (int i = 1; i < quoted.Length - 1; i++)
        {
            char c = quoted[i];
            if (c == '"') return false;
            if (c == '\\' && ++i >= quoted.Length - 1) return false;
            text.Append(quoted[i]);
        }
        plain = text.ToString();
        return true;
    }

    private static bool IsWellFormed(string text)
    {
        foreach (Rune rune in text.EnumerateRunes())
            if (rune == Rune.ReplacementChar) return false;
        return true;
    }
}
