using System.Diagnostics.CodeAnalysis;
using System.Text;

namespace Posthorn.Store.Scripts;

/// <summary>The name of a Sieve script as ManageSieve and <c>include</c> know it (RFC 5804 section 1.6). Case counts.</summary>
public readonly record struct ScriptName
{
    /// <summary>The longest name, octets of UTF-8: with <c>.sieve</c> it is the name of a file, which may take 255. RFC 5804 asks for 128 characters, which fit as long as they average less than two octets.</summary>
    public const int MaxOctets = 249;

    private readonly string? _value;

    private ScriptName(string value) => _value = value;

    public string Value => _value ?? throw new InvalidOperationException("This ScriptName was never set.");

    /// <summary>Reads a name: not empty, no control characters, no line or paragraph separator, and no slash, since it is a file's name.</summary>
    public static bool TryCreate([NotNullWhen(true)] string? text, out ScriptName name)
    {
        name = default;
        if (string.IsNullOrEmpty(text) || Encoding.UTF8.GetByteCount(text) > MaxOctets) return false;
        foreach (Rune rune in text.EnumerateRunes())
            if (Rune.IsControl(rune) || rune == Rune.ReplacementChar || rune.Value is '/' or 0x2028 or 0x2029) return false;
        name = new(text);
        return true;
    }

    public override string ToString() => _value ?? "";
}
