namespace Posthorn.Mime.Recoding;

/// <summary>What was found in the body of one part.</summary>
internal sealed class PartSurvey
{
    /// <summary>A line longer than this must not be sent but as binary (RFC 5321 section 4.5.3.1.6).</summary>
    private const int MaxLine = 998;

    private int _line;
    private bool _sawCr;

    public long Octets { get; private set; }
    public long EightBit { get; private set; }

    /// <summary>NUL, CR or LF alone, or a line that is too long: only binary transport bears it.</summary>
    public bool IsBinary { get; private set; }

    /// <summary>It lies in something that is signed as a whole, where no octet may change (RFC 1847 section 2.1).</summary>
    public bool IsProtected { get; init; }

    /// <summary>Its Content-Transfer-Encoding is binary.</summary>
    public bool IsDeclaredBinary { get; init; }

    public bool HasNul { get; private set; }

    /// <summary>An LF without a CR before it.</summary>
    public bool HasBareFeed { get; private set; }

    public void Look(ReadOnlySpan<byte> bytes)
    {
        Octets += bytes.Length;
        foreach (byte b in bytes)
        {
            if (b >= 128) EightBit++;
            if (b == '\n')
            {
                if (!_sawCr) IsBinary = HasBareFeed = true;
                _line = 0;
            }
            else
            {
                if (b == 0) HasNul = true;
                if (b == 0 || _sawCr) IsBinary = true;
                if (b != '\r' && ++_line > MaxLine) IsBinary = true;
            }
            _sawCr = b == '\r';
        }
    }

    public void End()
    {
        if (_sawCr) IsBinary = true;
    }
}
