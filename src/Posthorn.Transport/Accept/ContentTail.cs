using System.Text;
using Posthorn.Store;
using Posthorn.Transport.Queue;

namespace Posthorn.Transport.Accept;

/// <summary>What planners made, behind the message in its record's content: a record has one content, and everything that is decided with a message lies in its record.</summary>
internal sealed class ContentTail(IMessageSink content, long size)
{
    /// <summary>Writes octets behind all that is there; where they lie.</summary>
    public async ValueTask<ContentRange> WriteAsync(ReadOnlyMemory<byte> octets, CancellationToken cancel)
    {
        ContentRange range = new(content.Length, octets.Length);
        await content.WriteAsync(octets, cancel);
        return range;
    }

    /// <summary>The parts of a message that goes out: header lines of its own, then what a planner made of the message.</summary>
    public async ValueTask<IReadOnlyList<ContentRange>> PartsOf(ReadOnlyMemory<byte> prefix, PlannedContent? made, CancellationToken cancel)
    {
        List<ContentRange> parts = [];
        if (!prefix.IsEmpty) parts.Add(await WriteAsync(prefix, cancel));
        if (made is { Head.IsEmpty: false }) parts.Add(await WriteAsync(made.Head, cancel));
        if (made is null || made.RestFrom is not null) parts.Add(RestOf(made));
        return parts;
    }

    /// <summary>The part of the message as it came.</summary>
    public ContentRange RestOf(PlannedContent? made) => new(made?.RestFrom ?? 0, size - (made?.RestFrom ?? 0));

    /// <summary>What a message of ours demands of a way out.</summary>
    public static ContentTraits TraitsOf(ReadOnlySpan<byte> octets)
    {
        int body = octets.IndexOf("\r\n\r\n"u8);
        if (body < 0) body = octets.Length;
        return (Ascii.IsValid(octets[..body]) ? 0 : ContentTraits.EightBitHeader) | (Ascii.IsValid(octets[body..]) ? 0 : ContentTraits.EightBitBody);
    }
}
