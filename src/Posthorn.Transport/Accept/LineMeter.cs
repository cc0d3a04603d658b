namespace Posthorn.Transport.Accept;

/// <summary>Watches a message's body for lines that only binary transport bears (RFC 5321 section 4.5.3.1.6).</summary>
internal struct LineMeter
{
    /// <summary>Octets of a line, without its end.</summary>
    public const int MaxLine = 998;

    private int _length;

    /// <summary>There was a line that is longer.</summary>
    public bool HasLong { get; private set; }

    /// <summary>Looks at the next piece.</summary>
    public void Look(ReadOnlySpan<byte> bytes)
    {
        while (!HasLong && bytes.Length > 0)
        {
            int end = bytes.IndexOf((byte)'\n');
            _length += end < 0 ? bytes.Length : end;
            // The CR of its end may be counted in.
            HasLong = _length > MaxLine + 1;
            if (end < 0) return;
            _length = 0;
            bytes = bytes[(end + 1)..];
        }
    }
}
