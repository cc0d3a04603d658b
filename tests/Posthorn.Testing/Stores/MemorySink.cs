using Posthorn.Store;

namespace Posthorn.Testing.Stores;

/// <summary>A message on its way in, in memory.</summary>
internal sealed class MemorySink : IMessageSink
{
    private readonly MemoryStream _bytes = new();

    public long Length => _bytes.Length;

    public ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        _bytes.Write(bytes.Span);
        return ValueTask.CompletedTask;
    }

    public int Read(long offset, Span<byte> into)
    {
        if (offset >= _bytes.Length) return 0;
        int count = (int)Math.Min(into.Length, _bytes.Length - offset);
        _bytes.GetBuffer().AsSpan((int)offset, count).CopyTo(into);
        return count;
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    internal static byte[] BytesOf(IMessageSink sink)
    {
        byte[] bytes = new byte[sink.Length];
        int at = 0;
        while (at < bytes.Length && sink.Read(at, bytes.AsSpan(at)) is > 0 and int read) at += read;
        return bytes;
    }
}
