using System.Buffers;
using System.Runtime.CompilerServices;
using Posthorn.Core;
using Posthorn.Imap.Session;
using Posthorn.Mime;
using Posthorn.Store;

namespace Posthorn.Imap.Commands;

/// <summary>A message's bytes taken as a whole, where the store's summary does not do: rare, and bounded by the largest message.</summary>
internal static class WholeMessage
{
    private const int PieceLength = 32 * 1024;

    public static void ReadExactly(IMessageContent content, long offset, Span<byte> into)
    {
        while (!into.IsEmpty)
        {
            int read = content.Read(offset, into);
            if (read == 0) throw new IOException("A message is shorter than the store says.");
            offset += read;
            into = into[read..];
        }
    }

    /// <summary>The structure of a message, read as a whole when there is room for that (<see cref="IMailStores.WholeMessages"/>).</summary>
    public static async ValueTask<MimeStructure> ParseAsync(ImapSession session, IMessageContent content, CancellationToken cancel)
    {
        using OctetHold room = await session.Services.Stores.WholeMessages.TakeAsync(content.Length, cancel);
        return Parse(content);
    }

    private static MimeStructure Parse(IMessageContent content)
    {
        byte[] all = ReadAll(content);
        try { return MimeStructure.Parse(all.AsSpan(0, (int)content.Length), MimeLimits.Default); }
        finally { ArrayPool<byte>.Shared.Return(all); }
    }

    /// <summary>True when the store could not keep something that is asked for (kept by an earlier version, or damaged).</summary>
    public static bool Lacks(MessageSummary summary, SummaryFields fields) =>
        (fields & SummaryFields.Envelope) != 0 && summary.Envelope.IsEmpty
        || (fields & SummaryFields.Body) != 0 && summary.Body.IsEmpty
        || (fields & SummaryFields.BodyStructure) != 0 && summary.BodyStructure.IsEmpty
        || (fields & SummaryFields.Preview) != 0 && summary.Preview.IsEmpty
        || (fields & SummaryFields.SortKeys) != 0 && summary.Sort is null;

    /// <summary>The store's summaries in the order of the UIDs, what they lack made from the messages: also those of messages that are expunged and still stand in the client's view (RFC 9051 section 7.5.1).</summary>
    /// <param name="session">Whose client.</param>
    /// <param name="box">Where the messages are.</param>
    /// <param name="uids">Which.</param>
    /// <param name="fields">What is wanted of them.</param>
    /// <param name="isGone">Called when nothing can be said of a message any more.</param>
    /// <param name="cancel">Gives up.</param>
    public static async IAsyncEnumerable<MessageSummary> SummariesAsync(
        ImapSession session, SelectedMailbox box, IReadOnlyList<Uid> uids, SummaryFields fields, Action isGone, [EnumeratorCancellation] CancellationToken cancel)
    {
        int next = 0;
        await foreach (MessageSummary summary in session.Store.SummariesAsync(box.Id, uids, fields, cancel))
        {
            for (; next < uids.Count && uids[next] != summary.Uid; next++)
                if (await CompleteAsync(session, box, new(uids[next]), fields, isGone, cancel) is { } missing) yield return missing;
            next++;
            if (!Lacks(summary, fields)) yield return summary;
            else if (await CompleteAsync(session, box, summary, fields, isGone, cancel) is { } complete) yield return complete;
        }

        for (; next < uids.Count; next++)
            if (await CompleteAsync(session, box, new(uids[next]), fields, isGone, cancel) is { } missing) yield return missing;
    }

    // What only the store knows cannot be made from the message.
    private static async ValueTask<MessageSummary?> CompleteAsync(ImapSession session, SelectedMailbox box, MessageSummary summary, SummaryFields fields, Action isGone, CancellationToken cancel)
    {
        if (Lacks(summary, fields))
        {
            Result<IMessageContent> opened = await session.Store.OpenContentAsync(box.Id, summary.Uid, cancel);
            if (opened.IsOk)
            {
                await using IMessageContent content = opened.Value;
                return await CompleteAsync(session, summary, content, fields, cancel);
            }
        }

        isGone();
        return null;
    }

    /// <summary>Makes what a summary lacks, when there is room for the whole message.</summary>
    public static async ValueTask<MessageSummary> CompleteAsync(ImapSession session, MessageSummary summary, IMessageContent content, SummaryFields fields, CancellationToken cancel)
    {
        using OctetHold room = await session.Services.Stores.WholeMessages.TakeAsync(content.Length, cancel);
        return Complete(summary, content, fields);
    }

    private static MessageSummary Complete(MessageSummary summary, IMessageContent content, SummaryFields fields)
    {
        byte[] all = ReadAll(content);
        try
        {
            MessageFacts facts = MessageFacts.Of(all.AsMemory(0, (int)content.Length), MimeLimits.Default);
            return summary with
            {
                Envelope = Made(SummaryFields.Envelope, summary.Envelope, facts.Envelope),
                Body = Made(SummaryFields.Body, summary.Body, facts.Body),
                BodyStructure = Made(SummaryFields.BodyStructure, summary.BodyStructure, facts.BodyStructure),
                Preview = Made(SummaryFields.Preview, summary.Preview, facts.Preview),
                Sort = (fields & SummaryFields.SortKeys) != 0 ? summary.Sort ?? facts.Sort : summary.Sort,
            };
        }
        finally { ArrayPool<byte>.Shared.Return(all); }

        ReadOnlyMemory<byte> Made(SummaryFields field, ReadOnlyMemory<byte> kept, ReadOnlyMemory<byte> made) => (fields & field) != 0 && kept.IsEmpty ? made : kept;
    }

    /// <summary>A part without its transfer encoding (RFC 3516 section 4.2).</summary>
    public static ReadOnlyMemory<byte> Decode(IMessageContent content, long offset, long length, TransferEncoding encoding)
    {
        ArrayBufferWriter<byte> decoded = new((int)Math.Max(length, 1));
        TransferDecoder decoder = new(encoding);
        byte[] piece = ArrayPool<byte>.Shared.Rent(PieceLength);
        for (long done = 0; done < length;)
        {
            Span<byte> part = piece.AsSpan(0, (int)Math.Min(piece.Length, length - done));
            ReadExactly(content, offset + done, part);
            done += part.Length;
            decoder.Decode(part, last: done == length, decoded);
        }
        ArrayPool<byte>.Shared.Return(piece);
        return decoded.WrittenMemory;
    }

    /// <summary>The same in pieces, for parts that are too large to be held while a client reads them. A piece is valid until the next.</summary>
    public static IEnumerable<ReadOnlyMemory<byte>> Pieces(IMessageContent content, long offset, long length, TransferEncoding encoding)
    {
        ArrayBufferWriter<byte> decoded = new(PieceLength);
        TransferDecoder decoder = new(encoding);
        byte[] piece = ArrayPool<byte>.Shared.Rent(PieceLength);
        try
        {
            for (long done = 0; done < length;)
            {
                int count = (int)Math.Min(PieceLength, length - done);
                ReadExactly(content, offset + done, piece.AsSpan(0, count));
                done += count;
                decoder.Decode(piece.AsSpan(0, count), last: done == length, decoded);
                yield return decoded.WrittenMemory;
                decoded.ResetWrittenCount();
            }
        }
        finally { ArrayPool<byte>.Shared.Return(piece); }
    }

    /// <summary>The fields of a header that a section picks. Of a header that is longer than any real one the fields behind <see cref="MimeLimits.MaxHeaderBytes"/> are left out.</summary>
    public static void Pick(IMessageContent content, long offset, long size, SectionPath section, byte? nulReplacement, ArrayBufferWriter<byte> into)
    {
        int length = (int)Math.Min(size, MimeLimits.Default.MaxHeaderBytes);
        byte[] rented = ArrayPool<byte>.Shared.Rent(length);
        try
        {
            Span<byte> header = rented.AsSpan(0, length);
            ReadExactly(content, offset, header);
            if (length < size) header = header[..HeaderFields.EndOfLast(header)];
            if (nulReplacement is { } other) header.Replace((byte)0, other);
            HeaderFields.Select(header, section.FieldNames, section.Text == SectionText.HeaderFieldsNot, into);
        }
        finally { ArrayPool<byte>.Shared.Return(rented); }
    }

    private static byte[] ReadAll(IMessageContent content)
    {
        byte[] all = ArrayPool<byte>.Shared.Rent((int)content.Length);
        ReadExactly(content, 0, all.AsSpan(0, (int)content.Length));
        return all;
    }
}
