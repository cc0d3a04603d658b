namespace Posthorn.Sieve;

/// <summary>A list that is kept outside scripts (RFC 6134): values in lines, compared without regard to case, as address books are (section 2.5).</summary>
public sealed class SieveExternalList
{
    /// <summary>The list that every host has: the owner's address book (RFC 6134 section 2.5).</summary>
    public const string DefaultAddressBook = Prefix + "addrbook:default";

    private const string Prefix = "urn:ietf:params:sieve:";

    private readonly Dictionary<string, string> _found = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>Makes a list of values. One like <c>Name &lt;address&gt;</c> is its address.</summary>
    public SieveExternalList(IEnumerable<string> values)
    {
        foreach (string value in values)
        {
            string plain = value.Trim();
            if (plain.EndsWith('>') && plain.LastIndexOf('<') is >= 0 and int open) plain = plain[(open + 1)..^1];
            if (plain.Length > 0) _found.TryAdd(plain, plain);
        }
    }

    /// <summary>The values, in their order, each once.</summary>
    public IReadOnlyCollection<string> Members => _found.Values;

    /// <summary>The list's own form of a value; null when it is not on the list.</summary>
    public string? Find(string value) => _found.GetValueOrDefault(value.Trim());

    /// <summary>Reads a list of lines; empty ones and those that begin with <c>#</c> are none.</summary>
    public static SieveExternalList Parse(ReadOnlySpan<byte> text) =>
        new(SieveText.FromUtf8(text).Split('\n').Where(line => line.Trim() is { Length: > 0 } full && full[0] != '#'));

    /// <summary>The full name: the short form spelled out, the scheme in lower case, the name <c>default</c> of address books as such.</summary>
    public static string Normalize(string name)
    {
        if (name.StartsWith(':')) name = Prefix + name[1..];
        if (!name.StartsWith(Prefix, StringComparison.OrdinalIgnoreCase)) return name;
        string rest = name[Prefix.Length..];
        int colon = rest.IndexOf(':', StringComparison.Ordinal);
        if (colon < 0) return Prefix + rest.ToLowerInvariant();
        string book = Uri.UnescapeDataString(rest[(colon + 1)..]);
        if (book.Equals("default", StringComparison.OrdinalIgnoreCase)) book = "default";
        return Prefix + rest[..colon].ToLowerInvariant() + ":" + book;
    }

    /// <summary>The name of an address book in a full name; null where that names something else.</summary>
    public static string? AddressBook(string name) => name.StartsWith(Prefix + "addrbook:", StringComparison.Ordinal) ? name[(Prefix.Length + 9)..] : null;

    /// <summary>An absolute URI by its look (RFC 3986 section 4.3).</summary>
    public static bool IsName(string name)
    {
        name = Normalize(name);
        int colon = name.IndexOf(':', StringComparison.Ordinal);
        if (colon <= 0 || colon == name.Length - 1 || !char.IsAsciiLetter(name[0])) return false;
        foreach (char c in name.AsSpan(0, colon))
            if (!char.IsAsciiLetterOrDigit(c) && c is not ('+' or '-' or '.')) return false;
        foreach (char c in name)
            if (c is <= ' ' or '<' or '>' or '"' or '\x7f') return false;
        return true;
    }
}
