namespace Posthorn.Directory.Lookups;

/// <summary>The formats of text maps.</summary>
public enum LookupType
{
    /// <summary>Key, white space, value: virtual(5), transport(5), canonical(5), generic(5), access(5), relocated(5).</summary>
    Hash,

    /// <summary>Name, colon, values: aliases(5).</summary>
    Aliases,

    /// <summary>POSIX regular expressions: regexp_table(5).</summary>
    Regexp,

    /// <summary>Perl's regular expressions: pcre_table(5).</summary>
    Pcre,

    /// <summary>Networks: cidr_table(5).</summary>
    Cidr,
}

/// <summary>A text map and its format, written as in Postfix: <c>hash:/etc/postfix/virtual</c>.</summary>
public readonly record struct LookupSource(LookupType Type, string Path)
{
    /// <summary>The words before the colon. What Postfix compiles into a database is read from the text beside it.</summary>
    private static readonly Dictionary<string, LookupType> Types = new(StringComparer.Ordinal)
    {
        ["hash"] = LookupType.Hash, ["texthash"] = LookupType.Hash, ["btree"] = LookupType.Hash, ["lmdb"] = LookupType.Hash, ["dbm"] = LookupType.Hash, ["cdb"] = LookupType.Hash,
        ["aliases"] = LookupType.Aliases, ["regexp"] = LookupType.Regexp, ["pcre"] = LookupType.Pcre, ["cidr"] = LookupType.Cidr,
    };

    /// <summary>The words that stand before the colon, for messages.</summary>
    public static string KnownTypes => "hash, regexp, pcre, cidr, aliases";

    /// <summary>Reads <c>type:path</c>; a path alone is of the given type. False for a type that is not known.</summary>
    public static bool TryParse(string text, LookupType fallback, out LookupSource source)
    {
        int colon = text.IndexOf(':', StringComparison.Ordinal);
        if (colon <= 0 || text[..colon].Contains('/', StringComparison.Ordinal))
        {
            source = new(fallback, text);
            return colon != 0 && text.Length > 0;
        }
        bool known = Types.TryGetValue(text[..colon], out LookupType type);
        source = new(type, text[(colon + 1)..]);
        return known && source.Path.Length > 0;
    }

    public override string ToString() => $"{Type.ToString().ToLowerInvariant()}:{Path}";
}
