using System.Buffers;
using System.Buffers.Binary;
using System.Text;
using Posthorn.Net;
using Posthorn.Transport.Remote;

namespace Posthorn.Transport.Milter;

/// <summary>A filter cannot be asked, or what it says makes no sense.</summary>
internal sealed class MilterException(string message) : IOException(message);

/// <summary>A connection to a filter: packets out and in, each wait bounded. One user at a time.</summary>
internal sealed class MilterConnection : IAsyncDisposable
{
    /// <summary>What is gathered before it goes out by itself.</summary>
    private const int LargeOutput = 64 * 1024;

    private const int FirstBuffer = 4 * 1024;

    private readonly ByteChannel _channel;
    private readonly CancellationTokenSource _deadline;
    private readonly ArrayBufferWriter<byte> _output = new(1024);
    private byte[] _input = ArrayPool<byte>.Shared.Rent(FirstBuffer);
    private int _start;
    private int _end;

    private MilterConnection(ByteChannel channel, CancellationTokenSource deadline) => (_channel, _deadline) = (channel, deadline);

    /// <summary>What was agreed.</summary>
    public MilterTerms Terms { get; private set; } = new(MilterProtocol.OldestVersion, 0, 0, []);

    /// <summary>It has served a client before.</summary>
    public bool IsUsed { get; set; }

    /// <summary>Connects and agrees on terms.</summary>
    /// <exception cref="MilterException">It is not there, or does not agree.</exception>
    public static async ValueTask<MilterConnection> OpenAsync(MilterOptions options, ISmtpConnector connector, TimeProvider time, CancellationToken cancel)
    {
        CancellationTokenSource deadline = new(options.ConnectTimeout, time);
        ByteChannel? channel = null;
        try
        {
            using (cancel.UnsafeRegister(static source => ((CancellationTokenSource)source!).Cancel(), deadline))
            {
                channel = await connector.ConnectAsync(options.EndPoint, null, deadline.Token);
                MilterConnection connection = new(channel, deadline);
                await connection.NegotiateAsync(options);
                return connection;
            }
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
            if (channel is not null) await channel.DisposeAsync();
            deadline.Dispose();
            cancel.ThrowIfCancellationRequested();
            throw e as MilterException ?? new MilterException(e is OperationCanceledException ? $"no answer within {options.ConnectTimeout.TotalSeconds:0.###} s while connecting" : $"cannot be reached: {e.Message}");
        }
    }

    /// <summary>Puts a packet behind what is to go out.</summary>
    public void Write(byte command, ReadOnlySpan<byte> data)
    {
        Span<byte> head = _output.GetSpan(5);
        BinaryPrimitives.WriteInt32BigEndian(head, data.Length + 1);
        head[4] = command;
        _output.Advance(5);
        _output.Write(data);
    }

    /// <summary>Sends what was gathered when it is much; nothing waits for an answer.</summary>
    public ValueTask RelieveAsync(TimeSpan timeout, CancellationToken cancel) => _output.WrittenCount < LargeOutput ? ValueTask.CompletedTask : FlushAsync(timeout, cancel);

    /// <summary>Sends what was gathered.</summary>
    public ValueTask FlushAsync(TimeSpan timeout, CancellationToken cancel) => WithinAsync(timeout, static (self, token) => self.SendAsync(token), cancel);

    /// <summary>Sends what was gathered and reads the next packet; its data are valid until the next call.</summary>
    /// <exception cref="MilterException">It hangs, is gone, or sends what is no packet.</exception>
    public async ValueTask<(byte Command, ReadOnlyMemory<byte> Data)> ExchangeAsync(TimeSpan timeout, CancellationToken cancel)
    {
        (byte Command, ReadOnlyMemory<byte> Data) packet = default;
        await WithinAsync(timeout, async (self, token) =>
        {
            await self.SendAsync(token);
            packet = await self.ReadAsync(token);
        }, cancel);
        return packet;
    }

    /// <summary>While nobody uses it: false when the filter closes it or says something; true when <paramref name="taken"/> ends the wait.</summary>
    public async Task<bool> WaitForNewsAsync(CancellationToken taken)
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        if (_start != _end) return false;
        if (_input.Length > LargeOutput)
        {
            ArrayPool<byte>.Shared.Return(_input);
            _input = ArrayPool<byte>.Shared.Rent(FirstBuffer);
        }
        try { await _channel.WaitToReceiveAsync(taken); }
        catch (OperationCanceledException) { return true; }
        return false;
    }

    public async ValueTask DisposeAsync()
    {
        await _channel.DisposeAsync();
        _deadline.Dispose();
        byte[] input = _input;
        _input = [];
        if (input.Length > 0) ArrayPool<byte>.Shared.Return(input);
    }

    private async ValueTask NegotiateAsync(MilterOptions options)
    {
        (MilterActions actions, MilterSteps steps) = MilterProtocol.Offer(options.Version);
        byte[] offer = new byte[12];
        BinaryPrimitives.WriteInt32BigEndian(offer, options.Version);
        BinaryPrimitives.WriteInt32BigEndian(offer.AsSpan(4), (int)actions);
        BinaryPrimitives.WriteInt32BigEndian(offer.AsSpan(8), (int)steps);
        Write(MilterCommand.Negotiate, offer);
        await SendAsync(_deadline.Token);
        (byte command, ReadOnlyMemory<byte> data) = await ReadAsync(_deadline.Token);
        if (command != MilterCommand.Negotiate) throw new MilterException($"answered '{Shown(command)}' where terms were to be agreed");
        Terms = MilterAnswer.ReadTerms(data.Span, options.Version) ?? throw new MilterException("asks for terms that were not offered");
    }

    private async ValueTask WithinAsync(TimeSpan timeout, Func<MilterConnection, CancellationToken, ValueTask> work, CancellationToken cancel)
    {
        _deadline.CancelAfter(timeout);
        try
        {
            using (cancel.UnsafeRegister(static source => ((CancellationTokenSource)source!).Cancel(), _deadline)) await work(this, _deadline.Token);
        }
        catch (OperationCanceledException)
        {
            cancel.ThrowIfCancellationRequested();
            throw new MilterException($"no answer within {timeout.TotalSeconds:0.###} s");
        }
        _deadline.CancelAfter(Timeout.InfiniteTimeSpan);
    }

    private async ValueTask SendAsync(CancellationToken cancel)
    {
        if (_output.WrittenCount == 0) return;
        try { await _channel.SendAsync(_output.WrittenMemory, cancel); }
        catch (IOException e) when (e is not MilterException) { throw new MilterException($"the connection is lost: {e.Message}"); }
        _output.ResetWrittenCount();
    }

    private async ValueTask<(byte Command, ReadOnlyMemory<byte> Data)> ReadAsync(CancellationToken cancel)
    {
        await NeedAsync(4, cancel);
        uint length = BinaryPrimitives.ReadUInt32BigEndian(_input.AsSpan(_start));
        if (length is 0 or > MilterProtocol.MaxPacket) throw new MilterException($"sends a packet of {length} octets, and {MilterProtocol.MaxPacket} are the most");
        await NeedAsync(4 + (int)length, cancel);
        (byte, ReadOnlyMemory<byte>) packet = (_input[_start + 4], _input.AsMemory(_start + 5, (int)length - 1));
        _start += 4 + (int)length;
        return packet;
    }

    // So many octets lie behind the start.
    private async ValueTask NeedAsync(int count, CancellationToken cancel)
    {
        if (_start == _end) _start = _end = 0;
        if (_end - _start >= count) return;
        if (_start + count > _input.Length) Grow(count);
        while (_end - _start < count)
        {
            int read = await _channel.ReceiveAsync(_input.AsMemory(_end), cancel);
            if (read == 0)
            {
                cancel.ThrowIfCancellationRequested();
                throw new MilterException("closed the connection");
            }
            _end += read;
        }
    }

    private void Grow(int count)
    {
        byte[] larger = count <= _input.Length ? _input : ArrayPool<byte>.Shared.Rent(count);
        _input.AsSpan(_start, _end - _start).CopyTo(larger);
        if (larger != _input) ArrayPool<byte>.Shared.Return(_input);
        (_input, _start, _end) = (larger, 0, _end - _start);
    }

    internal static string Shown(byte command) => command is > 32 and < 127 ? ((char)command).ToString() : $"\\x{command:x2}";

    /// <summary>Texts, each with a zero behind it; a zero within one would begin another, and is left out.</summary>
    public static void WriteTexts(ArrayBufferWriter<byte> into, params ReadOnlySpan<string> texts)
    {
        foreach (string text in texts)
        {
            into.Write(Encoding.UTF8.GetBytes(text.Replace("\0", "", StringComparison.Ordinal)));
            into.Write("\0"u8);
        }
    }
}
