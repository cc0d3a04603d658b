namespace Posthorn.Core;

/// <summary>The system flags of IMAP (RFC 9051 section 2.3.2). Values reach disk: never renumber.</summary>
[Flags]
public enum SystemFlags : byte
{
    None = 0,
    Seen = 1,
    Answered = 2,
    Flagged = 4,
    Deleted = 8,
    Draft = 16,
}

/// <summary>A keyword: a flag that users or clients made (RFC 9051 flag-keyword). Compared without regard to case, kept as first written.</summary>
public readonly record struct Keyword
{
    /// <summary>The longest keyword accepted, octets.</summary>
    public const int MaxLength = 255;

    private readonly string? _name;

    private Keyword(string name) => _name = name;

    public string Name => _name ?? throw new InvalidOperationException("This Keyword was never set.");

    /// <summary>Reads a keyword: an IMAP atom (RFC 9051 section 9).</summary>
    public static bool TryCreate(string text, out Keyword keyword)
    {
        keyword = default;
        if (text.Length is 0 or > MaxLength) return false;
        foreach (char c in text)
            if (c is <= ' ' or >= (char)127 or '(' or ')' or '{' or '%' or '*' or '"' or '\\' or ']') return false;
        keyword = new(text);
        return true;
    }

    public bool Equals(Keyword other) => string.Equals(_name, other._name, StringComparison.OrdinalIgnoreCase);
    public override int GetHashCode() => StringComparer.OrdinalIgnoreCase.GetHashCode(_name ?? "");
    public override string ToString() => _name ?? "";
}

/// <summary>The role of a mailbox (RFC 6154, RFC 8457). Values reach disk: never renumber.</summary>
public enum SpecialUse : byte
{
    None = 0,
    All = 1,
    Archive = 2,
    Drafts = 3,
    Flagged = 4,
    Junk = 5,
    Sent = 6,
    Trash = 7,
    Important = 8,
}
