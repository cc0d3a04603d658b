using Posthorn.Core;
using Posthorn.Imap.Session;
using Posthorn.Imap.Wire;
using Posthorn.Mime.Recoding;
using Posthorn.Store;

namespace Posthorn.Imap.Commands;

/// <summary>APPEND of one or several messages (RFC 9051 section 6.3.12, RFC 3502, RFC 4469). Bytes go from the connection to the store as they come.</summary>
/// <remarks><c>append = "APPEND" SP mailbox 1*append-message</c>, <c>append-message = [SP flag-list] [SP date-time] SP (literal / "CATENATE" SP "(" … ")")</c></remarks>
/// <param name="Target">The mailbox.</param>
/// <param name="Heads">What stands before the first literal: one message, or several that are put together from what is here.</param>
internal sealed record Append(GivenName Target, IReadOnlyList<MessageHead> Heads) : IImapCommand<Append>
{
    public static Append Parse(ref ImapReader args)
    {
        args.Space();
        GivenName target = args.GivenMailbox();
        return new(target, MessageHead.ParseAll(ref args));
    }

    public async ValueTask<Completion> RunAsync(ImapSession session, Numbering by, CancellationToken cancel)
    {
        if (Heads[0].Literal.WaitsForUs || Heads[0].Parts is not null) await session.Deferred.SettleAsync(cancel);
        List<NewMessage> messages = [];
        Completion? failure = null;
        bool received = false;
        try
        {
            failure = await ReceiveAsync(session, Target.Name, Heads, messages, null, cancel);
            received = failure is null;
        }
        finally
        {
            if (!received)
                foreach (NewMessage message in messages) await message.Content.DisposeAsync();
        }
        if (failure is not null) return failure;
        await MailboxTree.TellOldNameAsync(session, Target, cancel);
        // Clients that upload a folder send one APPEND after the other: those under way share a flush and keep their order.
        Task<Completion> stored = StoreAsync(session, messages, cancel);
        if (stored.IsCompleted || !session.Deferred.MayDefer) return await stored;
        session.Deferred.Add(stored);
        return Completion.Deferred;
    }

    private async Task<Completion> StoreAsync(ImapSession session, List<NewMessage> messages, CancellationToken cancel)
    {
        try
        {
            Result<AppendReceipt> receipt = session.Deferred.MayDefer
                ? await session.Store.AppendSoonAsync(Target.Name, messages, cancel)
                : await session.Store.AppendAsync(Target.Name, messages, cancel);
            return receipt.IsOk ? await AppendedAsync(session, Target.Name, receipt.Value, messages, cancel) : Completion.From(receipt.Refusal, creatable: true);
        }
        finally
        {
            foreach (NewMessage message in messages) await message.Content.DisposeAsync();
        }
    }

    /// <summary>Takes in one message after the other until the command ends; null, or why not.</summary>
    public static async ValueTask<Completion?> ReceiveAsync(
        ImapSession session, MailboxName target, IReadOnlyList<MessageHead> heads, List<NewMessage> messages, Replaced? replaced, CancellationToken cancel)
    {
        // What cannot be put there is refused before it is asked for.
        Result<MailAccount> owner = await session.Store.MayAppendAsync(target, cancel);
        if (!owner.IsOk) return Completion.From(owner.Refusal, creatable: true);
        MailAccount account = QuotaRoots.Fresh(session, owner.Value);
        Destination into = new(account, replaced?.Owner == account.Address ? replaced.Size : null);
        Queue<MessageHead> queue = new(heads);
        while (queue.TryDequeue(out MessageHead? head))
        {
            // All or none, so too many are refused (RFC 9738).
            if (messages.Count >= session.Options.MessageLimit) return Completion.No($"MESSAGELIMIT {messages.Count}", "That is too much for one command, append in parts");
            if (messages.Count >= session.Options.MaxAppendedMessages) return Completion.No("LIMIT", $"At most {session.Options.MaxAppendedMessages} messages at once");
            Completion? failure = head.Parts is not null
                ? await Catenation.ReceiveAsync(session, into, head, messages, queue, cancel)
                : await ReceiveOneAsync(session, into, head, messages, queue, cancel);
            if (failure is not null) return failure;
        }

        return null;
    }

    /// <summary>The octets of the messages so far.</summary>
    public static long TotalOf(List<NewMessage> messages) => messages.Sum(message => message.Content.Length);

    private static async ValueTask<Completion?> ReceiveOneAsync(ImapSession session, Destination into, MessageHead head, List<NewMessage> messages, Queue<MessageHead> queue, CancellationToken cancel)
    {
        long total = TotalOf(messages);
        if (head.Literal.Length == 0) return Completion.No("CANNOT", "The message is empty");
        if (TooLarge(session, head.Literal.Length, total) is { } large) return large;
        if (await into.CheckAsync(session, total + head.Literal.Length, cancel) is { } full) return full;

        CrlfSink sink = new(session.Services.Stores.CreateSink()) { Converts = !head.Literal.IsBinary };
        messages.Add(new(sink.Inner, head.Flags, head.Keywords, head.Date ?? session.Services.Time.GetUtcNow()));
        session.Frames.Accept(head.Literal);
        if (!await session.Frames.CopyLiteralAsync(head.Literal, sink, cancel)) return EndedWithin(session);
        Frame rest = await session.Frames.ReadRestAsync(cancel);
        session.TookLiteral(rest.Status == FrameStatus.Message ? rest.Literal : null);
        if (rest.Status == FrameStatus.Ended) return EndedWithin(session);
        if (rest.Status is not (FrameStatus.Command or FrameStatus.Message)) return Completion.Bad("expected the end of the command after the message");
        if (ParseRest(session, rest.Text.Span, head.IsInUtf8, queue) is { } wrong) return wrong;
        return head.Literal.IsBinary ? await EncodeBinaryAsync(session, into, sink, messages, cancel) : sink.Failure is { } broken ? NotTaken(session, broken) : null;
    }

    /// <summary>Whether a message is too large, or with those before it too much for one command; null when neither.</summary>
    public static Completion? TooLarge(ImapSession session, long length, long before) =>
        length > session.Options.MaxMessage ? Completion.No("TOOBIG", $"A message may have {session.Options.MaxMessage} octets")
        : length > session.Options.MaxAppendedOctets - before ? Completion.No("LIMIT", $"At most {session.Options.MaxAppendedOctets} octets at once, append in parts")
        : null;

    /// <summary>What no literal bears of the last message gets a transfer encoding, so that everybody can read it and nothing of it is lost (RFC 3516 section 4.4); null, or why not.</summary>
    public static async ValueTask<Completion?> EncodeBinaryAsync(ImapSession session, Destination into, CrlfSink sink, List<NewMessage> messages, CancellationToken cancel)
    {
        if (sink.Failure is { } broken) return NotTaken(session, broken);
        MimeRecoder recoder = new(WireForm.Literal);
        if (!RecodedMessage.Survey(sink.Read, recoder)) return Completion.No("UNKNOWN-CTE", "What is signed cannot be given a transfer encoding, and holds octets that need one");
        if (!recoder.IsNeeded && !sink.PassedBareFeed) return null;
        await using IMessageSink raw = sink.Inner;
        CrlfSink encoded = new(session.Services.Stores.CreateSink());
        messages[^1] = messages[^1] with { Content = encoded.Inner };
        await RecodedMessage.WriteAsync(recoder, raw.Read, encoded, cancel);
        return encoded.Failure is { } full ? NotTaken(session, full) : await into.CheckAsync(session, TotalOf(messages), cancel);
    }

    private static Completion? ParseRest(ImapSession session, ReadOnlySpan<byte> text, bool inUtf8, Queue<MessageHead> queue)
    {
        ImapReader reader = new(text, new(false, '/', session.Options, default));
        if (inUtf8) reader.Take((byte)')');
        MessageHead.ParseFollowing(ref reader, queue);
        return reader.Failed ? Completion.Bad(reader.Error!) : reader.Refusal;
    }

    public static Completion NotTaken(ImapSession session, IOException problem)
    {
        session.Log.CommandFailed(problem, session.Connection.Session, session.Account!.ToString(), "APPEND");
        return Completion.No("UNAVAILABLE", "The server cannot store the message now, try again later");
    }

    public static Completion EndedWithin(ImapSession session)
    {
        session.TookLiteral();
        return Completion.Bad("The message ended too soon"); // the session loop sees the end next
    }

    public static async ValueTask<Completion> AppendedAsync(ImapSession session, MailboxName target, AppendReceipt receipt, List<NewMessage> messages, CancellationToken cancel)
    {
        for (int i = 0; i < receipt.Messages.Count; i++)
        {
            StoredMessage stored = receipt.Messages[i];
            session.Log.Appended(session.Connection.Session, session.Account!.ToString(), receipt.Mailbox.ToString(), stored.Uid.Value, stored.EmailId.ToString(), messages[i].Content.Length);
        }
        Uid[] uids = [.. receipt.Messages.Select(m => m.Uid)];
        session.News.HasPut(receipt.Mailbox, uids);
        return !await session.Store.MayReadAsync(target, cancel) ? Completion.Ok("Appended") : Completion.Ok($"APPENDUID {receipt.Validity} {NumberSet.Format(uids)}", "Appended");
    }
}

/// <summary>What stands before a message's bytes.</summary>
internal sealed record MessageHead(SystemFlags Flags, KeywordSet Keywords, DateTimeOffset? Date, LiteralHead Literal, bool IsInUtf8)
{
    /// <summary>The parts of a message that is put together, as far as they were read (RFC 4469); null for a plain one.</summary>
    public IReadOnlyList<CatenatePart>? Parts { get; init; }

    /// <summary>No further parts follow.</summary>
    public bool IsClosed { get; init; }

    /// <summary>All that stands up to the next literal that is a message or a part of one, or up to the command's end.</summary>
    public static IReadOnlyList<MessageHead> ParseAll(ref ImapReader args)
    {
        Queue<MessageHead> heads = new();
        heads.Enqueue(Parse(ref args));
        if (heads.Peek() is { Parts: not null, IsClosed: true }) ParseFollowing(ref args, heads);
        return [.. heads];
    }

    /// <summary>Reads on behind a message: further ones, or the end.</summary>
    public static void ParseFollowing(ref ImapReader args, Queue<MessageHead> heads)
    {
        while (args.Next == ' ' && args.Second is not (0 or (byte)' '))
        {
            MessageHead head = Parse(ref args);
            heads.Enqueue(head);
            if (heads.Count > args.Dialect.Limits.MaxAppendedMessages) args.Fail("fewer messages");
            if (head is not { Parts: not null, IsClosed: true }) return;
        }

        args.End();
    }

    private static MessageHead Parse(ref ImapReader args)
    {
        args.Space();
        (SystemFlags flags, KeywordSet keywords) = (SystemFlags.None, KeywordSet.Empty);
        DateTimeOffset? date = null;
        if (args.Next == '(')
        {
            (flags, keywords) = args.Flags();
            args.Space();
        }
        if (keywords.Count > args.Dialect.Limits.MaxKeywords) args.Refuse(Completion.No("LIMIT", "Too many keywords"));
        if (args.Next == '"')
        {
            date = args.DateTime();
            args.Space();
        }
        if (args.TryWord("CATENATE"u8))
        {
            args.Space();
            args.Take((byte)'(');
            List<CatenatePart> parts = [];
            bool closed = Catenation.ParseParts(ref args, parts);
            return new(flags, keywords, date, default, false) { Parts = parts, IsClosed = closed };
        }

        // RFC 6855 section 4: UTF8 (~{n}...). What is in the message is kept in any case.
        bool inUtf8 = args.TryWord("UTF8"u8);
        if (inUtf8)
        {
            args.Space();
            args.Take((byte)'(');
        }
        return new(flags, keywords, date, args.LiteralHead(), inUtf8);
    }
}
