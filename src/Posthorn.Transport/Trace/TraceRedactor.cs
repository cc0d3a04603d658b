using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;

namespace Posthorn.Transport.Trace;

/// <summary>Says addresses so that they can be compared but not read: the local part becomes a keyed digest, a client's address its network.</summary>
internal sealed partial class TraceRedactor
{
    private const string KeyFile = "key";
    private const int KeySize = 32;

    /// <summary>Shorter names tell nobody anything, and would be found in words.</summary>
    private const int ShortestName = 3;

    private readonly byte[]? _key;

    private TraceRedactor(byte[]? key) => _key = key;

    /// <summary>Says everything as it is.</summary>
    public static TraceRedactor None { get; } = new(null);

    public bool IsOn => _key is not null;

    /// <summary>With the key of a folder, which is made when it is missing.</summary>
    public static TraceRedactor Make(string folder)
    {
        string path = Path.Combine(folder, KeyFile);
        if (Find(folder) is { IsOn: true } known) return known;
        byte[] key = RandomNumberGenerator.GetBytes(KeySize);
        FileStreamOptions options = new() { Mode = FileMode.Create, Access = FileAccess.Write, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite };
        using FileStream file = new(path, options);
        file.Write(key);
        return new(key);
    }

    /// <summary>With the key of a folder, if there is one: addresses may have been redacted some time.</summary>
    public static TraceRedactor Find(string folder)
    {
        string path = Path.Combine(folder, KeyFile);
        byte[] key = File.Exists(path) ? File.ReadAllBytes(path) : [];
        return key.Length == KeySize ? new(key) : None;
    }

    /// <summary>An address: <c>~digest@domain</c>.</summary>
    public string Address(string address)
    {
        int at = address.LastIndexOf('@');
        if (_key is null || at <= 0) return address;
        byte[] digest = HMACSHA256.HashData(_key, Encoding.UTF8.GetBytes(address.ToLowerInvariant()));
        return $"~{Convert.ToHexStringLower(digest.AsSpan(0, 6))}{address[at..]}";
    }

    /// <summary>A client's address: its network of 24 or 48 bits.</summary>
    public string Client(IPAddress address)
    {
        if (_key is null || IPAddress.IsLoopback(address)) return address.ToString();
        byte[] octets = address.GetAddressBytes();
        int kept = address.AddressFamily == AddressFamily.InterNetworkV6 ? 6 : 3;
        Array.Clear(octets, kept, octets.Length - kept);
        return $"{new IPAddress(octets)}/{kept * 8}";
    }

    /// <summary>Text of others, in which addresses of mail and of machines may stand, and the names of the client.</summary>
    /// <param name="text">The text.</param>
    /// <param name="names">What the client calls itself, and is called.</param>
    public string Text(string text, IReadOnlyList<string> names)
    {
        if (_key is null) return text;
        if (text.Contains('@', StringComparison.Ordinal)) text = AnyAddress().Replace(text, match => Address(match.Value));
        text = AnyNumber().Replace(text, match => Machine(match.Value));
        foreach (string name in names)
            if (name.Length >= ShortestName) text = WithoutName(text, name);
        return text;
    }

    // An address, perhaps with the colon or full stop that stands behind it in a sentence.
    private string Machine(string match)
    {
        for (string text = match; text.Length > 1; text = text[..^1])
        {
            if (IPAddress.TryParse(text, out IPAddress? address) && text.AsSpan().IndexOfAny(".:") >= 0) return Client(address) + match[text.Length..];
            if (text[^1] is not ('.' or ':')) break;
        }
        return match;
    }

    // As a word of its own: within another name, or behind an @, it is somebody else's.
    private static string WithoutName(string text, string name)
    {
        StringBuilder left = new(text.Length);
        int from = 0;
        while (text.IndexOf(name, from, StringComparison.OrdinalIgnoreCase) is >= 0 and var at)
        {
            int end = at + name.Length;
            bool isWord = (at == 0 || !IsNamePart(text[at - 1])) && (end == text.Length || !IsNamePart(text[end]) || text[end] == '.' && (end + 1 == text.Length || !IsNamePart(text[end + 1])));
            left.Append(text, from, at - from).Append(isWord ? "[client]" : text[at..end]);
            from = end;
        }
        return left.Append(text, from, text.Length - from).ToString();
    }

    private static bool IsNamePart(char c) => char.IsLetterOrDigit(c) || c is '.' or '-' or '_' or '@' or '~';

    /// <summary>What a client called itself: it may be the name of somebody's own machine.</summary>
    public string Name(string name) => _key is null ? name : "";

    // Four numbers with dots, or hexadecimal groups with two colons at least: an address of either kind, and few things else.
    [GeneratedRegex(@"(?<![\w.:])(?:\d{1,3}(?:\.\d{1,3}){3}(?![\w.]*\w)|[0-9A-Fa-f]{0,4}:[0-9A-Fa-f]{0,4}:[0-9A-Fa-f:.]*)")]
    private static partial Regex AnyNumber();

    [GeneratedRegex(@"[^\s<>,;:()""]+@[A-Za-z0-9.-]+")]
    private static partial Regex AnyAddress();
}
