using Posthorn.Core;

namespace Posthorn.Imap.Session;

/// <summary>What a client is told that it has not asked for: of the selected mailbox, and of what it watches elsewhere (RFC 9051 section 5.2, RFC 5465).</summary>
internal sealed class SessionNews(ImapSession session)
{
    /// <summary>Says the news of the selected mailbox; ends the session if the mailbox is gone.</summary>
    public ValueTask TellAsync(bool mayExpunge, CancellationToken cancel) =>
        (session.Metadata ?? (object?)session.Notifications) is null || session.IsLost ? TellBoxNewsAsync(mayExpunge, cancel) : TellAllNewsAsync(mayExpunge, cancel);

    /// <summary>Says the news that the client has not asked for by this command. One that says NOTIFY without SELECTED wants no word of the selected mailbox (RFC 5465 section 3.1), unless it is gone.</summary>
    public ValueTask TellUnaskedAsync(bool mayExpunge, CancellationToken cancel)
    {
        if (session.Notifications is not { SelectedEvents: Commands.NotifyEvents.None } || session.OpenBox?.Exists == false) return TellAsync(mayExpunge, cancel);
        session.OpenBox?.ForgetToldAhead();
        return session.IsLost ? ValueTask.CompletedTask : TellOtherNewsAsync(cancel);
    }

    /// <summary>The client has put these messages there itself: NOTIFY need not speak of them (RFC 5465 section 5).</summary>
    public void HasPut(MailboxId mailbox, IReadOnlyList<Uid> uids)
    {
        if (session.OpenBox is { } box && box.Id == mailbox)
        {
            if (session.Notifications is { NewItems.Count: > 0 } || !session.Contexts.IsEmpty) box.OwnMessages(uids);
        }
        else session.Notifications?.OwnMessages(mailbox, uids);
    }

    private async ValueTask TellAllNewsAsync(bool mayExpunge, CancellationToken cancel)
    {
        await TellBoxNewsAsync(mayExpunge, cancel);
        await TellOtherNewsAsync(cancel);
    }

    private async ValueTask TellOtherNewsAsync(CancellationToken cancel)
    {
        if (session.Metadata is not null) await session.Metadata.TellAsync(cancel);
        if (session.Notifications is not null) await session.Notifications.TellAsync(cancel);
    }

    private ValueTask TellBoxNewsAsync(bool mayExpunge, CancellationToken cancel)
    {
        if (session.OpenBox is not { } box || session.IsLost) return ValueTask.CompletedTask;
        if (!box.Exists)
        {
            if (box.IsReplaced) session.Out.Bye("UNAVAILABLE", "The mailbox had to be made anew; connect again");
            else session.Out.Bye(null, "The selected mailbox was deleted");
            session.EndAfterThis(box.IsReplaced ? "mailbox replaced" : "mailbox deleted");
            return ValueTask.CompletedTask;
        }
        return box.TellAsync(session, mayExpunge, cancel);
    }
}
