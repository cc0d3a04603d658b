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

    /// <summary>Text of others, in which addresses may stand.</summary>
    public string Text(string text) => _key is null || !text.Contains('@', StringComparison.Ordinal) ? text : AnyAddress().Replace(text, match => Address(match.Value));

    /// <summary>What a client called itself: it may be the name of somebody's own machine.</summary>
    public string Name(string name) => _key is null ? name : "";

    [GeneratedRegex(@"[^\s<>,;:()""]+@[A-Za-z0-9.-]+")]
    private static partial Regex AnyAddress();
}
