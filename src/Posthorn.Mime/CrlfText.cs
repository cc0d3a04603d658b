using System.Buffers;

namespace Posthorn.Mime;

/// <summary>Shows bytes that may end lines with LF as the wire wants them: with CRLF. A stray CR stays.</summary>
public static class CrlfText
{
    /// <summary>The length with CRLF line ends.</summary>
    public static long Length(ReadOnlySpan<byte> text) => (long)text.Length + Octets.CountFeeds(text, 0).Bare;

    /// <summary>Writes the text with CRLF line ends.</summary>
    public static void Write(ReadOnlySpan<byte> text, IBufferWriter<byte> output) => Write(text, 0, long.MaxValue, output);

    /// <summary>Writes <paramref name="take"/> octets of the text with CRLF line ends, <paramref name="skip"/> octets passed over (FETCH <c>BODY[]&lt;skip.take&gt;</c>).</summary>
    public static void Write(ReadOnlySpan<byte> text, long skip, long take, IBufferWriter<byte> output)
    {
        int start = 0, from = 0;
        while (from < text.Length && take > 0)
        {
            int feed = text[from..].IndexOf((byte)'\n');
            if (feed < 0) break;
            from += feed + 1;
            if (from > 1 && text[from - 2] == '\r') continue;
            Piece(text[start..(from - 1)], ref skip, ref take, output);
            Piece("\r\n"u8, ref skip, ref take, output);
            start = from;
        }
        Piece(text[start..], ref skip, ref take, output);
    }

    private static void Piece(ReadOnlySpan<byte> piece, ref long skip, ref long take, IBufferWriter<byte> output)
    {
        int passed = (int)Math.Min(skip, piece.Length);
        skip -= passed;
        piece = piece[passed..];
        if (piece.Length > take) piece = piece[..(int)take];
        take -= piece.Length;
        output.Write(piece);
    }
}
