using Posthorn.Core;
using Posthorn.Imap.Session;
using Posthorn.Imap.Wire;
using Posthorn.Store;

namespace Posthorn.Imap.Commands;

/// <summary>One part of a message that is put together: octets of the client's, or of a message that is here already.</summary>
internal abstract record CatenatePart
{
    private CatenatePart() { }

    /// <summary>What a URL names.</summary>
    public sealed record Url(string Address) : CatenatePart;

    /// <summary>What a URL names that is written as a literal, whose octets are still in the stream.</summary>
    public sealed record UrlLiteral(LiteralHead Literal) : CatenatePart;

    /// <summary>A literal, whose octets are still in the stream.</summary>
    /// <param name="Literal">Its announcement.</param>
    /// <param name="IsInUtf8">It stands in UTF8 (…), whose parenthesis closes behind it (RFC 6855 section 4).</param>
    public sealed record Text(LiteralHead Literal, bool IsInUtf8) : CatenatePart;
}

/// <summary>Puts the message of an APPEND together from literals and parts of messages on this server (RFC 4469).</summary>
/// <remarks><c>"CATENATE" SP "(" cat-part *(SP cat-part) ")"</c>, <c>cat-part = "TEXT" SP literal / "URL" SP astring / "UTF8" SP "(" literal8 ")"</c>.</remarks>
internal static class Catenation
{
    private const int Piece = 32 * 1024;
    private const int MaxUrl = 8 * 1024; // a mailbox name of the longest kind, percent-encoded, and a section

    /// <summary>Reads parts up to the next literal or the end; true at the end.</summary>
    public static bool ParseParts(ref ImapReader args, List<CatenatePart> parts)
    {
        while (!args.Failed)
        {
            if (args.TryWord("URL"u8))
            {
                args.Space();
                if (args.Next == '{')
                {
                    parts.Add(new CatenatePart.UrlLiteral(args.LiteralHead()));
                    return false;
                }

                parts.Add(new CatenatePart.Url(ImapReader.Text(args.AString())));
            }
            else if (args.TryWord("TEXT"u8))
            {
                args.Space();
                parts.Add(new CatenatePart.Text(args.LiteralHead(), IsInUtf8: false));
                return false;
            }
            else if (args.TryWord("UTF8"u8))
            {
                args.Space();
                args.Take((byte)'(');
                parts.Add(new CatenatePart.Text(args.LiteralHead(), IsInUtf8: true));
                return false;
            }
            else args.Fail("URL, TEXT or UTF8");

            if (parts.Count > args.Dialect.Limits.MaxAppendedMessages) args.Fail("fewer parts");
            if (args.TryTake((byte)')')) return true;
            args.Space();
        }

        return true;
    }

    /// <summary>Takes the parts of one message in; null, or why not. What follows it in the command goes into the queue.</summary>
    public static async ValueTask<Completion?> ReceiveAsync(ImapSession session, Destination into, MessageHead head, List<NewMessage> messages, Queue<MessageHead> queue, CancellationToken cancel)
    {
        long before = Append.TotalOf(messages);
        CrlfSink sink = new(session.Services.Stores.CreateSink());
        messages.Add(new(sink.Inner, head.Flags, head.Keywords, head.Date ?? session.Services.Time.GetUtcNow()));
        LastStructure parsed = new();
        List<CatenatePart> parts = [.. head.Parts!];
        bool closed = head.IsClosed;
        bool isBinary = false;
        while (true)
        {
            foreach (CatenatePart part in parts)
            {
                Completion? failure = part switch
                {
                    CatenatePart.Url url => await AddUrlAsync(session, into, url.Address, before, sink, parsed, cancel),
                    CatenatePart.UrlLiteral url => await AddUrlAsync(session, into, url.Literal, before, sink, parsed, cancel),
                    CatenatePart.Text text => await AddTextAsync(session, into, text.Literal, before, sink, cancel),
                    _ => throw new System.Diagnostics.UnreachableException(),
                };
                if (failure is not null) return failure;
                isBinary |= part is CatenatePart.Text { Literal.IsBinary: true };
            }

            if (closed) break;
            Frame rest = await session.Frames.ReadRestAsync(cancel);
            session.TookLiteral(rest.Status == FrameStatus.Message ? rest.Literal : null);
            if (rest.Status == FrameStatus.Ended) return Append.EndedWithin(session);
            if (rest.Status is not (FrameStatus.Command or FrameStatus.Message)) return Completion.Bad("expected more parts or the end after the literal");
            bool inUtf8 = parts[^1] is CatenatePart.Text { IsInUtf8: true };
            parts = [];
            if (ParseRest(rest.Text.Span, inUtf8, session.Options, parts, queue, out closed) is { } bad) return bad;
        }

        if (sink.Failure is { } broken) return Append.NotTaken(session, broken);
        if (sink.Length == 0) return Completion.No("CANNOT", "The message is empty");
        return isBinary ? await Append.EncodeBinaryAsync(session, into, sink, messages, cancel) : null;
    }

    private static Completion? ParseRest(ReadOnlySpan<byte> text, bool inUtf8, ImapOptions options, List<CatenatePart> parts, Queue<MessageHead> queue, out bool closed)
    {
        ImapReader reader = new(text, new(false, '/', options, default));
        if (inUtf8) reader.Take((byte)')');
        closed = reader.TryTake((byte)')');
        if (!closed)
        {
            reader.Space();
            closed = ParseParts(ref reader, parts);
        }

        if (closed) MessageHead.ParseFollowing(ref reader, queue);
        return reader.Failed ? Completion.Bad(reader.Error!) : reader.Refusal;
    }

    // The message so far and those before it count.
    private static async ValueTask<Completion?> CheckAsync(ImapSession session, Destination into, long more, long before, CrlfSink sink, CancellationToken cancel)
    {
        if (Append.TooLarge(session, sink.Length + more, before) is { } large) return large;
        return await into.CheckAsync(session, before + sink.Length + more, cancel);
    }

    private static async ValueTask<Completion?> AddTextAsync(ImapSession session, Destination into, LiteralHead literal, long before, CrlfSink sink, CancellationToken cancel)
    {
        if (await CheckAsync(session, into, literal.Length, before, sink, cancel) is { } refused) return refused;
        session.Frames.Accept(literal);
        sink.Converts = !literal.IsBinary;
        bool received = await session.Frames.CopyLiteralAsync(literal, sink, cancel);
        sink.Converts = true;
        if (received) return null;
        return Append.EndedWithin(session);
    }

    private static async ValueTask<Completion?> AddUrlAsync(ImapSession session, Destination into, LiteralHead literal, long before, CrlfSink sink, LastStructure parsed, CancellationToken cancel)
    {
        if (literal.Length > MaxUrl) return Completion.No("TOOBIG", $"A URL may have {MaxUrl} octets");
        await using IMessageSink text = session.Services.Stores.CreateSink();
        session.Frames.Accept(literal);
        if (!await session.Frames.CopyLiteralAsync(literal, text, cancel)) return Append.EndedWithin(session);
        session.TookLiteral(new LiteralHead(0, WaitsForUs: false, IsBinary: false)); // if this URL is refused, the rest of the command is skipped
        byte[] url = new byte[(int)literal.Length];
        for (int at = 0, got; at < url.Length && (got = text.Read(at, url.AsSpan(at))) > 0;) at += got;
        return await AddUrlAsync(session, into, ImapReader.Text(url), before, sink, parsed, cancel);
    }

    private static async ValueTask<Completion?> AddUrlAsync(ImapSession session, Destination into, string text, long before, CrlfSink sink, LastStructure parsed, CancellationToken cancel)
    {
        Completion bad = Completion.No($"BADURL {new string([.. text.Where(c => c is > ' ' and < (char)127 and not ']').Take(200)])}", "There is nothing under this URL");
        if (!MessageUrl.TryParse(text, session.Store.Separator, out MessageUrl? url)) return bad;
        MailboxInfo? info = url.Mailbox is { } name ? await session.Store.FindAsync(name, cancel) : session.OpenBox?.Info;
        if (info?.Id is not { } id || !info.Rights.HasFlag(Posthorn.Store.Sharing.MailboxRights.Read)) return bad;
        if (url.Validity is { } validity)
        {
            Result<MailboxStatus> status = await session.Store.StatusAsync(info.Name, cancel);
            if (!status.IsOk || status.Value.Validity.Value != validity) return bad;
        }

        Result<IMessageContent> opened = await session.Store.OpenContentAsync(id, url.Message, cancel);
        if (!opened.IsOk) return opened.Refusal.Kind == RefusalKind.Unavailable ? Completion.From(opened.Refusal) : bad;
        await using IMessageContent content = opened.Value;
        parsed.Names(id, url.Message);
        if (url.NeedsStructure) await parsed.ReadAsync(session, content, cancel);
        if (url.Section is { } picked && picked.Text is Mime.SectionText.HeaderFields or Mime.SectionText.HeaderFieldsNot)
        {
            if (url.PickFields(content, parsed) is not { } fields) return bad;
            if (await CheckAsync(session, into, fields.Length, before, sink, cancel) is { } tooMuch) return tooMuch;
            await sink.WriteAsync(fields, cancel);
            return null;
        }

        if (!url.TryRange(content, parsed, out long offset, out long length)) return bad;
        if (await CheckAsync(session, into, length, before, sink, cancel) is { } refused) return refused;
        byte[] buffer = new byte[(int)Math.Min(length, Piece)];
        for (long at = 0; at < length;)
        {
            int got = content.Read(offset + at, buffer.AsSpan(0, (int)Math.Min(buffer.Length, length - at)));
            if (got == 0) return bad;
            await sink.WriteAsync(buffer.AsMemory(0, got), cancel);
            at += got;
        }

        return null;
    }
}
