using System.Buffers;

namespace Posthorn.Mime;

/// <summary>Writes IMAP strings that every client may get: quoted where ASCII allows it, else a literal with the bytes as they are (RFC 3501 section 4.3).</summary>
internal static class WireText
{
    private static readonly SearchValues<byte> Plain = SearchValues.Create(
        " !#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[]^_`abcdefghijklmnopqrstuvwxyz{|}~"u8);

    /// <summary>Writes <c>NIL</c>.</summary>
    public static void Nil(ref ByteScratch output) => output.Append("NIL"u8);

    /// <summary>Writes a string. Line ends of folds go; tabs and stray CR or LF become blanks; NUL, which no string may hold, is left out.</summary>
    public static void String(ref ByteScratch output, scoped ReadOnlySpan<byte> text)
    {
        if (text.IndexOfAnyExcept(Plain) < 0)
        {
            output.Append((byte)'"');
            output.Append(text);
            output.Append((byte)'"');
            return;
        }
        ByteScratch clean = new(stackalloc byte[512]);
        bool ascii = true;
        for (int i = 0; i < text.Length; i++)
        {
            byte b = text[i];
            if (b is (byte)'\r' or (byte)'\n')
            {
                // A fold: the blank behind it stays.
                while (i + 1 < text.Length && text[i + 1] is (byte)'\r' or (byte)'\n') i++;
                if (i + 1 < text.Length && text[i + 1] is (byte)' ' or (byte)'\t') continue;
                b = (byte)' ';
            }
            if (b == 0) continue;
            if (b == '\t') b = (byte)' ';
            ascii &= b < 128;
            clean.Append(b);
        }
        if (ascii) Quoted(ref output, clean.Written);
        else Literal(ref output, clean.Written);
        clean.Dispose();
    }

    /// <summary>Writes the value of an unstructured field: trimmed, unfolded, cut at the limit.</summary>
    public static void Unstructured(ref ByteScratch output, scoped ReadOnlySpan<byte> raw, MimeLimits limits)
    {
        ReadOnlySpan<byte> value = Octets.Trim(raw);
        String(ref output, value.Length > limits.MaxValueBytes ? value[..limits.MaxValueBytes] : value);
    }

    private static void Quoted(ref ByteScratch output, scoped ReadOnlySpan<byte> text)
    {
        output.Append((byte)'"');
        foreach (byte b in text)
        {
            if (b is (byte)'"' or (byte)'\\') output.Append((byte)'\\');
            output.Append(b);
        }
        output.Append((byte)'"');
    }

    private static void Literal(ref ByteScratch output, scoped ReadOnlySpan<byte> text)
    {
        output.Append((byte)'{');
        output.Append(text.Length);
        output.Append("}\r\n"u8);
        output.Append(text);
    }
}
