using System.Buffers;
using System.Buffers.Text;
using Posthorn.Mime;
using Posthorn.Store;

namespace Posthorn.Imap.Commands;

/// <summary>A message's bytes taken as a whole, where the store's summary does not do: rare, and bounded by the largest message.</summary>
internal static class MessageText
{
    public static void ReadExactly(IMessageContent content, long offset, Span<byte> into)
    {
        while (!into.IsEmpty)
        {
            int read = content.Read(offset, into);
            if (read == 0) throw new IOException("A message is shorter than its catalogue says.");
            offset += read;
            into = into[read..];
        }
    }

    public static MimeStructure Parse(IMessageContent content)
    {
        byte[] all = ReadAll(content);
        try { return MimeStructure.Parse(all.AsSpan(0, (int)content.Length), MimeLimits.Default); }
        finally { ArrayPool<byte>.Shared.Return(all); }
    }

    /// <summary>Makes the texts that a summary lacks.</summary>
    public static MessageSummary Summarise(MessageSummary summary, IMessageContent content, SummaryFields fields)
    {
        byte[] all = ReadAll(content);
        try
        {
            ReadOnlySpan<byte> message = all.AsSpan(0, (int)content.Length);
            MimeStructure structure = MimeStructure.Parse(message, MimeLimits.Default);
            if ((fields & SummaryFields.Envelope) != 0 && summary.Envelope.IsEmpty)
            {
                ArrayBufferWriter<byte> envelope = new();
                EnvelopeWriter.Write(structure.Root.Header(message), MimeLimits.Default, envelope);
                summary = summary with { Envelope = envelope.WrittenMemory };
            }
            if ((fields & SummaryFields.Body) != 0 && summary.Body.IsEmpty) summary = summary with { Body = Structure(structure, message, false) };
            if ((fields & SummaryFields.BodyStructure) != 0 && summary.BodyStructure.IsEmpty) summary = summary with { BodyStructure = Structure(structure, message, true) };
            return summary;
        }
        finally { ArrayPool<byte>.Shared.Return(all); }
    }

    /// <summary>A part without its transfer encoding (RFC 3516 section 4.2).</summary>
    public static ReadOnlyMemory<byte> Decode(IMessageContent content, long offset, long length, TransferEncoding encoding)
    {
        byte[] raw = new byte[length];
        ReadExactly(content, offset, raw);
        return encoding switch
        {
            TransferEncoding.Base64 => raw.AsMemory(0, DecodeBase64(raw)),
            TransferEncoding.QuotedPrintable => raw.AsMemory(0, DecodeQuoted(raw)),
            _ => raw,
        };
    }

    private static ReadOnlyMemory<byte> Structure(MimeStructure structure, ReadOnlySpan<byte> message, bool extended)
    {
        ArrayBufferWriter<byte> text = new();
        BodyStructureWriter.Write(structure, message, extended, MimeLimits.Default, text);
        return text.WrittenMemory;
    }

    private static byte[] ReadAll(IMessageContent content)
    {
        byte[] all = ArrayPool<byte>.Shared.Rent((int)content.Length);
        ReadExactly(content, 0, all.AsSpan(0, (int)content.Length));
        return all;
    }

    // In place: what is decoded never outgrows what was read.
    private static int DecodeBase64(byte[] raw)
    {
        int kept = 0;
        foreach (byte b in raw)
        {
            if (b == '=') break;
            if (char.IsAsciiLetterOrDigit((char)b) || b is (byte)'+' or (byte)'/') raw[kept++] = b;
        }
        int whole = kept / 4 * 4;
        int rest = kept - whole;
        Span<byte> last = stackalloc byte[4];
        last.Fill((byte)'=');
        raw.AsSpan(whole, rest).CopyTo(last);
        Base64.DecodeFromUtf8InPlace(raw.AsSpan(0, whole), out int length);
        if (rest < 2) return length;
        Span<byte> tail = stackalloc byte[3];
        Base64.DecodeFromUtf8(last, tail, out _, out int more);
        tail[..more].CopyTo(raw.AsSpan(length));
        return length + more;
    }

    private static int DecodeQuoted(byte[] raw)
    {
        int length = 0;
        for (int i = 0; i < raw.Length; i++)
        {
            if (raw[i] != '=')
            {
                raw[length++] = raw[i];
                continue;
            }
            if (i + 2 < raw.Length && raw[i + 1] == '\r' && raw[i + 2] == '\n') i += 2;
            else if (i + 1 < raw.Length && raw[i + 1] == '\n') i++;
            else if (i + 2 < raw.Length && Utf8Parser.TryParse(raw.AsSpan(i + 1, 2), out byte value, out int used, 'X') && used == 2)
            {
                raw[length++] = value;
                i += 2;
            }
            else raw[length++] = raw[i];
        }
        return length;
    }
}
