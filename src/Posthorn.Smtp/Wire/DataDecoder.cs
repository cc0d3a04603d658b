namespace Posthorn.Smtp.Wire;

/// <summary>What one look at the input gave.</summary>
/// <param name="Take">Octets at its start that belong to the message as they are.</param>
/// <param name="Then">What to put after them: nothing, or a line end or space that mends a stray one.</param>
/// <param name="Used">Octets to mark as used.</param>
/// <param name="State">What to do next.</param>
internal readonly record struct DataStep(int Take, ReadOnlyMemory<byte> Then, int Used, DataState State);

internal enum DataState
{
    /// <summary>Look again.</summary>
    More,
    /// <summary>More input is needed; up to two octets may be left over.</summary>
    Starved,
    /// <summary>The message has ended.</summary>
    Ended,
}

/// <summary>Finds the end of DATA, undoes transparency and watches the lines, over input in any pieces (RFC 5321 section 4.5.2).</summary>
/// <remarks>
/// Only CRLF "." CRLF ends a message. A CR or LF alone is never a line end here, whatever stands around it: servers that disagree about
/// that can be made to see two messages where another sees one. Strict, such a message is only marked; mending, an LF alone becomes CRLF,
/// a CR alone a space, and a CR before CRLF nothing.
/// </remarks>
internal sealed class DataDecoder(bool dotted, bool mends, int maxLine)
{
    private static readonly ReadOnlyMemory<byte> LineEnd = "\r\n"u8.ToArray();
    private static readonly ReadOnlyMemory<byte> Space = " "u8.ToArray();

    // The CRLF of the command line counts: a message may begin with the dot that ends it.
    private bool _lineStart = true;
    private bool _heldCr;
    private int _line;

    /// <summary>A CR or LF stood alone.</summary>
    public bool HasBareLineEnds { get; private set; }

    /// <summary>A line was longer than allowed.</summary>
    public bool HasLongLine { get; private set; }

    /// <summary>Looks at the unused input.</summary>
    /// <param name="input">From where the last step ended.</param>
    /// <param name="boundary">A chunk ends with this input, so that its last octet cannot be left over (BDAT only).</param>
    public DataStep Next(ReadOnlySpan<byte> input, bool boundary = false)
    {
        if (_heldCr && input.Length > 0) return ReleaseCr(input);
        int at = 0;
        while (at < input.Length)
        {
            if (_lineStart && dotted && input[at] == '.') return Dot(input, at);
            _lineStart = false;
            int run = input[at..].IndexOfAny((byte)'\r', (byte)'\n');
            if (run < 0)
            {
                Count(input.Length - at);
                return new(input.Length, default, input.Length, DataState.Starved);
            }
            Count(run);
            at += run;
            if (input[at] == '\n')
            {
                HasBareLineEnds = true;
                _line = 0;
                if (mends) return new(at, LineEnd, at + 1, DataState.More);
                at++;
                continue;
            }
            if (at + 1 == input.Length) return HoldCr(at, boundary);
            if (input[at + 1] != '\n')
            {
                if (mends) return MendCr(input[at + 1], at);
                HasBareLineEnds = true;
                Count(1);
                at++;
                continue;
            }
            EndLine();
            at += 2;
        }
        return new(at, default, at, DataState.Starved);
    }

    /// <summary>The message ends here: a CR that waited for its LF stood alone.</summary>
    public ReadOnlyMemory<byte> Finish()
    {
        if (!_heldCr) return default;
        _heldCr = false;
        HasBareLineEnds = true;
        return mends ? Space : "\r"u8.ToArray();
    }

    // At the start of a line: the end of the message, or a dot that the sender put there.
    private DataStep Dot(ReadOnlySpan<byte> input, int at)
    {
        ReadOnlySpan<byte> rest = input[at..];
        if (rest.Length == 1 || (rest.Length == 2 && rest[1] == '\r')) return new(at, default, at, DataState.Starved);
        if (rest[1] == '\r' && rest[2] == '\n') return new(at, default, at + 3, DataState.Ended);
        _lineStart = false;
        return new(at, default, at + 1, DataState.More);
    }

    private DataStep HoldCr(int at, bool boundary)
    {
        _heldCr = boundary;
        return new(at, default, boundary ? at + 1 : at, DataState.Starved);
    }

    private DataStep ReleaseCr(ReadOnlySpan<byte> input)
    {
        _heldCr = false;
        if (input[0] == '\n')
        {
            EndLine();
            return new(0, LineEnd, 1, DataState.More);
        }
        if (mends) return MendCr(input[0], 0) with { Used = 0 };
        HasBareLineEnds = true;
        return new(0, "\r"u8.ToArray(), 0, DataState.More);
    }

    private DataStep MendCr(byte next, int at)
    {
        HasBareLineEnds = true;
        if (next == '\r') return new(at, default, at + 1, DataState.More); // "\r\r\n" of broken text-mode writers
        Count(1);
        return new(at, Space, at + 1, DataState.More);
    }

    private void EndLine()
    {
        _line = 0;
        _lineStart = true;
    }

    private void Count(int octets)
    {
        _line += octets;
        if (_line > maxLine)
        {
            HasLongLine = true;
            _line = maxLine + 1; // never overflows
        }
    }
}
