using System.Buffers;
using System.Buffers.Text;

namespace Posthorn.Mime.Recoding;

/// <summary>Writes the body of one part in a transfer encoding (RFC 2045 section 6), piece by piece.</summary>
internal sealed class LeafEncoder(TransferEncoding encoding, IBufferWriter<byte> output)
{
    /// <summary>Octets of one line of base64: 76 characters (RFC 2045 section 6.8).</summary>
    private const int Group = 57;

    /// <summary>The longest line of quoted-printable, without its end.</summary>
    private const int MaxLine = 76;

    private readonly byte[] _group = new byte[Group];
    private int _held;
    private int _column;
    private byte? _pending; // a blank or CR of which the next octet says what it is

    public void Write(ReadOnlySpan<byte> bytes)
    {
        if (encoding == TransferEncoding.QuotedPrintable)
        {
            foreach (byte b in bytes) Quote(b);
            return;
        }
        if (encoding != TransferEncoding.Base64)
        {
            output.Write(bytes);
            return;
        }
        while (bytes.Length > 0)
        {
            int take = Math.Min(Group - _held, bytes.Length);
            bytes[..take].CopyTo(_group.AsSpan(_held));
            _held += take;
            bytes = bytes[take..];
            if (_held == Group) FlushGroup();
        }
    }

    /// <summary>The part has ended; what is between it and the boundary is not its own.</summary>
    public void Finish()
    {
        if (_held > 0) FlushGroup();
        if (_pending is { } last) Escape(last);
        _pending = null;
        // A soft line break, so that the line end before the boundary adds nothing.
        _column = 0;
    }

    private void FlushGroup()
    {
        Span<byte> line = output.GetSpan(80);
        Base64.EncodeToUtf8(_group.AsSpan(0, _held), line, out _, out int written);
        "\r\n"u8.CopyTo(line[written..]);
        output.Advance(written + 2);
        _held = 0;
    }

    private void Quote(byte next)
    {
        if (_pending is { } held)
        {
            _pending = null;
            if (held == '\r' && next == '\n')
            {
                output.Write("\r\n"u8);
                _column = 0;
                return;
            }
            // A blank before a line end may get lost on the way; a CR alone is no line end.
            if (held == '\r' || next == '\r') Escape(held);
            else Plain(held);
        }
        if (next is (byte)'\r' or (byte)' ' or (byte)'\t') _pending = next;
        else if (next is >= 33 and <= 126 and not (byte)'=') Plain(next);
        else Escape(next);
    }

    private void Plain(byte b)
    {
        Room(1);
        output.Write([b]);
    }

    private void Escape(byte b)
    {
        Room(3);
        output.Write([(byte)'=', (byte)"0123456789ABCDEF"[b >> 4], (byte)"0123456789ABCDEF"[b & 15]]);
    }

    private void Room(int width)
    {
        if (_column + width > MaxLine - 1)
        {
            output.Write("=\r\n"u8);
            _column = 0;
        }
        _column += width;
    }
}
