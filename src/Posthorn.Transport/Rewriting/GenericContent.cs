using System.Buffers;
using Posthorn.Store;

namespace Posthorn.Transport.Rewriting;

/// <summary>A message with another header before the same body: what leaves under the addresses of generic(5).</summary>
internal sealed class GenericContent : IMessageContent
{
    private readonly IMessageContent _original;
    private readonly ReadOnlyMemory<byte> _head;
    private readonly long _rest;

    private GenericContent(IMessageContent original, ReadOnlyMemory<byte> head, long rest) => (_original, _head, _rest) = (original, head, rest);

    public long Length => _head.Length + _original.Length - _rest;

    /// <summary>Rewrites as much of the header as the limit allows; what lies behind goes as it is.</summary>
    public static async ValueTask<GenericContent> MakeAsync(IMessageContent original, AddressRewriter rewriter, int maxHeader, CancellationToken cancel)
    {
        ArrayBufferWriter<byte> head = new(8192);
        HeaderRewriter header = new((address, _, stop) => rewriter.GenericAsync(address, stop), bytes =>
        {
            head.Write(bytes.Span);
            return ValueTask.CompletedTask;
        });
        byte[] buffer = new byte[16 * 1024];
        long at = 0;
        bool ended = false;
        while (!ended && at < maxHeader && original.Read(at, buffer) is > 0 and int read)
        {
            at += read;
            await header.WriteAsync(buffer.AsMemory(0, read), cancel);
            ended = header.IsInBody;
        }
        await header.CompleteAsync(cancel);
        return new(original, head.WrittenMemory, at);
    }

    public int Read(long offset, Span<byte> into)
    {
        if (offset >= _head.Length) return _original.Read(offset - _head.Length + _rest, into);
        ReadOnlySpan<byte> part = _head.Span[(int)offset..];
        if (part.Length > into.Length) part = part[..into.Length];
        part.CopyTo(into);
        return part.Length;
    }

    // The original is its owner's.
    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
