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

    /// <summary>A literal, whose octets are still in the stream.</summary>
    public sealed record Text(LiteralHead Literal) : CatenatePart;
}

/// <summary>Puts the message of an APPEND together from literals and parts of messages on this server (RFC 4469).</summary>
/// <remarks><c>"CATENATE" SP "(" cat-part *(SP cat-part) ")"</c>, <c>cat-part = "TEXT" SP literal / "URL" SP astring</c>. A URL is quoted or an atom, and such a message stands alone in its command.</remarks>
internal static class Catenation
{
    private const int Piece = 32 * 1024;

    /// <summary>Reads parts up to the next literal or the end; true at the end.</summary>
    public static bool ParseParts(ref ImapReader args, List<CatenatePart> parts)
    {
        while (!args.Failed)
        {
            if (args.TryWord("URL"u8))
            {
                args.Space();
                parts.Add(new CatenatePart.Url(ImapReader.Text(args.AString())));
            }
            else if (args.TryWord("TEXT"u8))
            {
                args.Space();
                parts.Add(new CatenatePart.Text(args.LiteralHead()));
                return false;
            }
            else args.Fail("URL or TEXT");

            if (parts.Count > args.Dialect.Limits.MaxAppendedMessages) args.Fail("fewer parts");
            if (args.TryTake((byte)')'))
            {
                args.End();
                return true;
            }

            args.Space();
        }

        return true;
    }

    /// <summary>Takes the parts in until the command ends; null, or why not.</summary>
    public static async ValueTask<Completion?> ReceiveAsync(ImapSession session, MailAccount owner, MessageHead head, List<NewMessage> messages, CancellationToken cancel)
    {
        CrlfSink sink = new(session.Services.Stores.CreateSink(), convert: true);
        messages.Add(new(sink.Inner, head.Flags, head.Keywords, head.Date ?? session.Services.Time.GetUtcNow()));
        List<CatenatePart> parts = [.. head.Parts!];
        bool closed = head.IsClosed;
        while (true)
        {
            foreach (CatenatePart part in parts)
            {
                Completion? failure = part switch
                {
                    CatenatePart.Url url => await AddUrlAsync(session, url.Address, sink, cancel),
                    CatenatePart.Text text => await AddTextAsync(session, owner, text.Literal, sink, cancel),
                    _ => throw new System.Diagnostics.UnreachableException(),
                };
                if (failure is not null) return failure;
            }

            if (closed) break;
            Frame rest = await session.Frames.ReadRestAsync(cancel);
            session.TookLiteral(rest.Status == FrameStatus.Message ? rest.Literal : null);
            if (rest.Status == FrameStatus.Ended) return Append.EndedWithin(session);
            if (rest.Status is not (FrameStatus.Command or FrameStatus.Message)) return Completion.Bad("expected more parts or the end after the literal");
            parts = [];
            if (ParseRest(rest.Text.Span, session.Options, parts, out closed) is { } bad) return bad;
        }

        if (sink.Failure is { } broken) return Append.NotTaken(session, broken);
        return sink.Length == 0 ? Completion.No("CANNOT", "The message is empty") : null;
    }

    private static Completion? ParseRest(ReadOnlySpan<byte> text, ImapOptions options, List<CatenatePart> parts, out bool closed)
    {
        ImapReader reader = new(text, new(false, '/', options, default));
        closed = reader.TryTake((byte)')');
        if (closed) reader.End();
        else
        {
            reader.Space();
            closed = ParseParts(ref reader, parts);
        }

        return reader.Failed ? Completion.Bad(reader.Error!) : null;
    }

    private static async ValueTask<Completion?> AddTextAsync(ImapSession session, MailAccount owner, LiteralHead literal, CrlfSink sink, CancellationToken cancel)
    {
        if (literal.Length > session.Options.MaxMessage - sink.Length) return TooBig(session);
        Result<Done> room = await session.Services.Stores.HasRoomAsync(owner, sink.Length + literal.Length, cancel);
        if (!room.IsOk) return Completion.From(room.Refusal);
        session.Frames.Accept(literal);
        if (await session.Frames.CopyLiteralAsync(literal, sink, cancel)) return null;
        return Append.EndedWithin(session);
    }

    private static async ValueTask<Completion?> AddUrlAsync(ImapSession session, string text, CrlfSink sink, CancellationToken cancel)
    {
        Completion bad = Completion.No($"BADURL {new string([.. text.Where(c => c is > ' ' and < (char)127 and not ']').Take(200)])}", "There is nothing under this URL");
        if (!MessageUrl.TryParse(text, session.Store.Separator, out MessageUrl? url)) return bad;
        MailboxInfo? info = url.Mailbox is { } name ? await session.Store.FindAsync(name, cancel) : session.HasSelected ? session.Selected.Info : null;
        if (info?.Id is not { } id || !info.Rights.HasFlag(Posthorn.Store.Sharing.MailboxRights.Read)) return bad;
        if (url.Validity is { } validity)
        {
            Result<MailboxStatus> status = await session.Store.StatusAsync(info.Name, cancel);
            if (!status.IsOk || status.Value.Validity.Value != validity) return bad;
        }

        Result<IMessageContent> opened = await session.Store.OpenContentAsync(id, url.Message, cancel);
        if (!opened.IsOk) return opened.Refusal.Kind == RefusalKind.Unavailable ? Completion.From(opened.Refusal) : bad;
        await using IMessageContent content = opened.Value;
        if (url.Section is { } picked && picked.Text is Mime.SectionText.HeaderFields or Mime.SectionText.HeaderFieldsNot) return await AddFieldsAsync(url, content, sink, cancel) ? null : bad;
        if (!url.TryRange(content, out long offset, out long length)) return bad;
        if (length > session.Options.MaxMessage - sink.Length) return TooBig(session);
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

    private static async ValueTask<bool> AddFieldsAsync(MessageUrl url, IMessageContent content, CrlfSink sink, CancellationToken cancel)
    {
        if (url.PickFields(content) is not { } fields) return false;
        await sink.WriteAsync(fields, cancel);
        return true;
    }

    private static Completion TooBig(ImapSession session) => Completion.No("TOOBIG", $"A message may have {session.Options.MaxMessage} octets");
}
