using Posthorn.Journal;

namespace Posthorn.Store.Engine;

/// <summary>A message on its way in: in pooled memory, or in a spool file of the journal when it is large.</summary>
internal sealed class JournalSink(JournalContent content) : IMessageSink
{
    internal JournalContent Content { get; } = content;

    public long Length => Content.Length;

    public ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancel) => Content.WriteAsync(bytes, cancel);

    public int Read(long offset, Span<byte> into) => Content.Read(offset, into);

    public ValueTask DisposeAsync() => Content.DisposeAsync();
}
