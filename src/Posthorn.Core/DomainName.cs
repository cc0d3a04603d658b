using System.Globalization;
using System.Net;
using System.Text;

namespace Posthorn.Core;

/// <summary>A mail domain: a DNS name, or an address literal such as <c>[192.0.2.1]</c> (RFC 5321 section 4.1.2).</summary>
/// <remarks>Two spellings of one domain (case, final dot, A-label and U-label) are equal; <see cref="ToString"/> gives the A-label form.</remarks>
public readonly record struct DomainName
{
    private static readonly IdnMapping Idn = new() { AllowUnassigned = false, UseStd3AsciiRules = false };
    private readonly string? _ascii;

    private DomainName(string ascii) => _ascii = ascii;

    /// <summary>The normalised name: lower case, A-labels, no final dot.</summary>
    public string Ascii => _ascii ?? throw new InvalidOperationException("This DomainName was never set.");

    /// <summary>The name as people read it: U-labels where they decode, else the same as <see cref="Ascii"/>.</summary>
    public string Unicode
    {
        get
        {
            if (!Ascii.Contains("xn--", StringComparison.Ordinal)) return Ascii;
            try { return Idn.GetUnicode(Ascii); }
            catch (ArgumentException) { return Ascii; }
        }
    }

    /// <summary>True for <c>[192.0.2.1]</c> and <c>[IPv6:…]</c>.</summary>
    public bool IsAddressLiteral => Ascii[0] == '[';

    /// <summary>Reads a name as typed or received; a final dot is dropped.</summary>
    public static bool TryCreate(ReadOnlySpan<char> text, out DomainName domain)
    {
        domain = default;
        if (text.Length is 0 or > 255) return false;
        if (text[0] == '[') return TryLiteral(text, out domain);
        if (text[^1] == '.') text = text[..^1];
        string ascii;
        if (System.Text.Ascii.IsValid(text)) ascii = text.ToString().ToLowerInvariant();
        else
        {
            try { ascii = Idn.GetAscii(text.ToString().Normalize(NormalizationForm.FormC)).ToLowerInvariant(); }
            catch (ArgumentException) { return false; }
        }
        if (!IsHostName(ascii)) return false;
        domain = new(ascii);
        return true;
    }

    /// <summary>As <see cref="TryCreate"/>, for names that are known to be right.</summary>
    /// <exception cref="FormatException">The text is not a domain name.</exception>
    public static DomainName Create(string text) =>
        TryCreate(text, out DomainName domain) ? domain : throw new FormatException($"'{text}' is not a domain name");

    public override string ToString() => _ascii ?? "";

    private static bool TryLiteral(ReadOnlySpan<char> text, out DomainName domain)
    {
        domain = default;
        if (text.Length < 4 || text[^1] != ']') return false;
        ReadOnlySpan<char> inner = text[1..^1];
        bool tagged = inner.StartsWith("IPv6:", StringComparison.OrdinalIgnoreCase);
        if (tagged) inner = inner[5..];
        if (!IPAddress.TryParse(inner, out IPAddress? address)) return false;
        bool six = address.AddressFamily == System.Net.Sockets.AddressFamily.InterNetworkV6;
        if (six != tagged || (!six && inner.Count('.') != 3)) return false;
        domain = new(six ? $"[IPv6:{address}]" : $"[{address}]");
        return true;
    }

    // Letters, digits, hyphens and underscores (seen in the wild); labels of 1 to 63 octets.
    private static bool IsHostName(string name)
    {
        if (name.Length is 0 or > 253) return false;
        int label = 0;
        for (int i = 0; i < name.Length; i++)
        {
            char c = name[i];
            if (c == '.')
            {
                if (label == 0 || name[i - 1] == '-') return false;
                label = 0;
                continue;
            }
            if (!char.IsAsciiLetterOrDigit(c) && c is not ('-' or '_')) return false;
            if (c == '-' && label == 0) return false;
            if (++label > 63) return false;
        }
        return label > 0 && name[^1] != '-';
    }
}
