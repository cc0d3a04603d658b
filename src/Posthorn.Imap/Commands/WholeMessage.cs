using System.Buffers;
using System.Runtime.CompilerServices;
using System.Text;
using Posthorn.Core;
using Posthorn.Imap.Session;
using Posthorn.Mime;
using Posthorn.Store;

namespace Posthorn.Imap.Commands;

/// <summary>A message's bytes taken as a whole, where the store's summary does not do: rare, and bounded by the largest message.</summary>
internal static class WholeMessage
{
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

    public static MimeStructure Parse(IMessageContent content)
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

    /// <summary>The store's summaries, what they lack made from the messages.</summary>
    public static async IAsyncEnumerable<MessageSummary> SummariesAsync(
        ImapSession session, SelectedMailbox box, IReadOnlyList<Uid> uids, SummaryFields fields, [EnumeratorCancellation] CancellationToken cancel)
    {
        MailboxId mailbox = box.Id;
        await foreach (MessageSummary summary in session.Store.SummariesAsync(mailbox, uids, fields, cancel))
        {
            if (!Lacks(summary, fields))
            {
                yield return summary;
                continue;
            }
            Result<IMessageContent> opened = await session.Store.OpenContentAsync(mailbox, summary.Uid, cancel);
            if (!opened.IsOk) continue;
            await using IMessageContent content = opened.Value;
            yield return Complete(summary, content, fields);
        }
    }

    /// <summary>Makes what a summary lacks.</summary>
    public static MessageSummary Complete(MessageSummary summary, IMessageContent content, SummaryFields fields)
    {
        byte[] all = ReadAll(content);
        try
        {
            ReadOnlyMemory<byte> bytes = all.AsMemory(0, (int)content.Length);
            ReadOnlySpan<byte> message = bytes.Span;
            MimeStructure structure = MimeStructure.Parse(message, MimeLimits.Default);
            if ((fields & SummaryFields.Envelope) != 0 && summary.Envelope.IsEmpty)
            {
                ArrayBufferWriter<byte> envelope = new();
                EnvelopeWriter.Write(structure.Root.Header(message), MimeLimits.Default, envelope);
                summary = summary with { Envelope = envelope.WrittenMemory };
            }
            if ((fields & SummaryFields.Body) != 0 && summary.Body.IsEmpty) summary = summary with { Body = Structure(structure, message, false) };
            if ((fields & SummaryFields.BodyStructure) != 0 && summary.BodyStructure.IsEmpty) summary = summary with { BodyStructure = Structure(structure, message, true) };
            if ((fields & SummaryFields.Preview) != 0 && summary.Preview.IsEmpty) summary = summary with { Preview = Encoding.UTF8.GetBytes(Preview.Make(bytes, structure, MimeLimits.Default)) };
            if ((fields & SummaryFields.SortKeys) != 0 && summary.Sort is null) summary = summary with { Sort = KeysOf(structure.Root.Header(message)) };
            return summary;
        }
        finally { ArrayPool<byte>.Shared.Return(all); }
    }

    /// <summary>A part without its transfer encoding (RFC 3516 section 4.2).</summary>
    public static ReadOnlyMemory<byte> Decode(IMessageContent content, long offset, long length, TransferEncoding encoding)
    {
        ArrayBufferWriter<byte> decoded = new((int)Math.Max(length, 1));
        TransferDecoder decoder = new(encoding);
        byte[] piece = ArrayPool<byte>.Shared.Rent(32 * 1024);
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

    private static ReadOnlyMemory<byte> Structure(MimeStructure structure, ReadOnlySpan<byte> message, bool extended)
    {
        ArrayBufferWriter<byte> text = new();
        BodyStructureWriter.Write(structure, message, extended, MimeLimits.Default, text);
        return text.WrittenMemory;
    }

    private static SortKeys KeysOf(ReadOnlySpan<byte> header)
    {
        BaseSubject subject = BaseSubject.Of(Field(header, "subject"u8), MimeLimits.Default);
        (string from, string displayFrom) = First(header, "from"u8);
        (string to, string displayTo) = First(header, "to"u8);
        (string cc, _) = First(header, "cc"u8);
        return new(
            MailDate.TryParse(Field(header, "date"u8), out DateTimeOffset sent) ? sent : null,
            TextMatcher.Fold(subject.Text), subject.IsReplyOrForward,
            from, to, cc, displayFrom, displayTo,
            MessageIds.Own(header, MimeLimits.Default) ?? "", MessageIds.References(header, MimeLimits.Default));
    }

    private static (string Mailbox, string Display) First(ReadOnlySpan<byte> header, ReadOnlySpan<byte> name)
    {
        IReadOnlyList<MailAddress> addresses = AddressList.OfField(header, name, MimeLimits.Default);
        if (addresses.Count == 0) return ("", "");
        MailAddress first = addresses[0];
        return (TextMatcher.Fold(first.Mailbox), TextMatcher.Fold(first.Name.Length > 0 ? first.Name : first.Address));
    }

    private static ReadOnlySpan<byte> Field(ReadOnlySpan<byte> header, ReadOnlySpan<byte> name)
    {
        HeaderReader reader = new(header);
        while (reader.MoveNext())
            if (reader.Current.Is(name)) return reader.Current.RawValue;
        return default;
    }

    private static byte[] ReadAll(IMessageContent content)
    {
        byte[] all = ArrayPool<byte>.Shared.Rent((int)content.Length);
        ReadExactly(content, 0, all.AsSpan(0, (int)content.Length));
        return all;
    }
}
