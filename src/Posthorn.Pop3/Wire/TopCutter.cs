namespace Posthorn.Pop3.Wire;

/// <summary>Finds where the top of a message ends: header, empty line, and so many lines of the body (RFC 1939 section 7). Pieces may be cut anywhere.</summary>
internal sealed class TopCutter(int lines)
{
    private bool _inBody;
    private int _left = lines;
    private bool _lineHasText;

    public bool IsDone { get; private set; }

    /// <summary>How many octets of the next piece belong to the top.</summary>
    public int Take(ReadOnlySpan<byte> piece)
    {
        for (int at = 0; at < piece.Length;)
        {
            int end = piece[at..].IndexOf((byte)'\n');
            ReadOnlySpan<byte> line = end < 0 ? piece[at..] : piece.Slice(at, end);
            if (line.ContainsAnyExcept((byte)'\r')) _lineHasText = true;
            if (end < 0) break;
            at += end + 1;
            bool empty = !_lineHasText;
            _lineHasText = false;
            if (_inBody) _left--;
            else if (empty) _inBody = true;
            if (!_inBody || _left > 0) continue;
            IsDone = true;
            return at;
        }
        return piece.Length;
    }
}
