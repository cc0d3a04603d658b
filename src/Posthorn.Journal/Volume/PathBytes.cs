using System.Buffers;
using System.Text;

namespace Posthorn.Journal.Volume;

/// <summary>Between paths as the system has them (bytes) and as the program has them (strings), without loss.</summary>
/// <remarks>A byte that is not UTF-8 becomes a lone surrogate U+DC80 to U+DCFF and back, as Python does: an old Maildir may hold names in Latin-1, and they must be found again.</remarks>
public static class PathBytes
{
    /// <summary>The string for a name's bytes.</summary>
    public static string Decode(ReadOnlySpan<byte> bytes)
    {
        if (System.Text.Unicode.Utf8.IsValid(bytes)) return Encoding.UTF8.GetString(bytes);

        StringBuilder text = new(bytes.Length);
        Span<char> pair = stackalloc char[2];
        while (!bytes.IsEmpty)
        {
            if (Rune.DecodeFromUtf8(bytes, out Rune rune, out int used) == OperationStatus.Done)
                text.Append(pair[..rune.EncodeToUtf16(pair)]);
            else
                for (int i = 0; i < used; i++) text.Append((char)(0xDC00 + bytes[i]));
            bytes = bytes[used..];
        }

        return text.ToString();
    }

    /// <summary>The bytes of a path, ended by a zero.</summary>
    /// <exception cref="VolumeException">It holds a zero character, is not absolute, or holds what is no character.</exception>
    public static byte[] Encode(string path)
    {
        if (path.Length == 0 || path[0] != '/') throw new VolumeException(VolumeError.Invalid, "open", path, "the path is not absolute");
        return EncodeTarget(path);
    }

    /// <summary>As <see cref="Encode"/>, for what a symbolic link holds: a relative path is as good.</summary>
    /// <exception cref="VolumeException">It holds a zero character, or what is no character.</exception>
    public static byte[] EncodeTarget(string path)
    {
        if (path.Contains('\0', StringComparison.Ordinal)) throw new VolumeException(VolumeError.Invalid, "open", path.Replace('\0', '?'), "the path holds a zero character");

        if (Ascii.IsValid(path))
        {
            byte[] plain = new byte[path.Length + 1];
            Encoding.ASCII.GetBytes(path, plain);
            return plain;
        }

        byte[] bytes = new byte[Encoding.UTF8.GetMaxByteCount(path.Length) + 1];
        ReadOnlySpan<char> rest = path;
        int length = 0;
        while (!rest.IsEmpty)
        {
            if (Rune.DecodeFromUtf16(rest, out Rune rune, out int used) == OperationStatus.Done)
                length += rune.EncodeToUtf8(bytes.AsSpan(length));
            else if (rest[0] is >= (char)0xDC80 and <= (char)0xDCFF)
                bytes[length++] = (byte)(rest[0] - 0xDC00);
            else
                throw new VolumeException(VolumeError.Invalid, "open", "?", "the path holds a lone surrogate");
            rest = rest[used..];
        }

        return bytes[..(length + 1)];
    }
}
