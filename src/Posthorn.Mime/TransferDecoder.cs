using System.Buffers;
using System.Buffers.Text;

namespace Posthorn.Mime;

/// <summary>Takes a transfer encoding off, chunk by chunk (RFC 2045 section 6; uuencode as POSIX has it). What breaks the encoding is passed over or kept, never an error.</summary>
/// <remarks>Memory is bounded: at most <see cref="MaxHeld"/> bytes wait for the next chunk.</remarks>
public sealed class TransferDecoder(TransferEncoding encoding)
{
    /// <summary>The longest piece that is held back: a line of uuencode is 61 octets, a run of blanks at a line's end seldom more than a few.</summary>
    public const int MaxHeld = 1024;

    private readonly byte[] _held = new byte[MaxHeld];
    private int _heldCount;
    private int _bits, _value;
    private bool _inUu, _uuDone;

    /// <summary>Decodes a chunk; with <paramref name="last"/> also what was held back.</summary>
    public void Decode(ReadOnlySpan<byte> input, bool last, IBufferWriter<byte> output)
    {
        switch (encoding)
        {
            case TransferEncoding.Base64:
                FromBase64(input, output);
                break;
            case TransferEncoding.QuotedPrintable or TransferEncoding.UuEncode:
                Joined(input, last, output);
                break;
            default:
                output.Write(input);
                break;
        }
    }

    /// <summary>Decodes a whole body.</summary>
    public static void DecodeAll(TransferEncoding encoding, ReadOnlySpan<byte> body, IBufferWriter<byte> output) =>
        new TransferDecoder(encoding).Decode(body, last: true, output);

    private void FromBase64(ReadOnlySpan<byte> input, IBufferWriter<byte> output)
    {
        while (!input.IsEmpty)
        {
            int end = Octets.NextLine(input, 0);
            ReadOnlySpan<byte> line = input[..end];
            input = input[end..];
            ReadOnlySpan<byte> bare = Octets.WithoutLineEnd(line);
            if (_bits == 0 && (bare.Length & 3) == 0 && bare.Length is > 0 and <= 4096)
            {
                OperationStatus status = Base64.DecodeFromUtf8(bare, output.GetSpan(bare.Length / 4 * 3), out int consumed, out int written, isFinalBlock: true);
                if (status == OperationStatus.Done && consumed == bare.Length)
                {
                    output.Advance(written);
                    continue;
                }
            }
            Slowly(bare, output);
        }
    }

    private void Slowly(ReadOnlySpan<byte> line, IBufferWriter<byte> output)
    {
        while (!line.IsEmpty)
        {
            ReadOnlySpan<byte> piece = line[..Math.Min(line.Length, 4096)];
            line = line[piece.Length..];
            Span<byte> room = output.GetSpan(piece.Length);
            int written = 0;
            foreach (byte b in piece)
            {
                int six = Hex.Base64Value(b);
                if (six < 0)
                {
                    // Padding ends a run; another may follow.
                    if (b == '=') _bits = _value = 0;
                    continue;
                }
                _value = (_value << 6 | six) & 0xffffff;
                _bits += 6;
                if (_bits < 8) continue;
                _bits -= 8;
                room[written++] = (byte)(_value >> _bits);
            }
            output.Advance(written);
        }
    }

    // The encodings that work on lines: what the last chunk left is put before this one.
    private void Joined(ReadOnlySpan<byte> input, bool last, IBufferWriter<byte> output)
    {
        // A held piece is completed up to the end of its line, which is little; the rest needs no copy.
        while (_heldCount > 0)
        {
            int end = input.IsEmpty ? 0 : Math.Min(Octets.NextLine(input, 0), MaxHeld * 2);
            byte[] joined = ArrayPool<byte>.Shared.Rent(_heldCount + end);
            _held.AsSpan(0, _heldCount).CopyTo(joined);
            input[..end].CopyTo(joined.AsSpan(_heldCount));
            input = input[end..];
            Hold(Lines(joined.AsSpan(0, _heldCount + end), last && input.IsEmpty, output));
            ArrayPool<byte>.Shared.Return(joined);
            if (input.IsEmpty) return;
        }
        Hold(Lines(input, last, output));
    }

    private ReadOnlySpan<byte> Lines(ReadOnlySpan<byte> text, bool last, IBufferWriter<byte> output) =>
        encoding == TransferEncoding.UuEncode ? Uu(text, last, output) : QuotedPrintable(text, last, output);

    private void Hold(ReadOnlySpan<byte> left)
    {
        left.CopyTo(_held);
        _heldCount = left.Length;
    }

    // Returns what must wait for the next chunk.
    private static ReadOnlySpan<byte> QuotedPrintable(ReadOnlySpan<byte> text, bool last, IBufferWriter<byte> output)
    {
        while (!text.IsEmpty)
        {
            int next = text.IndexOfAny((byte)'=', (byte)'\n');
            if (next < 0 || text[next] == '\n')
            {
                // Blanks at a line's end were added on the way (RFC 2045 section 6.7 rule 3).
                int stop = next < 0 ? text.Length : next;
                bool back = stop > 0 && text[stop - 1] == '\r';
                int end = back ? stop - 1 : stop;
                while (end > 0 && text[end - 1] is (byte)' ' or (byte)'\t') end--;
                output.Write(text[..end]);
                if (next < 0)
                {
                    if (!last && text.Length - end <= MaxHeld) return text[end..];
                    if (!last || back) output.Write(text[(last ? stop - 1 : end)..]);
                    return default;
                }
                output.Write(back ? "\r\n"u8 : "\n"u8);
                text = text[(next + 1)..];
                continue;
            }
            output.Write(text[..next]);
            text = text[next..];
            int used = Escape(text, last, output);
            if (used == 0) return text;
            text = text[used..];
        }
        return default;
    }

    // What follows an equals sign; 0 if more must be seen first.
    private static int Escape(ReadOnlySpan<byte> text, bool last, IBufferWriter<byte> output)
    {
        if (text.Length >= 3 && Hex.TryByte(text[1], text[2], out byte value))
        {
            output.GetSpan(1)[0] = value;
            output.Advance(1);
            return 3;
        }
        int blank = 1;
        while (blank < text.Length && blank < MaxHeld && text[blank] is (byte)' ' or (byte)'\t') blank++;
        if (blank < text.Length && text[blank] == '\n') return blank + 1;
        if (blank + 1 < text.Length && text[blank] == '\r' && text[blank + 1] == '\n') return blank + 2;
        bool open = blank >= text.Length || (blank + 1 >= text.Length && (text[blank] == '\r' || blank == 1));
        if (open && !last && blank < MaxHeld - 1) return 0;
        // At the very end a soft break ends nothing.
        if (last && blank >= text.Length) return text.Length;
        output.Write("="u8);
        return 1;
    }

    private ReadOnlySpan<byte> Uu(ReadOnlySpan<byte> text, bool last, IBufferWriter<byte> output)
    {
        while (!text.IsEmpty && !_uuDone)
        {
            int feed = text.IndexOf((byte)'\n');
            if (feed < 0 && !last && text.Length <= MaxHeld) return text;
            int end = feed < 0 ? text.Length : feed + 1;
            ReadOnlySpan<byte> line = Octets.WithoutLineEnd(text[..end]);
            text = text[end..];
            if (!_inUu) _inUu = line.StartsWith("begin "u8);
            else if (line.SequenceEqual("end"u8)) _uuDone = true;
            else UuLine(line, output);
        }
        return default;
    }

    private static void UuLine(ReadOnlySpan<byte> line, IBufferWriter<byte> output)
    {
        if (line.IsEmpty) return;
        int count = (line[0] - 32) & 63;
        line = line[1..];
        Span<byte> room = output.GetSpan(64);
        int written = 0;
        // Blanks at the end, which stand for zero, are often lost.
        for (int i = 0; written < count; i += 4)
        {
            int a = Six(line, i), b = Six(line, i + 1), c = Six(line, i + 2), d = Six(line, i + 3);
            room[written++] = (byte)(a << 2 | b >> 4);
            if (written < count) room[written++] = (byte)(b << 4 | c >> 2);
            if (written < count) room[written++] = (byte)(c << 6 | d);
        }
        output.Advance(written);
    }

    private static int Six(ReadOnlySpan<byte> line, int at) => at < line.Length ? (line[at] - 32) & 63 : 0;
}
