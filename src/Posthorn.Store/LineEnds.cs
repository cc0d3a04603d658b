namespace Posthorn.Store;

/// <summary>Line ends of messages in memory. A message comes in and goes out with CRLF (RFC 5322 section 2.1); a file may have LF.</summary>
internal static class LineEnds
{
    /// <summary>The length with LF for each CRLF. Null when CRLF could not be made of that again: a CR more stands before one.</summary>
    internal static long? LengthWithLf(ReadOnlySpan<byte> message) =>
        message.IndexOf("\r\r\n"u8) >= 0 ? null : message.Length - message.Count("\r\n"u8);

    /// <summary>Makes LF of each CRLF, in place; the new length.</summary>
    internal static int ToLf(Span<byte> text)
    {
        int from = text.IndexOf("\r\n"u8);
        if (from < 0) return text.Length;
        int into = from;
        while (from < text.Length)
        {
            // At a CRLF: its CR goes, the rest moves up to the next one.
            from++;
            int next = text[from..].IndexOf("\r\n"u8);
            int run = next < 0 ? text.Length - from : next;
            text.Slice(from, run).CopyTo(text[into..]);
            (from, into) = (from + run, into + run);
        }

        return into;
    }

    /// <summary>Makes CRLF of each LF that has no CR before it; the length that comes of it is known.</summary>
    internal static byte[] ToCrlf(ReadOnlySpan<byte> text, long length)
    {
        byte[] made = new byte[length];
        Span<byte> rest = made;
        while (!text.IsEmpty)
        {
            int feed = text.IndexOf((byte)'\n');
            ReadOnlySpan<byte> line = feed < 0 ? text : text[..feed];
            ReadOnlySpan<byte> end = feed < 0 ? default : feed > 0 && text[feed - 1] == '\r' ? "\n"u8 : "\r\n"u8;
            line.CopyTo(rest);
            end.CopyTo(rest[line.Length..]);
            rest = rest[(line.Length + end.Length)..];
            text = text[(feed < 0 ? text.Length : feed + 1)..];
        }

        return made;
    }
}
