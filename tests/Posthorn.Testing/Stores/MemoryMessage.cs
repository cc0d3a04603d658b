using System.Security.Cryptography;
using Posthorn.Core;
using Posthorn.Mime;
using Posthorn.Store;

namespace Posthorn.Testing.Stores;

/// <summary>The content of one message, shared by its copies, and what is kept about it.</summary>
internal sealed class MemoryMessage(byte[] bytes)
{
    internal byte[] Bytes { get; } = bytes;

    /// <summary>With CRLF line ends.</summary>
    internal byte[] Wire { get; } = WithCrlf(bytes);

    internal EmailId EmailId { get; } = new("E" + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(12)));

    /// <summary>Its conversation, once it lies somewhere: it goes with it into other accounts.</summary>
    internal ThreadId? Thread { get; set; }

    internal MessageFacts Facts { get; } = MessageFacts.Of(bytes, MimeLimits.Default);

    internal MessageSummary Summarize(Uid uid, SummaryFields fields, ThreadId thread, DateTimeOffset saved) => new(uid)
    {
        Envelope = Wanted(fields, SummaryFields.Envelope, Facts.Envelope),
        Body = Wanted(fields, SummaryFields.Body, Facts.Body),
        BodyStructure = Wanted(fields, SummaryFields.BodyStructure, Facts.BodyStructure),
        Structure = Wanted(fields, SummaryFields.Structure, Facts.Structure),
        Preview = Wanted(fields, SummaryFields.Preview, Facts.Preview),
        Sort = fields.HasFlag(SummaryFields.SortKeys) ? Facts.Sort : null,
        EmailId = fields.HasFlag(SummaryFields.Ids) ? EmailId : default,
        ThreadId = fields.HasFlag(SummaryFields.Ids) ? thread : default,
        SaveDate = fields.HasFlag(SummaryFields.SaveDate) ? saved : default,
    };

    private static byte[] WithCrlf(byte[] bytes)
    {
        List<byte> wire = new(bytes.Length);
        byte last = 0;
        foreach (byte b in bytes)
        {
            if (b == '\n' && last != '\r') wire.Add((byte)'\r');
            wire.Add(last = b);
        }

        return wire.Count == bytes.Length ? bytes : [.. wire];
    }

    private static ReadOnlyMemory<byte> Wanted(SummaryFields fields, SummaryFields one, ReadOnlyMemory<byte> value) => fields.HasFlag(one) ? value : default;
}

/// <summary>Reads a message's bytes.</summary>
internal sealed class MemoryContent(byte[] bytes) : IMessageContent
{
    public long Length => bytes.Length;

    public int Read(long offset, Span<byte> into)
    {
        if (offset >= bytes.Length) return 0;
        int count = (int)Math.Min(into.Length, bytes.Length - offset);
        bytes.AsSpan((int)offset, count).CopyTo(into);
        return count;
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
