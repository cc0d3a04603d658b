using Posthorn.Core;
using Posthorn.Store.Changes;

namespace Posthorn.Store.Engine;

/// <summary>Changes to the mailboxes of an account themselves: made, removed, renamed, subscribed, shared.</summary>
/// <remarks>Locking: what decides runs under the account's gate (<see cref="ChangeRunner.RunAsync"/>).</remarks>
internal sealed class FolderChanges(Account account, ChangeRunner runner, StoreServices services, FolderChanges.Place place)
{
    private static readonly Refusal NoName = new(RefusalKind.BadName, "The mailbox name is too long for the file system, or one of its levels is '.' or '..'");

    /// <summary>Moves or copies messages by one record.</summary>
    internal delegate ValueTask<Result<Placement>> Place(Box from, MailboxVersion version, List<(Uid Uid, string Base)> messages, MailboxName target, bool move);

    internal async ValueTask<Result<MailboxInfo>> CreateAsync(MailboxName name, SpecialUse use, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        if (!account.Tree.Names.MayBeMade(name)) return NoName;
        if (services.Space.Check(account.Who, 0) is { } tight) return tight;
        if (account.Files.IsBlocked(name)) return new Refusal(RefusalKind.BadName, "A file of that name stands among the folders");
        if (account.Files.IsLeft(name)) return FileKeeper.Left;
        MailboxId id = services.Options.Ids.Mailbox();
        Result<Operation> made = await runner.RunAsync(() =>
        {
            if (account.Pending(name.Value) is not null) return new Refusal(RefusalKind.AlreadyExists, "A mailbox of that name exists");
            if (account.PendingCount >= services.Options.Mailboxes) return new Refusal(RefusalKind.Limit, $"An account can have {services.Options.Mailboxes} mailboxes");
            return services.Recorder.Append(account, [new Change.Create(id, name, use, account.NextValidity()), .. InheritedBy(name, id)], null, 0, 0);
        });
        if (!made.IsOk) return made.Refusal;
        if (account.Published(id) is not { } box) return new Refusal(RefusalKind.AlreadyExists, "A mailbox of that name exists");
        return account.InfoOf(box);
    }

    internal async ValueTask<Result<Done>> DeleteAsync(MailboxName name, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        if (name.IsInbox) return new Refusal(RefusalKind.BadName, "INBOX cannot be removed");
        if (account.PublishedByName(name.Value) is not null && account.Files.IsFixed(name, leaves: true)) return FileKeeper.Stays;
        return DoneOr(await runner.RunAsync(() =>
            account.Pending(name.Value) is { } box ? services.Recorder.Append(account, [new Change.Delete(box.Mailbox, name)], null, 0, 0) : ChangeRunner.NoMailbox));
    }

    internal async ValueTask<Result<Done>> RenameAsync(MailboxName from, MailboxName target, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        if (from.IsInbox) return await RenameInboxAsync(target);
        if (account.PublishedByName(from.Value) is not null && account.Files.IsFixed(from, leaves: false)) return FileKeeper.Stays;
        if (IsTaken(from, target)) return new Refusal(RefusalKind.AlreadyExists, "Another program has made a folder of that name");
        List<Change>? changes = null;
        Operation? recorded = null;
        Result<Done> renamed = DoneOr(await runner.RunAsync(() =>
            PlanRename(from, target).TryGet(out changes, out Refusal? refusal) ? recorded = services.Recorder.Append(account, changes, null, 0, 0) : refusal));
        if (recorded?.Refusal is not null) await UndoAsync(changes!);
        else if (recorded is { IsDone: true, Skipped: not null } && renamed.IsOk) return ChangeRunner.NoMailbox; // another session gave it another name meanwhile
        return renamed;
    }

    // Seen before anything is recorded: what a replay found there would not be asked to stay.
    private bool IsTaken(MailboxName from, MailboxName target)
    {
        string children = from.Value + services.Options.Separator;
        foreach (Box box in account.Mailboxes.All())
        {
            if (box.Name != from && !box.Name.Value.StartsWith(children, StringComparison.Ordinal)) continue;
            if (MailboxName.TryCreate(target.Value + box.Name.Value[from.Value.Length..], services.Options.Separator, out MailboxName renamed) && account.Tree.Names.MayBeMade(renamed)
                && account.PublishedByName(renamed.Value) is null && account.Files.IsTaken(renamed, box.Mailbox)) return true;
        }

        return false;
    }

    // The disk refused what is recorded: should the record be replayed once more, and the disk allow it then, the names must be as they are now all the same. Another session may
    // have given others meanwhile.
    internal async ValueTask UndoAsync(List<Change> changes) => await runner.RunAsync(() =>
    {
        List<Change> undone = [];
        foreach (Change.Rename change in changes.Cast<Change.Rename>())
            if (account.NameToBe(change.Mailbox) is { } name) undone.Add(new Change.Rename(change.Mailbox, change.Target, name));
        return undone.Count > 0 ? services.Recorder.Append(account, undone, null, 0, 0) : ChangeRunner.NoMailbox;
    });

    internal async ValueTask<Result<Done>> SubscribeAsync(MailboxName name, bool subscribed, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        return DoneOr(await runner.RunAsync(() => subscribed && !account.Mailboxes.MaySubscribe(name.Value, services.Options.Subscriptions)
            ? new Refusal(RefusalKind.Limit, $"An account can have {services.Options.Subscriptions} subscriptions")
            : services.Recorder.Append(account, [new Change.Subscribe(name, subscribed)], null, 0, 0)));
    }

    internal async ValueTask<Result<Done>> ShareAsync(MailboxId mailbox, string identifier, Sharing.MailboxRights? rights, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        return DoneOr(await runner.RunAsync(() =>
            account.Published(mailbox) is null ? ChangeRunner.NoMailbox : services.Recorder.Append(account, [new Change.Share(mailbox, identifier, rights)], null, 0, 0)));
    }

    private Result<List<Change>> PlanRename(MailboxName from, MailboxName target)
    {
        if (account.Pending(target.Value) is not null) return new Refusal(RefusalKind.AlreadyExists, "A mailbox of that name exists");
        string children = from.Value + services.Options.Separator;
        if (target.Value.StartsWith(children, StringComparison.Ordinal)) return new Refusal(RefusalKind.BadName, "A mailbox cannot become its own child");
        List<Change> changes = [];
        foreach ((string name, Box box) in account.PendingNames)
        {
            if (name != from.Value && !name.StartsWith(children, StringComparison.Ordinal)) continue;
            if (!MailboxName.TryCreate(target.Value + name[from.Value.Length..], services.Options.Separator, out MailboxName renamed) || !account.Tree.Names.MayBeMade(renamed))
                return NoName;
            if (account.Pending(renamed.Value) is not null) return new Refusal(RefusalKind.AlreadyExists, $"A mailbox {renamed} exists");
            _ = MailboxName.TryCreate(name, services.Options.Separator, out MailboxName old);
            changes.Add(new Change.Rename(box.Mailbox, old, renamed));
        }

        if (changes.Count == 0) return ChangeRunner.NoMailbox;
        return changes;
    }

    // A new mailbox has the list of the nearest one above it (RFC 4314 section 4).
    private IEnumerable<Change> InheritedBy(MailboxName name, MailboxId id)
    {
        for (int at = name.Value.LastIndexOf(services.Options.Separator); at > 0; at = name.Value.LastIndexOf(services.Options.Separator, at - 1))
            if (account.Pending(name.Value[..at]) is { } parent) return parent.Acl.Entries.Select(entry => new Change.Share(id, entry.Identifier, entry.Rights));
        return [];
    }

    // RFC 9051 section 6.3.6: the messages go into a new mailbox, INBOX stays with its numbers and children.
    private async ValueTask<Result<Done>> RenameInboxAsync(MailboxName target)
    {
        account.CatchUp();
        if (!account.Tree.Names.MayBeMade(target)) return NoName;
        if (account.Files.IsLeft(target)) return FileKeeper.Left;
        if (account.PublishedByName(MailboxName.Inbox.Value) is not { } inbox) return ChangeRunner.NoMailbox;
        MailboxVersion version = account.VersionOf(inbox);
        // What one record cannot carry follows in more of them: a power cut in between leaves the rest in INBOX, and the client has had no OK.
        List<(Uid Uid, string Base)>[] parts = [.. services.Recorder.InParts(MailReader.BasesOf(account, inbox, [.. version.Chunks.SelectMany(chunk => chunk.ToArray()).Select(row => row.Uid)]))];
        MailboxId id = services.Options.Ids.Mailbox();
        Change[] annotations = AnnotationKeeper.CopyOf(account, inbox, id) is { } copied ? [copied] : [];
        Result<Done> renamed = DoneOr(await runner.RunAsync(() =>
        {
            if (account.Pending(target.Value) is not null) return new Refusal(RefusalKind.AlreadyExists, "A mailbox of that name exists");
            Pair[] pairs = [.. parts[0].Select((message, i) => new Pair(message.Uid, new((uint)i + 1), message.Base, i))];
            Operation operation = services.Recorder.Append(account,
                [new Change.Create(id, target, SpecialUse.None, account.NextValidity()), new Change.Place(inbox.Mailbox, id, Move: true, pairs), .. annotations], null, 0, 0);
            account.Pending(target.Value)!.NextUid = (uint)pairs.Length + 1;
            return operation;
        }));
        foreach (List<(Uid Uid, string Base)> part in parts.Skip(1))
        {
            if (!renamed.IsOk) return renamed;
            renamed = (await place(inbox, version, part, target, move: true)).TryGet(out _, out Refusal? refusal) ? Done.It : refusal;
        }

        return renamed;
    }

    private static Result<Done> DoneOr(Result<Operation> operation) => operation.IsOk ? Done.It : operation.Refusal;
}
