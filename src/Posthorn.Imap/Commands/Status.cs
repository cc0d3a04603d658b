using Posthorn.Core;
using Posthorn.Imap.Session;
using Posthorn.Imap.Wire;
using Posthorn.Store;

namespace Posthorn.Imap.Commands;

/// <summary>STATUS (RFC 9051 section 6.3.11; HIGHESTMODSEQ RFC 7162, MAILBOXID RFC 8474, APPENDLIMIT RFC 7889, DELETED-STORAGE RFC 9208).</summary>
/// <remarks><c>status = "STATUS" SP mailbox SP "(" status-att *(SP status-att) ")"</c></remarks>
internal sealed record Status(MailboxName Name, StatusItems Items) : IImapCommand<Status>
{
    private static readonly (string Name, StatusItems Item)[] Names =
    [
        ("MESSAGES", StatusItems.Messages), ("RECENT", StatusItems.Recent), ("UIDNEXT", StatusItems.UidNext), ("UIDVALIDITY", StatusItems.UidValidity),
        ("UNSEEN", StatusItems.Unseen), ("DELETED", StatusItems.Deleted), ("SIZE", StatusItems.Size), ("HIGHESTMODSEQ", StatusItems.HighestModSeq),
        ("MAILBOXID", StatusItems.MailboxId), ("APPENDLIMIT", StatusItems.AppendLimit), ("DELETED-STORAGE", StatusItems.DeletedStorage),
    ];

    public static Status Parse(ref ImapReader args)
    {
        args.Space();
        MailboxName name = args.Mailbox();
        args.Space();
        StatusItems items = ParseItems(ref args);
        args.End();
        return new(name, items);
    }

    /// <summary>The parenthesised items; also those of LIST-STATUS (RFC 5819).</summary>
    public static StatusItems ParseItems(ref ImapReader args)
    {
        args.Take((byte)'(');
        StatusItems items = StatusItems.None;
        do
        {
            StatusItems item = Find(args.Atom());
            if (item == StatusItems.None) args.Fail("a status item");
            items |= item;
        }
        while (args.TrySpace());
        args.Take((byte)')');
        return items;
    }

    public async ValueTask<Completion> RunAsync(ImapSession session, Numbering by, CancellationToken cancel)
    {
        Result<MailboxStatus> status = await session.Store.StatusAsync(Name, cancel);
        if (!status.IsOk) return Completion.From(status.Refusal);
        if (Items.HasFlag(StatusItems.HighestModSeq)) session.EnableCondstore(); // RFC 7162 section 3.1
        Write(session, status.Value, Items);
        return Completion.Ok("Status told");
    }

    /// <summary>Writes one STATUS response.</summary>
    public static void Write(ImapSession session, MailboxStatus status, StatusItems items)
    {
        ImapOutput output = session.Out;
        output.Begin("STATUS "u8);
        output.Mailbox(status.Info.Name.Value);
        bool first = true;
        foreach ((string name, StatusItems item) in Names)
        {
            if (!items.HasFlag(item)) continue;
            output.Raw(first ? " (" : " ");
            first = false;
            output.Raw(name);
            output.Raw(" "u8);
            WriteValue(session, status, item);
        }
        output.Raw(")"u8);
        output.End();
    }

    private static void WriteValue(ImapSession session, MailboxStatus status, StatusItems item)
    {
        if (item == StatusItems.MailboxId)
        {
            session.Out.Raw($"({status.Info.Id})");
            return;
        }
        session.Out.Number(item switch
        {
            StatusItems.Messages => status.Messages,
            StatusItems.Recent => status.Recent,
            StatusItems.UidNext => status.UidNext.Value,
            StatusItems.UidValidity => status.Validity.Value,
            StatusItems.Unseen => status.Unseen,
            StatusItems.Deleted => status.Deleted,
            StatusItems.Size => status.Size,
            StatusItems.HighestModSeq => status.HighestModSeq.Value,
            StatusItems.AppendLimit => session.Options.MaxMessage,
            StatusItems.DeletedStorage => status.DeletedSize,
            _ => throw new System.Diagnostics.UnreachableException(),
        });
    }

    private static StatusItems Find(ReadOnlySpan<byte> word)
    {
        foreach ((string name, StatusItems item) in Names)
            if (System.Text.Ascii.EqualsIgnoreCase(word, name)) return item;
        return StatusItems.None;
    }
}

/// <summary>What STATUS can say.</summary>
[Flags]
internal enum StatusItems
{
    None = 0,
    Messages = 1,
    Recent = 2,
    UidNext = 4,
    UidValidity = 8,
    Unseen = 16,
    Deleted = 32,
    Size = 64,
    HighestModSeq = 128,
    MailboxId = 256,
    AppendLimit = 512,
    DeletedStorage = 1024,
}
