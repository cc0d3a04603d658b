using System.Buffers;
using System.Text;

namespace Posthorn.Mime.Recoding;

/// <summary>Gets the parts of a message as they come by.</summary>
internal interface IMimeSink
{
    /// <summary>A part's header has come, with its blank line; of a part with parts below it the body is their sum.</summary>
    void Header(ReadOnlySpan<byte> header, PartHead head);

    /// <summary>Octets of the body of the part of which the header came last: its content if it is a leaf, else what stands between its parts.</summary>
    void Body(ReadOnlySpan<byte> bytes);

    /// <summary>The part has ended.</summary>
    void EndLeaf();

    /// <summary>A boundary line, with the line end before it.</summary>
    void Boundary(ReadOnlySpan<byte> line);
}

/// <summary>What a header says of its part.</summary>
internal sealed record PartHead(bool IsLeaf, bool IsText, bool IsTop, bool HasVersion, bool HasType, TransferEncoding Encoding, bool IsProtected);

/// <summary>Walks through a message of any size in one pass, in bounded memory, whatever its parts and octets (RFC 2046 section 5.1).</summary>
internal sealed class MimeScanner(IMimeSink sink)
{
    /// <summary>The longest header of a part that is understood; a longer one makes its part opaque.</summary>
    private const int MaxHeader = 1 << 20;

    /// <summary>A piece of a line that has no end in sight.</summary>
    private const int MaxPiece = 16 * 1024;

    /// <summary>Boundaries that are open at once; parts below are one leaf.</summary>
    private const int MaxDepth = 50;

    private readonly ArrayBufferWriter<byte> _header = new(1024);
    private readonly ArrayBufferWriter<byte> _line = new(1024);
    private readonly List<(byte[] Boundary, bool IsSigned)> _open = [];
    private bool _inHeader = true, _isTop = true, _isLeaf, _atLineStart = true, _heldLineEnd;

    public void Write(ReadOnlySpan<byte> bytes)
    {
        while (bytes.Length > 0)
        {
            int end = bytes.IndexOf((byte)'\n') + 1;
            ReadOnlySpan<byte> piece = end > 0 ? bytes[..end] : bytes;
            _line.Write(piece);
            bytes = bytes[piece.Length..];
            if (end > 0) TakeLine(isWhole: true);
            else if (_line.WrittenCount >= MaxPiece && _line.WrittenSpan[^1] != '\r') TakeLine(isWhole: false);
        }
    }

    public void Finish()
    {
        if (_line.WrittenCount > 0) TakeLine(isWhole: true);
        if (_inHeader) EndHeader();
        ReleaseLineEnd();
        if (_isLeaf) sink.EndLeaf();
    }

    private void TakeLine(bool isWhole)
    {
        ReadOnlySpan<byte> line = _line.WrittenSpan;
        if (_atLineStart && isWhole && FindBoundary(line, out bool closes) is >= 0 and int found)
        {
            TakeBoundary(line, found, closes);
        }
        else if (_inHeader)
        {
            _header.Write(line);
            if (line is [(byte)'\r', (byte)'\n'] or [(byte)'\n'] && _atLineStart || _header.WrittenCount > MaxHeader) EndHeader();
        }
        else
        {
            ReleaseLineEnd();
            // The line end before a boundary belongs to the boundary: it waits for the next line.
            _heldLineEnd = line.EndsWith("\r\n"u8) && _open.Count > 0;
            sink.Body(_heldLineEnd ? line[..^2] : line);
        }
        _atLineStart = isWhole;
        _line.ResetWrittenCount();
    }

    private void TakeBoundary(ReadOnlySpan<byte> line, int found, bool closes)
    {
        if (_inHeader) EndHeader();
        if (_isLeaf) sink.EndLeaf();
        sink.Boundary(_heldLineEnd ? [.. "\r\n"u8, .. line] : line);
        _heldLineEnd = false;
        _open.RemoveRange(closes ? found : found + 1, _open.Count - (closes ? found : found + 1));
        (_inHeader, _isLeaf, _isTop) = (!closes, false, false);
        _header.ResetWrittenCount();
    }

    private void ReleaseLineEnd()
    {
        if (!_heldLineEnd) return;
        _heldLineEnd = false;
        sink.Body("\r\n"u8);
    }

    // The innermost open boundary that the line is (RFC 2046 section 5.1.1); -1 when it is none.
    private int FindBoundary(ReadOnlySpan<byte> line, out bool closes)
    {
        closes = false;
        if (line.Length < 3 || line[0] != '-' || line[1] != '-') return -1;
        ReadOnlySpan<byte> rest = line[2..].TrimEnd(" \t\r\n"u8);
        for (int i = _open.Count - 1; i >= 0; i--)
        {
            if (!rest.StartsWith(_open[i].Boundary)) continue;
            ReadOnlySpan<byte> behind = rest[_open[i].Boundary.Length..];
            closes = behind is [(byte)'-', (byte)'-'];
            if (closes || behind.IsEmpty) return i;
        }
        return -1;
    }

    private void EndHeader()
    {
        ReadOnlySpan<byte> header = _header.WrittenSpan;
        ContentFields fields = ContentFields.Read(header, MimeLimits.Default);
        string type = TypeOf(fields.Type);
        bool isProtected = _open.Exists(open => open.IsSigned);
        string? boundary = type.StartsWith("multipart/", StringComparison.Ordinal) && _open.Count < MaxDepth && header.Length <= MaxHeader ? MimeParameters.Get(fields.Type, "boundary"u8, MimeLimits.Default) : null;
        bool isMessage = type is "message/rfc822" or "message/global" && fields.TransferEncoding is TransferEncoding.SevenBit or TransferEncoding.EightBit or TransferEncoding.Binary;
        _isLeaf = string.IsNullOrEmpty(boundary) && !isMessage;
        PartHead head = new(_isLeaf, fields.Type.IsEmpty || type.StartsWith("text/", StringComparison.Ordinal), _isTop, HasVersion(header), !fields.Type.IsEmpty, fields.TransferEncoding, isProtected);
        sink.Header(header, head);
        if (!string.IsNullOrEmpty(boundary)) _open.Add((Encoding.UTF8.GetBytes(boundary), type == "multipart/signed"));
        _header.ResetWrittenCount();
        (_inHeader, _isTop) = (isMessage, false);
    }

    private static bool HasVersion(ReadOnlySpan<byte> header)
    {
        HeaderReader reader = new(header);
        while (reader.MoveNext())
            if (reader.Current.Is("MIME-Version"u8)) return true;
        return false;
    }

    private static string TypeOf(ReadOnlySpan<byte> raw)
    {
        int start = Tokens.SkipBlankAndComments(raw, 0), end = Tokens.End(raw, start);
        if (end >= raw.Length || raw[end] != '/') return "";
        return Encoding.ASCII.GetString(raw[start..Tokens.End(raw, end + 1)]).ToLowerInvariant();
    }
}
