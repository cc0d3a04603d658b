using System.Security.Cryptography;
using Posthorn.Core;
using Posthorn.Store;

namespace Posthorn.Testing.Stores;

/// <summary>The content of one message, shared by its copies, and what is kept about it.</summary>
internal sealed class MemoryMessage(byte[] bytes)
{
    internal byte[] Bytes { get; } = bytes;

    internal EmailId EmailId { get; } = new("E" + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(12)));

    internal MessageSummary Summarize(Uid uid, SummaryFields fields, ThreadId thread, DateTimeOffset saved) => new(uid)
    {
        EmailId = fields.HasFlag(SummaryFields.Ids) ? EmailId : default,
        ThreadId = fields.HasFlag(SummaryFields.Ids) ? thread : default,
        SaveDate = fields.HasFlag(SummaryFields.SaveDate) ? saved : default,
    };

    internal bool Matches(TextCriterion criterion)
    {
        string text = System.Text.Encoding.UTF8.GetString(Bytes);
        int split = text.IndexOf("\r\n\r\n", StringComparison.Ordinal);
        (string header, string body) = split < 0 ? (text, "") : (text[..(split + 2)], text[(split + 4)..]);
        return criterion.Scope switch
        {
            TextScope.All => text.Contains(criterion.Needle, StringComparison.OrdinalIgnoreCase),
            TextScope.Body => body.Contains(criterion.Needle, StringComparison.OrdinalIgnoreCase),
            _ => header.Replace("\r\n ", " ", StringComparison.Ordinal).Split("\r\n").Any(line =>
                line.StartsWith(criterion.HeaderName + ":", StringComparison.OrdinalIgnoreCase)
                && line[(criterion.HeaderName.Length + 1)..].Contains(criterion.Needle, StringComparison.OrdinalIgnoreCase)),
        };
    }
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
