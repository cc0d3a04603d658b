using System.Buffers;
using System.Text;

namespace Posthorn.Transport.Trace;

/// <summary>What a line can be found by: numbers made of queue ids, message ids and addresses. Two keys may share a number; who finds a line by one looks whether it is right.</summary>
internal static class TraceKeys
{
    /// <summary>The key of lines that tell of lost ones.</summary>
    public static ulong Lost { get; } = Hash('l', "");

    public static ulong Id(string id) => Hash('i', id);

    /// <summary>Without its angle brackets.</summary>
    public static ulong MessageId(string id) => Hash('m', id);

    /// <summary>Case counts for nothing.</summary>
    public static ulong Address(string address) => Hash('a', address.ToLowerInvariant());

    // FNV-1a, 64 bits: the numbers reach the disk, so they must not depend on the process.
    private static ulong Hash(char kind, string text)
    {
        ulong hash = 14695981039346656037;
        byte[] rented = ArrayPool<byte>.Shared.Rent(Encoding.UTF8.GetMaxByteCount(text.Length));
        int length = Encoding.UTF8.GetBytes(text, rented);
        hash = (hash ^ kind) * 1099511628211;
        for (int i = 0; i < length; i++) hash = (hash ^ rented[i]) * 1099511628211;
        ArrayPool<byte>.Shared.Return(rented);
        return hash;
    }
}
