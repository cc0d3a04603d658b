using System.Buffers;
using Posthorn.Store;

namespace Posthorn.Imap.Wire;

/// <summary>Passes a message's bytes on, a bare LF becoming CRLF: what is stored has one kind of line end, as RFC 5322 demands.</summary>
/// <param name="inner">Where the bytes go; the caller disposes it.</param>
internal sealed class CrlfSink(IMessageSink inner) : IMessageSink
{
    private bool _afterCr;

    /// <summary>False passes all bytes as they are (literal8).</summary>
    public bool Converts { get; set; } = true;

    /// <summary>A bare LF was passed as it is.</summary>
    public bool PassedBareFeed { get; private set; }

    /// <summary>Why the store did not take the bytes; those that came after were dropped, so that the command can be read to its end.</summary>
    public IOException? Failure { get; private set; }

    public IMessageSink Inner => inner;

    public long Length => inner.Length;

    public async ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancel)
    {
        if (Failure is not null) return;
        bool hasBareFeed = HasBareFeed(bytes.Span);
        if (!Converts || !hasBareFeed)
        {
            PassedBareFeed |= hasBareFeed;
            if (!bytes.IsEmpty) _afterCr = bytes.Span[^1] == '\r';
            await PassAsync(bytes, cancel);
            return;
        }
        byte[] mended = ArrayPool<byte>.Shared.Rent(bytes.Length * 2);
        int length = Mend(bytes.Span, mended);
        await PassAsync(mended.AsMemory(0, length), cancel);
        ArrayPool<byte>.Shared.Return(mended);
    }

    public int Read(long offset, Span<byte> into) => inner.Read(offset, into);

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private async ValueTask PassAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancel)
    {
        try { await inner.WriteAsync(bytes, cancel); }
        catch (IOException e) { Failure = e; }
    }

    private bool HasBareFeed(ReadOnlySpan<byte> bytes)
    {
        bool afterCr = _afterCr;
        for (int at = 0; at < bytes.Length;)
        {
            int feed = bytes[at..].IndexOf((byte)'\n');
            if (feed < 0) return false;
            if (feed + at == 0 ? !afterCr : bytes[at + feed - 1] != '\r') return true;
            at += feed + 1;
        }
        return false;
    }

    private int Mend(ReadOnlySpan<byte> bytes, Span<byte> into)
    {
        int length = 0;
        foreach (byte b in bytes)
        {
            if (b == '\n' && !_afterCr) into[length++] = (byte)'\r';
            into[length++] = b;
            _afterCr = b == '\r';
        }
        return length;
    }
}
