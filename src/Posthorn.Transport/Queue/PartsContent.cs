using Posthorn.Store;

namespace Posthorn.Transport.Queue;

/// <summary>A message that is made of parts of a record's content, one behind the other.</summary>
internal sealed class PartsContent(IMessageContent content, IReadOnlyList<ContentRange> ranges) : IMessageContent
{
    public long Length { get; } = ranges.Sum(range => range.Length);

    public int Read(long offset, Span<byte> into)
    {
        foreach (ContentRange range in ranges)
        {
            if (offset < range.Length) return content.Read(range.Offset + offset, into[..(int)Math.Min(into.Length, range.Length - offset)]);
            offset -= range.Length;
        }
        return 0;
    }

    public ValueTask DisposeAsync() => content.DisposeAsync();
}
