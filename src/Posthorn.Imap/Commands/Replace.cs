using Posthorn.Core;
using Posthorn.Imap.Session;
using Posthorn.Imap.Wire;
using Posthorn.Store;
using Posthorn.Store.Sharing;

namespace Posthorn.Imap.Commands;

/// <summary>REPLACE and UID REPLACE: a new message takes the place of another, as one step (RFC 8508).</summary>
/// <remarks><c>replace = "REPLACE" SP seq-number SP mailbox append-message</c></remarks>
internal sealed record Replace(NumberSet Message, MailboxName Target, IReadOnlyList<MessageHead> Heads) : IImapCommand<Replace>, IReadsMailbox
{
    public static Replace Parse(ref ImapReader args)
    {
        args.Space();
        uint number = args.TryTake((byte)'*') ? NumberSet.Star : args.NzNumber();
        args.Space();
        MailboxName target = args.Mailbox();
        return new(new([new(number, number)]), target, MessageHead.ParseAll(ref args));
    }

    public async ValueTask<Completion> RunAsync(ImapSession session, Numbering by, CancellationToken cancel)
    {
        SelectedMailbox box = session.Selected;
        if (!box.TryResolve(Message, by, [], out List<PositionRange> positions, out Completion? bad)) return bad;
        if (positions.Count == 0) return Completion.No("NONEXISTENT", "There is no such message");
        if (!box.Rights.HasFlag(MailboxRights.DeleteMessages | MailboxRights.Expunge)) return Completion.No("NOPERM", "You have not the rights to remove the old message (te)");
        MessageRow old = box.Newest(positions[0].First);
        if (!box.Newest().Contains(old.Uid)) return Completion.No("EXPUNGEISSUED", "The message to be replaced is gone"); // asked again when the new one is here
        List<NewMessage> messages = [];
        try
        {
            Completion? failure = await Append.ReceiveAsync(session, Target, Heads, messages, new(box.Info.Owner ?? session.Account!.Address, old.Size), cancel);
            if (failure is not null) return failure;
            if (messages.Count != 1) return Completion.Bad("REPLACE takes one message");
            Result<AppendReceipt> receipt = await session.Store.ReplaceAsync(box.Id, old.Uid, Target, messages[0], cancel);
            if (!receipt.IsOk) return Completion.From(receipt.Refusal, creatable: true);
            Completion appended = await Append.AppendedAsync(session, Target, receipt.Value, messages, cancel);
            session.Out.UntaggedOk(appended.Code, "Replacement stored");
        }
        finally
        {
            foreach (NewMessage message in messages) await message.Content.DisposeAsync();
        }

        await session.News.TellAsync(mayExpunge: true, cancel);
        return session.Mode.Condstore ? Completion.Ok($"HIGHESTMODSEQ {box.View.HighestModSeq}", "Replaced") : Completion.Ok("Replaced");
    }
}
