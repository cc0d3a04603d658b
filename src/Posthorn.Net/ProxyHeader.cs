using System.Buffers.Binary;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Posthorn.Net;

/// <summary>What a proxy says before a connection's own bytes: for whom it speaks (the PROXY protocol, versions 1 and 2).</summary>
/// <param name="Source">The client; null when the proxy speaks for itself (a health check) or does not know.</param>
/// <param name="Destination">Where the client connected to.</param>
public sealed record ProxyHeader(IPEndPoint? Source, IPEndPoint? Destination)
{
    /// <summary>The longest line of version 1 with its end (section 2.1).</summary>
    private const int MaxLine = 107;

    /// <summary>What version 2 may add to the addresses, octets: certificates and the like, of which nothing is used.</summary>
    private const int MaxAddition = 16 * 1024;

    private static readonly ProxyHeader Itself = new(null, null);

    private static ReadOnlySpan<byte> Signature => "\r\n\r\n\0\r\nQUIT\n"u8;

    /// <summary>How many octets more are wanted, so that nothing behind the header is taken: 0 when it is complete, -1 when it is none.</summary>
    public static int Wanted(ReadOnlySpan<byte> soFar)
    {
        if (soFar.Length < Signature.Length)
        {
            bool possible = Signature.StartsWith(soFar) || "PROXY "u8.StartsWith(soFar[..Math.Min(soFar.Length, 6)]);
            return possible ? Signature.Length - soFar.Length : -1;
        }
        if (soFar.StartsWith(Signature))
        {
            if (soFar.Length < 16) return 16 - soFar.Length;
            int length = BinaryPrimitives.ReadUInt16BigEndian(soFar[14..]);
            return length > MaxAddition ? -1 : 16 + length - soFar.Length;
        }
        if (!soFar.StartsWith("PROXY "u8)) return -1;
        int newline = soFar.IndexOf((byte)'\n');
        if (newline < 0) return soFar.Length < MaxLine ? 1 : -1;
        return newline == soFar.Length - 1 && soFar[newline - 1] == '\r' && soFar.Length <= MaxLine ? 0 : -1;
    }

    /// <summary>Reads a complete header; null when it is none.</summary>
    public static ProxyHeader? Read(ReadOnlySpan<byte> octets)
    {
        if (Wanted(octets) != 0) return null;
        return octets.StartsWith(Signature) ? ReadBinary(octets) : ReadLine(Encoding.ASCII.GetString(octets[..^2]));
    }

    // PROXY TCP4|TCP6 source destination port port, or PROXY UNKNOWN and anything.
    private static ProxyHeader? ReadLine(string line)
    {
        string[] words = line.Split(' ');
        if (words[1] == "UNKNOWN") return Itself;
        AddressFamily? family = words[1] switch { "TCP4" => AddressFamily.InterNetwork, "TCP6" => AddressFamily.InterNetworkV6, _ => null };
        if (family is null || words.Length != 6) return null;
        return End(words[2], words[4], family.Value) is { } source && End(words[3], words[5], family.Value) is { } destination ? new(source, destination) : null;
    }

    private static IPEndPoint? End(string address, string port, AddressFamily family) =>
        IPAddress.TryParse(address, out IPAddress? parsed) && parsed.AddressFamily == family && IsPlain(address, family) && ushort.TryParse(port, NumberStyles.None, CultureInfo.InvariantCulture, out ushort number)
            ? new(Plain(parsed), number) : null;

    // What else .NET takes for an address: 1, 0x7f.1, fe80::1%eth0.
    private static bool IsPlain(string address, AddressFamily family) =>
        family == AddressFamily.InterNetworkV6 ? !address.Contains('%', StringComparison.Ordinal) && address[0] != '[' : address.Count(c => c == '.') == 3 && address.All(c => c == '.' || char.IsAsciiDigit(c));

    private static ProxyHeader? ReadBinary(ReadOnlySpan<byte> octets)
    {
        if (octets[12] >> 4 != 2) return null;
        int command = octets[12] & 15;
        if (command == 0) return Itself; // LOCAL
        if (command != 1) return null;
        ReadOnlySpan<byte> rest = octets[16..];
        switch (octets[13])
        {
            case 0x11 when rest.Length >= 12: return new(At(rest[..4], rest[8..]), At(rest[4..8], rest[10..]));
            case 0x21 when rest.Length >= 36: return new(At(rest[..16], rest[32..]), At(rest[16..32], rest[34..]));
            case 0x11 or 0x21: return null;
            // Other families and datagrams: the receiver must use the real addresses (section 2.2).
            default: return Itself;
        }
    }

    private static IPEndPoint At(ReadOnlySpan<byte> address, ReadOnlySpan<byte> port) => new(Plain(new(address)), BinaryPrimitives.ReadUInt16BigEndian(port));

    private static IPAddress Plain(IPAddress address) => address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;
}
