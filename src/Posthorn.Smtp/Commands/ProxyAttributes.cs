using System.Globalization;
using System.Net;
using System.Text;
using Posthorn.Core;
using Posthorn.Smtp.Wire;

namespace Posthorn.Smtp.Commands;

/// <summary>What XCLIENT and XFORWARD say of a client (Postfix's XCLIENT_README and XFORWARD_README).</summary>
/// <remarks><c>attribute = name "=" ( xtext / "[UNAVAILABLE]" / "[TEMPUNAVAIL]" )</c>, several of them parted by spaces.</remarks>
internal sealed class ProxyAttributes
{
    /// <summary>The longest value: that of a host's name.</summary>
    private const int MaxValue = 255;

    private readonly Dictionary<string, string?> _values = [];

    /// <summary>The attributes that came.</summary>
    public IReadOnlyCollection<string> Names => _values.Keys;

    /// <summary>The name could not be found out for the time being.</summary>
    public bool IsNameTemporary { get; private set; }

    /// <summary>Said, known or not.</summary>
    public bool Has(string name) => _values.ContainsKey(name);

    /// <summary>The value; null when it is not known, or was not said.</summary>
    public string? this[string name] => _values.GetValueOrDefault(name);

    /// <summary>ADDR; null when it is not known, or was not said.</summary>
    public IPAddress? Address => this["ADDR"] is { } text ? ReadAddress(text) : null;

    /// <summary>Reads them to the end of the line.</summary>
    public static ProxyAttributes Parse(ref SmtpReader args, ReadOnlySpan<string> known)
    {
        ProxyAttributes all = new();
        do
        {
            args.Space();
            ReadOnlySpan<byte> word = args.Word();
            int equals = word.IndexOf((byte)'=');
            string name = Encoding.ASCII.GetString(word[..Math.Max(equals, 0)]).ToUpperInvariant();
            if (equals <= 0 || !known.Contains(name)) args.Fail(Reply.UnknownAttribute(name));
            else if (!all.Take(name, word[(equals + 1)..])) args.Fail(Reply.BadAttribute(name));
        }
        while (!args.IsAtEnd);
        return all;
    }

    private bool Take(string name, ReadOnlySpan<byte> value)
    {
        if (_values.ContainsKey(name) || value.Length > MaxValue) return false;
        if (Ascii.EqualsIgnoreCase(value, "[UNAVAILABLE]"u8) || Ascii.EqualsIgnoreCase(value, "[TEMPUNAVAIL]"u8))
        {
            IsNameTemporary |= name == "NAME" && value[1] is (byte)'T' or (byte)'t';
            _values[name] = null;
            return true;
        }
        if (value.IsEmpty || !Xtext.TryDecode(value, out string text) || !IsValid(name, text)) return false;
        _values[name] = text;
        return true;
    }

    private static bool IsValid(string name, string text) => name switch
    {
        "ADDR" or "DESTADDR" => ReadAddress(text) is not null,
        "PORT" or "DESTPORT" => ushort.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out _),
        "NAME" or "REVERSE_NAME" => DomainName.TryCreate(text, out _),
        "PROTO" => text.ToUpperInvariant() is "SMTP" or "ESMTP",
        "SOURCE" => text.ToUpperInvariant() is "LOCAL" or "REMOTE",
        _ => !text.Contains(' ', StringComparison.Ordinal),
    };

    private static IPAddress? ReadAddress(string text)
    {
        bool v6 = text.StartsWith("IPV6:", StringComparison.OrdinalIgnoreCase);
        if (!IPAddress.TryParse(v6 ? text[5..] : text, out IPAddress? address)) return null;
        bool isV6 = address.AddressFamily == System.Net.Sockets.AddressFamily.InterNetworkV6;
        if (isV6 != v6) return null;
        return address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;
    }
}
