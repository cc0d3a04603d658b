using System.Buffers;
using System.Buffers.Text;
using Posthorn.Net;
using Posthorn.Store;

namespace Posthorn.Imap.Wire;

/// <summary>How a frame came in.</summary>
internal enum FrameStatus
{
    /// <summary>A whole command; small literals stand in its text.</summary>
    Command,

    /// <summary>A command up to a message literal, which has not been asked for or read.</summary>
    Message,

    /// <summary>A line or command over the limit; it was skipped. The text is its start, for the tag.</summary>
    TooLong,

    /// <summary>A literal over the limit. One that waits for our word was not asked for; the command is void.</summary>
    LiteralTooBig,

    /// <summary>As <see cref="LiteralTooBig"/>, but its octets are on their way and too many to skip: the connection must close.</summary>
    Unskippable,

    /// <summary>The input ended; see <see cref="Connection.Stopped"/>.</summary>
    Ended,
}

/// <summary>A literal's announcement.</summary>
/// <param name="Length">Octets to come.</param>
/// <param name="WaitsForUs">The client sends it only after a continuation request (synchronising).</param>
/// <param name="IsBinary">literal8: NUL is allowed (RFC 3516).</param>
internal readonly record struct LiteralHead(long Length, bool WaitsForUs, bool IsBinary);

/// <summary>One frame. Its text is valid until the next read.</summary>
internal readonly record struct Frame(FrameStatus Status, ReadOnlyMemory<byte> Text, LiteralHead Literal);

/// <summary>Cuts the input into whole commands (RFC 9051 section 2.2.1). Small literals are joined into the text, messages stay in the stream.</summary>
/// <param name="connection">Where the bytes come from.</param>
/// <param name="limits">The bounds.</param>
/// <param name="isMessageNext">Says of a command's text so far whether the literal at its end is a message to be streamed.</param>
/// <param name="fillAsync">Waits for more input, having sent what was written; false at the end.</param>
internal sealed class FrameReader(Connection connection, ImapOptions limits, Func<ReadOnlySpan<byte>, bool> isMessageNext, Func<CancellationToken, ValueTask<bool>> fillAsync) : IDisposable
{
    /// <summary>What is kept of a line that is too long: enough for its tag.</summary>
    private const int HeadLength = 64;

    private byte[] _joined = [];
    private int _length;

    /// <summary>The most octets of a command; less before login.</summary>
    public int MaxCommand { get; set; } = limits.MaxCommandBeforeLogin;

    private InputBuffer Input => connection.Input;

    /// <summary>Reads the next command, or its start up to a message literal.</summary>
    public ValueTask<Frame> ReadAsync(CancellationToken cancel)
    {
        Release();
        return ReadOnAsync(isRest: false, cancel);
    }

    /// <summary>Reads what follows a message literal: the rest of its command, up to the next literal if there is one.</summary>
    public ValueTask<Frame> ReadRestAsync(CancellationToken cancel)
    {
        _length = 0;
        return ReadOnAsync(isRest: true, cancel);
    }

    /// <summary>Reads one line that is no command: DONE, or a step of AUTHENTICATE.</summary>
    public async ValueTask<Frame> ReadLineAsync(CancellationToken cancel)
    {
        Release();
        int scanned = 0;
        int limit = Math.Min(MaxCommand, limits.MaxLine);
        while (true)
        {
            int at = Input.Span[scanned..].IndexOf((byte)'\n');
            if (at >= 0) return TakeLine(scanned + at, limit);
            scanned = Input.Length;
            if (scanned > limit + 1) return await SkipLineAsync(cancel);
            if (!await FillAsync(cancel)) return new(FrameStatus.Ended, default, default);
        }
    }

    /// <summary>Asks for a literal if the client waits for that.</summary>
    public void Accept(LiteralHead literal)
    {
        if (literal.WaitsForUs) connection.Output.Write("+ OK\r\n"u8);
    }

    /// <summary>Moves a literal's octets into a sink, or nowhere.</summary>
    /// <returns>False when the input ended first.</returns>
    public async ValueTask<bool> CopyLiteralAsync(LiteralHead literal, IMessageSink? sink, CancellationToken cancel)
    {
        Input.IsBusy = true;
        for (long left = literal.Length; left > 0;)
        {
            if (Input.Length == 0 && !await FillAsync(cancel)) return false;
            ReadOnlyMemory<byte> part = Input.Memory[..(int)Math.Min(left, Input.Length)];
            if (sink is not null) await sink.WriteAsync(part, cancel);
            left -= part.Length;
            Input.Advance(part.Length);
        }
        Input.IsBusy = false;
        return true;
    }

    /// <summary>Gets rid of a refused literal: one that waits for us never comes, another is read and thrown away.</summary>
    /// <param name="literal">What was announced.</param>
    /// <param name="most">The longest literal that is read for that.</param>
    /// <param name="cancel">Gives up.</param>
    /// <returns>False when it is too much to read or the input ended: the connection must close.</returns>
    public async ValueTask<bool> DiscardAsync(LiteralHead literal, long most, CancellationToken cancel)
    {
        if (literal.WaitsForUs) return true;
        if (literal.Length > most) return false;
        return await CopyLiteralAsync(literal, null, cancel) && await SkipRestAsync(most, cancel);
    }

    public void Dispose() => Release();

    private async ValueTask<Frame> ReadOnAsync(bool isRest, CancellationToken cancel)
    {
        int scanned = 0;
        while (true)
        {
            int at = Input.Span[scanned..].IndexOf((byte)'\n');
            if (at < 0)
            {
                scanned = Input.Length;
                if (scanned > Math.Min(MaxCommand, limits.MaxLine) + 1) return await SkipLineAsync(cancel);
                if (!await FillAsync(cancel)) return new(FrameStatus.Ended, default, default);
                continue;
            }
            Frame line = TakeLine(scanned + at, Math.Min(MaxCommand, limits.MaxLine));
            if (line.Status != FrameStatus.Command) return await SkipItsLiteralAsync(line, cancel);
            if (!TryLiteral(line.Text.Span, out LiteralHead literal)) return Finish(line.Text);
            if (_length + line.Text.Length > MaxCommand) return await TooBigAsync(literal, line.Text, cancel);
            ReadOnlyMemory<byte> text = Append(line.Text.Span);
            if (isRest || isMessageNext(text.Span)) return new(FrameStatus.Message, text, literal);
            if (literal.Length > MaxCommand - _length - 2) return await TooBigAsync(literal, text, cancel);
            Append("\r\n"u8);
            Accept(literal);
            if (!await JoinAsync((int)literal.Length, cancel)) return new(FrameStatus.Ended, default, default);
            scanned = 0;
        }
    }

    // The usual command is one line and is handed out where it lies.
    private Frame Finish(ReadOnlyMemory<byte> line)
    {
        if (_length == 0) return new(FrameStatus.Command, line, default);
        if (_length + line.Length > MaxCommand) return new(FrameStatus.TooLong, _joined.AsMemory(0, Math.Min(_length, HeadLength)), default);
        return new(FrameStatus.Command, Append(line.Span), default);
    }

    private async ValueTask<Frame> TooBigAsync(LiteralHead literal, ReadOnlyMemory<byte> text, CancellationToken cancel)
    {
        byte[] head = (_length > 0 ? _joined.AsSpan(0, Math.Min(_length, HeadLength)) : text.Span[..Math.Min(text.Length, HeadLength)]).ToArray();
        return await DiscardAsync(literal, limits.MaxSkippedLiteral, cancel) ? new(FrameStatus.LiteralTooBig, head, literal) : new(FrameStatus.Unskippable, head, literal);
    }

    private Frame TakeLine(int newline, int limit)
    {
        int length = newline > 0 && Input.Span[newline - 1] == (byte)'\r' ? newline - 1 : newline;
        ReadOnlyMemory<byte> line = Input.Memory[..length];
        Input.Advance(newline + 1);
        if (length <= limit) return new(FrameStatus.Command, line, default);
        bool literalFollows = TryLiteral(line.Span, out LiteralHead literal) && !literal.WaitsForUs;
        return new(FrameStatus.TooLong, line[..HeadLength], literalFollows ? literal : new(0, true, false));
    }

    // An over-long line may end in a literal that is on its way already.
    private async ValueTask<Frame> SkipItsLiteralAsync(Frame line, CancellationToken cancel)
    {
        if (line.Literal.WaitsForUs) return line;
        byte[] head = line.Text.ToArray();
        return await DiscardAsync(line.Literal, limits.MaxSkippedLiteral, cancel) ? line with { Text = head } : new(FrameStatus.Unskippable, head, line.Literal);
    }

    private async ValueTask<Frame> SkipLineAsync(CancellationToken cancel)
    {
        byte[] head = _length > 0 ? _joined[..Math.Min(_length, HeadLength)] : Input.Span[..HeadLength].ToArray();
        return await SkipRestAsync(limits.MaxSkippedLiteral, cancel) ? new(FrameStatus.TooLong, head, default) : new(FrameStatus.Ended, default, default);
    }

    // Skips to the end of the command: literals without synchronisation on the way belong to it.
    private async ValueTask<bool> SkipRestAsync(long most, CancellationToken cancel)
    {
        byte[] tail = new byte[HeadLength];
        while (true)
        {
            int kept = 0;
            int at;
            while ((at = Input.Span.IndexOf((byte)'\n')) < 0)
            {
                kept = KeepTail(tail, kept, Input.Span);
                Input.Clear();
                if (!await FillAsync(cancel)) return false;
            }
            kept = KeepTail(tail, kept, Input.Span[..at]);
            Input.Advance(at + 1);
            ReadOnlySpan<byte> end = tail.AsSpan(0, kept);
            if (end is [.., (byte)'\r']) end = end[..^1];
            if (!TryLiteral(end, out LiteralHead literal) || literal.WaitsForUs) return true;
            if (literal.Length > most || !await CopyLiteralAsync(literal, null, cancel)) return false;
        }
    }

    private static int KeepTail(byte[] tail, int kept, ReadOnlySpan<byte> more)
    {
        if (more.Length >= tail.Length)
        {
            more[^tail.Length..].CopyTo(tail);
            return tail.Length;
        }
        int old = Math.Min(kept, tail.Length - more.Length);
        tail.AsSpan(kept - old, old).CopyTo(tail);
        more.CopyTo(tail.AsSpan(old));
        return old + more.Length;
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

    private ValueTask<bool> FillAsync(CancellationToken cancel) => fillAsync(cancel);

    private ReadOnlyMemory<byte> Append(ReadOnlySpan<byte> bytes)
    {
        if (_joined.Length - _length < bytes.Length)
        {
            byte[] larger = ArrayPool<byte>.Shared.Rent(Math.Max(_length + bytes.Length, 1024));
            _joined.AsSpan(0, _length).CopyTo(larger);
            if (_joined.Length > 0) ArrayPool<byte>.Shared.Return(_joined);
            _joined = larger;
        }
        bytes.CopyTo(_joined.AsSpan(_length));
        _length += bytes.Length;
        return _joined.AsMemory(0, _length);
    }

    private void Release()
    {
        if (_joined.Length > 0) ArrayPool<byte>.Shared.Return(_joined);
        _joined = [];
        _length = 0;
    }

    /// <summary>Whether a line ends in the head of a literal: <c>{5}</c>, <c>{5+}</c>, <c>~{5}</c>. No quoted string can end so, and no atom.</summary>
    internal static bool TryLiteral(ReadOnlySpan<byte> line, out LiteralHead literal)
    {
        literal = default;
        if (line.Length < 3 || line[^1] != '}') return false;
        int open = line[Math.Max(0, line.Length - 24)..].LastIndexOf((byte)'{');
        if (open < 0) return false;
        open += Math.Max(0, line.Length - 24);
        ReadOnlySpan<byte> inner = line[(open + 1)..^1];
        bool plus = inner is [.., (byte)'+'];
        if (plus) inner = inner[..^1];
        if (inner.IsEmpty || !char.IsAsciiDigit((char)inner[0])) return false;
        // A number that no integer holds is a very large literal, not a line without one.
        if (!Utf8Parser.TryParse(inner, out long length, out int used) || used != inner.Length)
        {
            foreach (byte b in inner)
                if (!char.IsAsciiDigit((char)b)) return false;
            length = long.MaxValue;
        }
        literal = new(length, !plus, open > 0 && line[open - 1] == '~');
        return true;
    }
}
