using System.Buffers;
using System.Buffers.Text;
using Posthorn.Net;

namespace Posthorn.ManageSieve.Wire;

/// <summary>How a command came in.</summary>
internal enum FrameStatus
{
    /// <summary>A whole command, its literals in its text.</summary>
    Command,

    /// <summary>A line or command over the limit; it was skipped.</summary>
    TooLong,

    /// <summary>A literal over the limit; it was skipped with its command. The text is the command's start, for its verb.</summary>
    LiteralTooBig,

    /// <summary>As <see cref="LiteralTooBig"/>, but too large to skip: the connection must close.</summary>
    Unskippable,

    /// <summary>The input ended; see <see cref="Connection.Stopped"/>.</summary>
    Ended,
}

/// <summary>One command. Its text is valid until the next read.</summary>
internal readonly record struct Frame(FrameStatus Status, ReadOnlyMemory<byte> Text);

/// <summary>Cuts the input into whole commands (RFC 5804 section 4). Clients' literals never wait for the server, so a command is read to its end before anything is said.</summary>
/// <param name="connection">Where the bytes come from.</param>
/// <param name="limits">The bounds.</param>
/// <param name="beforeWaitAsync">Called before the input is waited for: sends what was written.</param>
internal sealed class CommandReader(Connection connection, ManageSieveOptions limits, Func<CancellationToken, ValueTask> beforeWaitAsync) : IDisposable
{
    /// <summary>What is kept of a command that is too long: enough for its verb.</summary>
    private const int HeadLength = 64;

    private byte[] _text = [];
    private int _length;

    /// <summary>The most octets of a command; less before login.</summary>
    public int MaxCommand { get; set; } = limits.MaxCommandBeforeLogin;

    private InputBuffer Input => connection.Input;

    /// <summary>Reads the next command.</summary>
    public async ValueTask<Frame> ReadAsync(CancellationToken cancel)
    {
        Release();
        while (true)
        {
            (LineStatus status, long literal) = await ReadLineAsync(cancel);
            switch (status)
            {
                case LineStatus.Ended: return new(FrameStatus.Ended, default);
                case LineStatus.TooLong: return new(FrameStatus.TooLong, Head);
            }
            if (literal < 0) return new(FrameStatus.Command, _text.AsMemory(0, _length));
            if (literal > MaxCommand - _length) return await SkipAsync(literal, cancel);
            Append("\r\n"u8);
            if (!await JoinAsync((int)literal, cancel)) return new(FrameStatus.Ended, default);
        }
    }

    public void Dispose() => Release();

    private ReadOnlyMemory<byte> Head => _text.AsMemory(0, Math.Min(_length, HeadLength)).ToArray();

    // One line into the text; the literal that it announces, or -1.
    private async ValueTask<(LineStatus Status, long Literal)> ReadLineAsync(CancellationToken cancel)
    {
        int most = Math.Min(limits.MaxLine, MaxCommand);
        InputLine line = default;
        bool read = false;
        int scanned = 0;
        while (!read)
        {
            int at = Input.Span[scanned..].IndexOf((byte)'\n');
            if (at >= 0)
            {
                // The whole line is there: this does not wait.
                line = await connection.ReadLineAsync(most, cancel);
                read = true;
                continue;
            }
            scanned = Input.Length;
            if (scanned > most + 1)
            {
                if (_length == 0) Append(Input.Span[..HeadLength]);
                line = await connection.ReadLineAsync(most, cancel);
                read = true;
                continue;
            }
            await beforeWaitAsync(cancel);
            if (!await Input.FillAsync(cancel)) return (LineStatus.Ended, -1);
        }
        if (line.Status != LineStatus.Complete) return (line.Status, -1);
        Append(line.Bytes.Span);
        if (_length > MaxCommand) return (LineStatus.TooLong, -1);
        return (LineStatus.Complete, LiteralAtEnd(line.Bytes.Span));
    }

    private async ValueTask<Frame> SkipAsync(long literal, CancellationToken cancel)
    {
        ReadOnlyMemory<byte> head = Head;
        while (true)
        {
            if (literal > limits.MaxSkippedLiteral) return new(FrameStatus.Unskippable, head);
            for (long left = literal; left > 0;)
            {
                if (Input.Length == 0 && !await FillAsync(cancel)) return new(FrameStatus.Ended, default);
                int part = (int)Math.Min(left, Input.Length);
                Input.Advance(part);
                left -= part;
            }
            // What follows the literal up to the line's end belongs to the command, and may announce another.
            InputLine rest = await connection.ReadLineAsync(limits.MaxLine, cancel);
            if (rest.Status == LineStatus.Ended) return new(FrameStatus.Ended, default);
            literal = rest.Status == LineStatus.Complete ? LiteralAtEnd(rest.Bytes.Span) : -1;
            if (literal < 0) return new(FrameStatus.LiteralTooBig, head);
        }
    }

    private async ValueTask<bool> JoinAsync(int length, CancellationToken cancel)
    {
        for (int left = length; left > 0;)
        {
            if (Input.Length == 0 && !await FillAsync(cancel)) return false;
            int part = Math.Min(left, Input.Length);
            Append(Input.Span[..part]);
            Input.Advance(part);
            left -= part;
        }
        return true;
    }

    private async ValueTask<bool> FillAsync(CancellationToken cancel)
    {
        await beforeWaitAsync(cancel);
        return await Input.FillAsync(cancel);
    }

    private void Append(ReadOnlySpan<byte> bytes)
    {
        if (_text.Length - _length < bytes.Length)
        {
            byte[] larger = ArrayPool<byte>.Shared.Rent(Math.Max(Math.Max(_length + bytes.Length, _text.Length * 2), 256));
            _text.AsSpan(0, _length).CopyTo(larger);
            if (_text.Length > 0) ArrayPool<byte>.Shared.Return(_text);
            _text = larger;
        }
        bytes.CopyTo(_text.AsSpan(_length));
        _length += bytes.Length;
    }

    private void Release()
    {
        if (_text.Length > 0) ArrayPool<byte>.Shared.Return(_text);
        _text = [];
        _length = 0;
    }

    /// <summary>The octets that a line's end announces as a literal, or -1: <c>{5+}</c>. A quoted string ends in its quote, so that none can look like it.</summary>
    /// <remarks>Some old clients leave out the plus and send on all the same; taking their text for commands would be worse than taking it for what it is.</remarks>
    internal static long LiteralAtEnd(ReadOnlySpan<byte> line)
    {
        if (line.Length < 3 || line[^1] != '}') return -1;
        int open = line.LastIndexOf((byte)'{');
        if (open < 0) return -1;
        ReadOnlySpan<byte> digits = line[(open + 1)..^1];
        if (digits is [.., (byte)'+']) digits = digits[..^1];
        if (digits.IsEmpty || digits.ContainsAnyExceptInRange((byte)'0', (byte)'9')) return -1;
        // A number that no integer holds is a very large literal.
        return Utf8Parser.TryParse(digits, out long length, out int used) && used == digits.Length ? length : long.MaxValue;
    }
}
