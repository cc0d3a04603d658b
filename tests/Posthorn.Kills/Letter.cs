using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Posthorn.Kills;

/// <summary>A message that can be told from every other, and its bytes from nearly the same ones.</summary>
internal static class Letter
{
    private const string Mark = "X-Posthorn-Kill: ";
    private static readonly byte[] MarkBytes = Encoding.ASCII.GetBytes(Mark);

    /// <summary>The message with this number: mostly a few KiB, at times large enough for the journal's spool. It begins with its mark.</summary>
    public static byte[] Write(int seed, long id, string to)
    {
        Random random = new(unchecked(seed * 31 + (int)id));
        int size = random.Next(100) switch
        {
            < 2 => random.Next(1 << 20, 3 << 19),
            < 8 => random.Next(32 << 10, 256 << 10),
            _ => random.Next(200, 8 << 10),
        };
        StringBuilder text = new(size + 400);
        text.Append(CultureInfo.InvariantCulture, $"{Mark}{id}\r\nFrom: Kill <kill@elsewhere.example>\r\nTo: {to}\r\nSubject: number {id}\r\nDate: Thu, 01 Jan 2026 00:00:00 +0000\r\nMessage-ID: <{id}.{seed}@elsewhere.example>\r\n\r\n");
        while (text.Length < size)
        {
            // Lines that are dots, or begin with them, or are empty, are what transparency goes wrong with.
            int kind = random.Next(40);
            if (kind == 0) text.Append('.', random.Next(1, 4));
            else if (kind > 1) for (int left = random.Next(1, 76); left > 0; left--) text.Append((char)random.Next(32, 127));
            text.Append("\r\n");
        }
        return Encoding.ASCII.GetBytes(text.ToString());
    }

    /// <summary>The fingerprint of a whole message from its mark on: what stands before was added on the way.</summary>
    public static bool TryRead(ReadOnlySpan<byte> message, out long id, out Int128 hash)
    {
        (id, hash) = (0, 0);
        int start = message.StartsWith(MarkBytes) ? 0 : message.IndexOf([(byte)'\n', .. MarkBytes]) + 1;
        if (start == 0 && !message.StartsWith(MarkBytes)) return false;
        ReadOnlySpan<byte> letter = message[start..];
        hash = Hash(letter);
        return TryReadId(letter, out id);
    }

    /// <summary>The number in a header that has the mark.</summary>
    public static bool TryReadId(ReadOnlySpan<byte> header, out long id)
    {
        id = 0;
        int at = header.IndexOf(MarkBytes);
        if (at < 0) return false;
        ReadOnlySpan<byte> rest = header[(at + MarkBytes.Length)..];
        int end = rest.IndexOf((byte)'\r');
        return end > 0 && long.TryParse(rest[..end], NumberStyles.None, CultureInfo.InvariantCulture, out id);
    }

    public static Int128 Hash(ReadOnlySpan<byte> letter)
    {
        Span<byte> whole = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(letter, whole);
        return System.Buffers.Binary.BinaryPrimitives.ReadInt128LittleEndian(whole);
    }

    /// <summary>As DATA wants it: dots doubled at the start of lines, and the end.</summary>
    public static byte[] Transparent(ReadOnlySpan<byte> letter)
    {
        using MemoryStream output = new(letter.Length + 64);
        while (!letter.IsEmpty)
        {
            int line = letter.IndexOf((byte)'\n') + 1;
            if (letter[0] == '.') output.WriteByte((byte)'.');
            output.Write(letter[..line]);
            letter = letter[line..];
        }
        output.Write(".\r\n"u8);
        return output.ToArray();
    }
}
