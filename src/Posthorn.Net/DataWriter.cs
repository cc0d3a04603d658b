namespace Posthorn.Net;

/// <summary>Writes a message as SMTP's DATA (RFC 5321 section 4.5.2) and POP3's answers (RFC 1939 section 3) want it: a dot doubled at the start of a line, every line ended by CRLF, and no CR or LF elsewhere.</summary>
/// <remarks>Stray line ends never leave here, whatever was stored: they are how mail is smuggled past servers that read them differently.</remarks>
public sealed class DataWriter(OutputBuffer output)
{
    private bool _atLineStart = true;
    private bool _pendingCr;

    public void Write(ReadOnlySpan<byte> bytes)
    {
        while (bytes.Length > 0)
        {
            if (_pendingCr)
            {
                _pendingCr = false;
                if (bytes[0] == '\n')
                {
                    EndLine();
                    bytes = bytes[1..];
                    continue;
                }
                Text(" "u8);
            }
            int end = bytes.IndexOfAny((byte)'\r', (byte)'\n');
            if (end < 0)
            {
                Text(bytes);
                return;
            }
            if (end > 0) Text(bytes[..end]);
            if (bytes[end] == '\n') EndLine();
            else _pendingCr = true;
            bytes = bytes[(end + 1)..];
        }
    }

    /// <summary>Ends the last line and the data.</summary>
    public void Finish()
    {
        if (_pendingCr || !_atLineStart) EndLine();
        _pendingCr = false;
        output.Write(".\r\n"u8);
    }

    private void Text(ReadOnlySpan<byte> text)
    {
        if (_atLineStart && text[0] == '.') output.Write("."u8);
        output.Write(text);
        _atLineStart = false;
    }

    private void EndLine()
    {
        output.Write("\r\n"u8);
        _atLineStart = true;
    }
}
