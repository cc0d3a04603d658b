using Posthorn.Imap.Session;
using Posthorn.Imap.Wire;

namespace Posthorn.Imap.Commands;

/// <summary>What NOTIFY tells of (RFC 5465 section 5).</summary>
[Flags]
internal enum NotifyEvents
{
    None = 0,
    MessageNew = 1,
    MessageExpunge = 2,
    FlagChange = 4,
    MailboxName = 8,
    SubscriptionChange = 16,
    MailboxMetadataChange = 32,
    ServerMetadataChange = 64,

    /// <summary>Those that speak of messages.</summary>
    OfMessages = MessageNew | MessageExpunge | FlagChange,
}

/// <summary>What is told of which mailboxes.</summary>
internal sealed record NotifyGroup(MailboxFilter Filter, NotifyEvents Events, IReadOnlyList<FetchItem> Items);

/// <summary>NOTIFY: news of any mailbox at any time (RFC 5465).</summary>
/// <remarks><c>notify = "NOTIFY" SP ("NONE" / "SET" [SP "STATUS"] SP event-group *(SP event-group))</c>, <c>event-group = "(" filter-mailboxes SP events ")"</c></remarks>
internal sealed record Notify(bool Status, IReadOnlyList<NotifyGroup> Groups) : IImapCommand<Notify>
{
    private const int MaxGroups = 100; // people's programs write three

    public static Notify Parse(ref ImapReader args)
    {
        args.Space();
        if (args.TryWord("NONE"u8))
        {
            args.End();
            return new(false, []);
        }

        if (!args.TryWord("SET"u8)) args.Fail("SET or NONE");
        args.Space();
        bool status = args.TryWord("STATUS"u8);
        if (status) args.Space();
        List<NotifyGroup> groups = [];
        do
        {
            groups.Add(ParseGroup(ref args));
            if (groups.Count > MaxGroups) args.Fail("fewer groups");
        }
        while (args.TrySpace());
        args.End();
        if (groups.Count(group => group.Filter.IsOfSelected) > 1) args.Fail("SELECTED or SELECTED-DELAYED, once,");
        return new(status, groups);
    }

    public async ValueTask<Completion> RunAsync(ImapSession session, Numbering by, CancellationToken cancel)
    {
        Notifications? former = session.Notifications is { IsSilent: false } speaking ? speaking : null;
        session.Notifications = null;
        await session.News.TellAsync(mayExpunge: true, cancel); // as a NOOP does
        // NONE is not the way it was before the first NOTIFY: the client wants no events at all (RFC 5465 sections 3.1 and 5), as Dovecot has it too.
        session.Notifications = new(session, Groups, former);
        if (Groups.Count == 0) return Completion.Ok("Nothing is told unasked any more");
        await session.Notifications.BeginAsync(Status, cancel);
        return Completion.Ok("News is told");
    }

    private static NotifyGroup ParseGroup(ref ImapReader args)
    {
        args.Take((byte)'(');
        MailboxFilter filter = MailboxFilter.Parse(ref args, forSearch: false);
        args.Space();
        NotifyEvents events = NotifyEvents.None;
        List<FetchItem> items = [];
        if (!args.TryWord("NONE"u8))
        {
            // The RFC's examples leave the parentheses out.
            bool list = args.TryTake((byte)'(');
            do
            {
                events |= ParseEvent(ref args, items);
            }
            while (args.TrySpace());
            if (list) args.Take((byte)')');
        }

        args.Take((byte)')');
        bool whole = events.HasFlag(NotifyEvents.MessageNew) == events.HasFlag(NotifyEvents.MessageExpunge);
        if (!whole || events.HasFlag(NotifyEvents.FlagChange) && !events.HasFlag(NotifyEvents.MessageNew)) args.Fail("MessageNew and MessageExpunge together");
        if (filter.IsOfSelected && (events & ~NotifyEvents.OfMessages) != 0) args.Fail("events of messages for the selected mailbox");
        if (!filter.IsOfSelected && items.Count > 0) args.Fail("fetch items for the selected mailbox only");
        return new(filter, events, items);
    }

    private static NotifyEvents ParseEvent(ref ImapReader args, List<FetchItem> items)
    {
        if (args.TryWord("MessageNew"u8))
        {
            if (args.Next != ' ' || args.Second != '(') return NotifyEvents.MessageNew;
            args.Space();
            items.AddRange(FetchItems.ParseUnasked(ref args));
            return NotifyEvents.MessageNew;
        }

        if (args.TryWord("MessageExpunge"u8)) return NotifyEvents.MessageExpunge;
        if (args.TryWord("FlagChange"u8)) return NotifyEvents.FlagChange;
        if (args.TryWord("MailboxName"u8)) return NotifyEvents.MailboxName;
        if (args.TryWord("SubscriptionChange"u8)) return NotifyEvents.SubscriptionChange;
        if (args.TryWord("MailboxMetadataChange"u8)) return NotifyEvents.MailboxMetadataChange;
        if (args.TryWord("ServerMetadataChange"u8)) return NotifyEvents.ServerMetadataChange;
        args.Atom();
        args.Refuse(Completion.No("BADEVENT (MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange MailboxMetadataChange ServerMetadataChange)", "Such events are not told here"));
        return NotifyEvents.None;
    }
}
