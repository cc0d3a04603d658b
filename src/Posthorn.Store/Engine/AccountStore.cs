using System.Runtime.CompilerServices;
using Posthorn.Core;
using Posthorn.Journal;
using Posthorn.Journal.Volume;
using Posthorn.Store.Changes;

namespace Posthorn.Store.Engine;

/// <summary>The store of one account: decides on changes, has them recorded, and answers when they have come true.</summary>
/// <remarks>What reads begins with <see cref="Account.CatchUp"/>: new mail may wait until somebody looks.</remarks>
internal sealed class AccountStore(AccountLease lease, StoreServices services) : IMailStore
{
    private static readonly Refusal NoMailbox = new(RefusalKind.NoSuchMailbox, "No such mailbox");
    private static readonly Refusal Nothing = new(RefusalKind.Unavailable, "There is nothing to do");
    private readonly Account _account = lease.Account;
    private readonly ChangeRunner _changes = new(lease.Account, services.Recorder);
    private AnnotationKeeper Annotations => field ??= new(_account, _changes, services.Recorder, services.FlagTurns, services.Options.AnnotationOctets);

    public MailAccount Account => _account.Who;

    public char Separator => services.Options.Separator;

    public long ChangeNumber
    {
        get
        {
            _account.CatchUp();
            return _account.ChangeNumber;
        }
    }

    public ValueTask<bool> RemembersAsync(ReadOnlyMemory<byte> id, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        _account.CatchUp();
        return ValueTask.FromResult(_account.Read(catalogue => catalogue.Notes.Remembers(id.Span, services.Recorder.Now)));
    }

    public ValueTask<IReadOnlyList<MailboxInfo>> ListAsync(CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        _account.CatchUp();
        return ValueTask.FromResult(_account.List());
    }

    public async ValueTask<Result<MailboxInfo>> CreateAsync(MailboxName name, SpecialUse use, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        if (!_account.Tree.Names.TryDirectory(name, out _)) return new Refusal(RefusalKind.BadName, "The mailbox name is too long for the file system");
        if (services.Space.Check(_account.Who, 0) is { } tight) return tight;
        MailboxId id = services.Options.Ids.Mailbox();
        Result<Operation> made = await _changes.RunAsync(() =>
        {
            if (_account.Pending(name.Value) is not null) return new Refusal(RefusalKind.AlreadyExists, "A mailbox of that name exists");
            if (_account.PendingCount >= services.Options.Mailboxes) return new Refusal(RefusalKind.Limit, $"An account can have {services.Options.Mailboxes} mailboxes");
            return services.Recorder.Append(_account, [new Change.Create(id, name, use, _account.NextValidity()), .. InheritedBy(name, id)], null, 0, 0);
        });
        if (!made.IsOk) return made.Refusal;
        if (_account.Published(id) is not { } box) return new Refusal(RefusalKind.AlreadyExists, "A mailbox of that name exists");
        return _account.InfoOf(box);
    }

    public async ValueTask<Result<Done>> DeleteAsync(MailboxName name, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        if (name.IsInbox) return new Refusal(RefusalKind.BadName, "INBOX cannot be removed");
        return DoneOr(await _changes.RunAsync(() =>
            _account.Pending(name.Value) is { } box ? services.Recorder.Append(_account, [new Change.Delete(box.Mailbox, name)], null, 0, 0) : NoMailbox));
    }

    public async ValueTask<Result<Done>> RenameAsync(MailboxName from, MailboxName target, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        if (from.IsInbox) return await RenameInboxAsync(target);
        return DoneOr(await _changes.RunAsync(() =>
            PlanRename(from, target).TryGet(out List<Change>? changes, out Refusal? refusal) ? services.Recorder.Append(_account, changes, null, 0, 0) : refusal));
    }

    public async ValueTask<Result<Done>> SubscribeAsync(MailboxName name, bool subscribed, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        return DoneOr(await _changes.RunAsync(() => subscribed && !_account.MaySubscribe(name.Value, services.Options.Subscriptions)
            ? new Refusal(RefusalKind.Limit, $"An account can have {services.Options.Subscriptions} subscriptions")
            : services.Recorder.Append(_account, [new Change.Subscribe(name, subscribed)], null, 0, 0)));
    }

    public async ValueTask<Result<MailboxStatus>> StatusAsync(MailboxName name, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        _account.CatchUp();
        if (_account.PublishedByName(name.Value) is { } box && box.Counts.Messages <= services.Options.LargeMailbox) await services.Scanner.LookAsync(_account, box, cancel);
        return MailReader.Status(_account, name);
    }

    public async ValueTask<Result<IMailbox>> OpenMailboxAsync(MailboxName name, bool readOnly, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        _account.CatchUp();
        if (_account.PublishedByName(name.Value) is not { } named) return NoMailbox;
        bool opened = false;
        services.Watch.Begin(lease, named); // before the look: what comes after it is heard of
        try
        {
            // In a large one the background looks for what others did, as soon as it is open.
            if (named.Counts.Messages <= services.Options.LargeMailbox) await services.Scanner.LookAsync(_account, named, cancel);
            else named.Sight.PutOff = true;
            Result<IMailbox> open = await OpenMailboxAsync(name, named, readOnly);
            opened = open.IsOk;
            return open;
        }
        finally
        {
            if (!opened) services.Watch.End(named);
        }
    }

    private async ValueTask<Result<IMailbox>> OpenMailboxAsync(MailboxName name, Box watched, bool readOnly)
    {
        if (_account.Open(name.Value, readOnly) is not { Box: { } box } opened) return NoMailbox;
        OpenMailbox open = new(lease.Again(), box, services.Watch, watched, readOnly, opened);
        if (!opened.HasClaimed) return open;
        // What is recent is a hint: a full journal must not keep anybody from reading.
        await _changes.RunAsync(() => services.Recorder.AppendRelaxed(_account, [new Change.Claim(box.Mailbox, box.FirstRecent)]), durable: true);
        return open;
    }

    public ValueTask<Result<AppendReceipt>> AppendAsync(MailboxName target, IReadOnlyList<NewMessage> messages, CancellationToken cancel) =>
        AppendAsync(target, messages, soon: false, cancel);

    public ValueTask<Result<AppendReceipt>> AppendSoonAsync(MailboxName target, IReadOnlyList<NewMessage> messages, CancellationToken cancel) =>
        AppendAsync(target, messages, soon: true, cancel);

    private async ValueTask<Result<AppendReceipt>> AppendAsync(MailboxName target, IReadOnlyList<NewMessage> messages, bool soon, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        if (messages.Count == 0) return NoMessages();
        JournalContent? joined = null;
        try
        {
            if (services.Space.Check(_account.Who, messages.Sum(message => message.Content.Length)) is { } tight) return tight;
            joined = messages.Count == 1 ? null : services.Recorder.CreateContent();
            long[] offsets = new long[messages.Count];
            for (int i = 0; joined is not null && i < messages.Count; i++)
            {
                offsets[i] = joined.Length;
                await CopyAsync(((JournalSink)messages[i].Content).Content, joined, cancel);
            }

            JournalContent content = joined ?? ((JournalSink)messages[0].Content).Content;
            await content.CompleteAsync(cancel);
            EarlyFacts[] facts = new EarlyFacts[messages.Count];
            int room = EarlyFacts.Room;
            for (int i = 0; i < facts.Length; i++) facts[i] = services.Reader.FactsOf(content, default, new(offsets[i], messages[i].Content.Length), ref room);
            Box? box = null;
            List<Change> changes = new(messages.Count);
            Result<Operation> appended = await _changes.RunAsync(() =>
            {
                if (_account.Pending(target.Value) is not { } found) return NoMailbox;
                box = found;
                long size = facts.Sum(fact => fact.WireLength);
                if (_account.Room(size, messages.Count) is { } full) return full;
                changes.Clear();
                for (int i = 0; i < messages.Count; i++) changes.Add(StoreOf(messages[i], box, i, offsets[i], facts[i]));
                return services.Recorder.Append(_account, changes, content, size, messages.Count);
            }, durable: true, soon); // a NO would make the client send it again
            if (!appended.TryGet(out Operation? operation, out Refusal? refusal)) return refusal;
            if (operation.Skipped is not null) return NoMailbox;
            return new AppendReceipt(box!.Mailbox, box.Validity, [.. changes.Cast<Change.Store>().Select(store => new StoredMessage(box.Mailbox, box.Validity, store.Uid, store.Email))]);
        }
        catch (VolumeException problem) when (problem.Error is VolumeError.NoSpace or VolumeError.ReadOnly)
        {
            return ChangeRunner.NoRoom;
        }
        finally
        {
            if (joined is not null) await joined.DisposeAsync();
        }

        Result<AppendReceipt> NoMessages() => _account.PublishedByName(target.Value) is { } box ? new AppendReceipt(box.Mailbox, box.Validity, []) : NoMailbox;
    }

    public ValueTask<Result<Placement>> CopyAsync(MailboxId source, IReadOnlyList<Uid> uids, MailboxName target, CancellationToken cancel, IProgress<int>? done = null) =>
        PlaceAsync(source, uids, target, move: false, done, cancel);

    public ValueTask<Result<Placement>> MoveAsync(MailboxId source, IReadOnlyList<Uid> uids, MailboxName target, CancellationToken cancel, IProgress<int>? done = null) =>
        PlaceAsync(source, uids, target, move: true, done, cancel);

    public async ValueTask<Result<FlagOutcome>> ChangeFlagsAsync(MailboxId mailbox, IReadOnlyList<Uid> uids, FlagChange change, UnchangedSince? unchangedSince, CancellationToken cancel)
    {
        _account.CatchUp();
        if (_account.Published(mailbox) is not { } box) return NoMailbox;
        _account.VersionOf(box);
        // One at a time: each decides on what the one before it has made, so that UNCHANGEDSINCE holds (RFC 7162 section 3.1.3).
        using IDisposable turn = await services.FlagTurns.TakeAsync(_account.Who.Address, cancel);
        MailboxVersion version = box.Version!;
        List<Uid> changed = [], modified = [];
        HashSet<Uid> seen = new(uids.Count);
        List<Uid> work = [];
        HashSet<KeywordSet>? sets = null;
        foreach (Uid uid in uids)
        {
            int at = version.IndexOf(uid);
            if (at < 0 || !seen.Add(uid)) continue;
            MessageRow row = version[at];
            if (unchangedSince?.Admits(row, change) == false)
            {
                modified.Add(uid);
                continue;
            }

            changed.Add(uid);
            MessageRow wanted = Flags.Apply(row, change);
            if (wanted.Flags == row.Flags && wanted.Keywords.Equals(row.Keywords)) continue;
            work.Add(uid);
            if (wanted.Keywords.Count <= row.Keywords.Count && change.Operation != FlagOperation.Replace) continue;
            if (wanted.Keywords.Count > Math.Max(services.Options.MessageKeywords, row.Keywords.Count)) return new Refusal(RefusalKind.Limit, $"A message can have {services.Options.MessageKeywords} keywords");
            if (!wanted.Keywords.Equals(row.Keywords)) (sets ??= []).Add(wanted.Keywords);
        }

        if (sets is not null && !_account.Read(catalogue => catalogue.Keywords.HasRoom(sets, services.Options.KeywordOctets)))
            return new Refusal(RefusalKind.Limit, "This account has too many different keywords");
        if (work.Count > 0)
        {
            Result<Operation> done = await _changes.RunAsync(() => services.Recorder.AppendRelaxed(_account, [new Change.Flag(mailbox, change, work)]));
            if (!done.IsOk) return done.Refusal;
        }

        return new FlagOutcome(changed, modified);
    }

    public async ValueTask<Result<IReadOnlyList<Uid>>> ExpungeAsync(MailboxId mailbox, IReadOnlyList<Uid>? only, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        _account.CatchUp();
        if (_account.Published(mailbox) is not { } box) return NoMailbox;
        MailboxVersion version = _account.VersionOf(box);
        HashSet<Uid>? among = only is null ? null : [.. only];
        List<Uid> gone = [];
        foreach (ReadOnlyMemory<MessageRow> chunk in version.Chunks)
            foreach (ref readonly MessageRow row in chunk.Span)
                if ((row.Flags & SystemFlags.Deleted) != 0 && among?.Contains(row.Uid) != false) gone.Add(row.Uid);
        if (gone.Count == 0) return Array.Empty<Uid>();
        foreach (List<(Uid Uid, string Base)> messages in InParts(MailReader.BasesOf(_account, box, gone)))
        {
            Result<Operation> done = await _changes.RunAsync(() => services.Recorder.Append(_account, [new Change.Expunge(mailbox, messages)], null, 0, 0));
            if (!done.IsOk) return done.Refusal;
        }

        return gone;
    }

    public ValueTask<IReadOnlyList<UidRange>> ExpungedSinceAsync(MailboxId mailbox, ModSeq since, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        _account.CatchUp();
        return ValueTask.FromResult(MailReader.ExpungedSince(_account, mailbox, since));
    }

    /// <summary>Summaries read under one hold of the lock. 128: some tenths of a millisecond, and writers come in between.</summary>
    private const int SummariesAtOnce = 128;

    public async IAsyncEnumerable<MessageSummary> SummariesAsync(MailboxId mailbox, IReadOnlyList<Uid> uids, SummaryFields fields, [EnumeratorCancellation] CancellationToken cancel)
    {
        for (int start = 0; start < uids.Count; start += SummariesAtOnce)
        {
            cancel.ThrowIfCancellationRequested();
            _account.CatchUp();
            foreach (MessageSummary summary in services.Reader.Summaries(_account, mailbox, uids, start, Math.Min(SummariesAtOnce, uids.Count - start), fields)) yield return summary;
            await Task.CompletedTask;
        }
    }

    public ValueTask<Result<IMessageContent>> OpenContentAsync(MailboxId mailbox, Uid uid, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        _account.CatchUp();
        return ValueTask.FromResult(services.Reader.Open(_account, mailbox, uid));
    }

    public ValueTask<IReadOnlyList<Uid>> FindTextAsync(MailboxId mailbox, IReadOnlyList<Uid> candidates, TextCriterion criterion, CancellationToken cancel, IProgress<int>? done = null)
    {
        _account.CatchUp();
        return services.Reader.Finder.FindAsync(_account, mailbox, candidates, criterion, done, cancel);
    }

    public ValueTask<QuotaState> QuotaAsync(CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        _account.CatchUp();
        return ValueTask.FromResult(_account.Quota());
    }

    public ModSeq HighestModSeq
    {
        get
        {
            _account.CatchUp();
            return new(_account.ModSeq);
        }
    }

    public ValueTask<MailboxInfo?> FindAsync(MailboxName name, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        _account.CatchUp();
        return ValueTask.FromResult(_account.Find(name.Value));
    }

    public ValueTask<MailboxInfo?> FindAsync(MailboxId mailbox, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        _account.CatchUp();
        return ValueTask.FromResult(_account.Find(mailbox));
    }

    public async ValueTask<Result<Done>> ShareAsync(MailboxId mailbox, string identifier, Sharing.MailboxRights? rights, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        return DoneOr(await _changes.RunAsync(() =>
            _account.Published(mailbox) is null ? NoMailbox : services.Recorder.Append(_account, [new Change.Share(mailbox, identifier, rights)], null, 0, 0)));
    }

    public ValueTask<IReadOnlyList<Annotation>> AnnotationsAsync(MailboxId? mailbox, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        return ValueTask.FromResult(Annotations.Of(mailbox));
    }

    public ValueTask<IReadOnlyList<Annotation>> AnnotationsSinceAsync(ModSeq since, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        return ValueTask.FromResult(Annotations.Since(since));
    }

    public ValueTask<Result<ModSeq>> AnnotateAsync(MailboxId? mailbox, IReadOnlyList<Annotation> annotations, int most, CancellationToken cancel) =>
        Annotations.ChangeAsync(mailbox, annotations, most, cancel);

    public async ValueTask WaitForChangeAsync(long seen, CancellationToken cancel) => await _account.ChangeAbove(seen).WaitAsync(cancel);

    public ValueTask DisposeAsync()
    {
        lease.Dispose();
        return ValueTask.CompletedTask;
    }

    private async ValueTask<Result<Placement>> PlaceAsync(MailboxId source, IReadOnlyList<Uid> uids, MailboxName target, bool move, IProgress<int>? progress, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        _account.CatchUp();
        if (_account.Published(source) is not { } from) return NoMailbox;
        MailboxVersion version = _account.VersionOf(from);
        HashSet<Uid> seen = new(uids.Count);
        List<(Uid Uid, string Base)> messages = MailReader.BasesOf(_account, from, [.. uids.Where(uid => version.Contains(uid) && seen.Add(uid))]);
        List<Uid> sources = new(messages.Count), targets = new(messages.Count);
        Placement? placed = null;
        lock (_account.Gate)
            if (!move && _account.Room(messages.Sum(message => version[version.IndexOf(message.Uid)].Size), messages.Count) is { } full) return full;
        progress?.Report(uids.Count - messages.Count);
        foreach (List<(Uid Uid, string Base)> part in InParts(messages))
        {
            Result<Placement> done = await PlaceAsync(from, version, part, target, move);
            if (!done.TryGet(out placed, out Refusal? refusal))
            {
                // RFC 9051 section 6.4.7: what a COPY has brought must not stay when the rest fails. A MOVE has moved what it has (RFC 6851 section 3.3).
                if (!move && targets.Count > 0) await UndoAsync(target, targets);
                return refusal;
            }

            sources.AddRange(placed.Sources);
            targets.AddRange(placed.Targets);
            progress?.Report(part.Count);
        }

        return placed! with { Sources = sources, Targets = targets };
    }

    // The names of so many messages as one record can carry; at least one part, be it empty.
    private IEnumerable<List<(Uid Uid, string Base)>> InParts(List<(Uid Uid, string Base)> messages)
    {
        const int numbers = 24; // what stands beside a name at most
        List<(Uid Uid, string Base)> part = [];
        int room = services.Recorder.NamesLimit;
        foreach ((Uid Uid, string Base) message in messages)
        {
            int octets = System.Text.Encoding.UTF8.GetByteCount(message.Base) + numbers;
            if (octets > room && part.Count > 0)
            {
                yield return part;
                (part, room) = ([], services.Recorder.NamesLimit);
            }

            part.Add(message);
            room -= octets;
        }

        yield return part;
    }

    private async ValueTask UndoAsync(MailboxName target, List<Uid> copies)
    {
        if (_account.PublishedByName(target.Value) is not { } box) return;
        foreach (List<(Uid Uid, string Base)> part in InParts(MailReader.BasesOf(_account, box, copies)))
            await _changes.RunAsync(() => services.Recorder.Append(_account, [new Change.Expunge(box.Mailbox, part)], null, 0, 0), durable: true);
    }

    private async ValueTask<Result<Placement>> PlaceAsync(Box from, MailboxVersion version, List<(Uid Uid, string Base)> messages, MailboxName target, bool move)
    {
        MailboxId source = from.Mailbox;
        long size = messages.Sum(message => version[version.IndexOf(message.Uid)].Size);
        Box? into = null;
        Pair[] pairs = new Pair[messages.Count];
        Result<Operation> done = await _changes.RunAsync(() =>
        {
            if (_account.Pending(target.Value) is not { } found || _account.Pending(from.Name.Value) != from) return NoMailbox;
            into = found;
            if (messages.Count == 0) return Nothing;
            if (!move && _account.Room(size, messages.Count) is { } full) return full;
            for (int i = 0; i < pairs.Length; i++) pairs[i] = new(messages[i].Uid, new(into.NextUid++), messages[i].Base, i);
            return services.Recorder.Append(_account, [new Change.Place(source, into.Mailbox, move, pairs)], null, move ? 0 : size, move ? 0 : pairs.Length);
        });
        if (!done.TryGet(out Operation? operation, out Refusal? refusal))
            return ReferenceEquals(refusal, Nothing) ? new Placement(into!.Mailbox, into.Validity, [], []) : refusal;
        if (operation.WasSkipped(0, -1)) return NoMailbox;
        List<Uid> sources = new(pairs.Length), targets = new(pairs.Length);
        for (int i = 0; i < pairs.Length; i++)
        {
            if (operation.WasSkipped(0, i)) continue;
            sources.Add(pairs[i].Source);
            targets.Add(pairs[i].Target);
        }

        return new Placement(into!.Mailbox, into.Validity, sources, targets);
    }

    private Result<List<Change>> PlanRename(MailboxName from, MailboxName target)
    {
        if (_account.Pending(target.Value) is not null) return new Refusal(RefusalKind.AlreadyExists, "A mailbox of that name exists");
        string children = from.Value + Separator;
        if (target.Value.StartsWith(children, StringComparison.Ordinal)) return new Refusal(RefusalKind.BadName, "A mailbox cannot become its own child");
        List<Change> changes = [];
        foreach ((string name, Box box) in _account.PendingNames)
        {
            if (name != from.Value && !name.StartsWith(children, StringComparison.Ordinal)) continue;
            if (!MailboxName.TryCreate(target.Value + name[from.Value.Length..], Separator, out MailboxName renamed) || !_account.Tree.Names.TryDirectory(renamed, out _))
                return new Refusal(RefusalKind.BadName, "The mailbox name would be too long");
            if (_account.Pending(renamed.Value) is not null) return new Refusal(RefusalKind.AlreadyExists, $"A mailbox {renamed} exists");
            _ = MailboxName.TryCreate(name, Separator, out MailboxName old);
            changes.Add(new Change.Rename(box.Mailbox, old, renamed));
        }

        if (changes.Count == 0) return NoMailbox;
        return changes;
    }

    // A new mailbox has the list of the nearest one above it (RFC 4314 section 4).
    private IEnumerable<Change> InheritedBy(MailboxName name, MailboxId id)
    {
        for (int at = name.Value.LastIndexOf(Separator); at > 0; at = name.Value.LastIndexOf(Separator, at - 1))
            if (_account.Pending(name.Value[..at]) is { } parent) return parent.Acl.Entries.Select(entry => new Change.Share(id, entry.Identifier, entry.Rights));
        return [];
    }

    // RFC 9051 section 6.3.6: the messages go into a new mailbox, INBOX stays with its numbers and children.
    private async ValueTask<Result<Done>> RenameInboxAsync(MailboxName target)
    {
        _account.CatchUp();
        if (!_account.Tree.Names.TryDirectory(target, out _)) return new Refusal(RefusalKind.BadName, "The mailbox name is too long for the file system");
        if (_account.PublishedByName(MailboxName.Inbox.Value) is not { } inbox) return NoMailbox;
        MailboxVersion version = _account.VersionOf(inbox);
        // What one record cannot carry follows in more of them: a power cut in between leaves the rest in INBOX, and the client has had no OK.
        List<(Uid Uid, string Base)>[] parts = [.. InParts(MailReader.BasesOf(_account, inbox, [.. version.Chunks.SelectMany(chunk => chunk.ToArray()).Select(row => row.Uid)]))];
        MailboxId id = services.Options.Ids.Mailbox();
        Change[] annotations = AnnotationKeeper.CopyOf(_account, inbox, id) is { } copied ? [copied] : [];
        Result<Done> renamed = DoneOr(await _changes.RunAsync(() =>
        {
            if (_account.Pending(target.Value) is not null) return new Refusal(RefusalKind.AlreadyExists, "A mailbox of that name exists");
            Pair[] pairs = [.. parts[0].Select((message, i) => new Pair(message.Uid, new((uint)i + 1), message.Base, i))];
            Operation operation = services.Recorder.Append(_account,
                [new Change.Create(id, target, SpecialUse.None, _account.NextValidity()), new Change.Place(inbox.Mailbox, id, Move: true, pairs), .. annotations], null, 0, 0);
            _account.Pending(target.Value)!.NextUid = (uint)pairs.Length + 1;
            return operation;
        }));
        foreach (List<(Uid Uid, string Base)> part in parts.Skip(1))
        {
            if (!renamed.IsOk) return renamed;
            renamed = (await PlaceAsync(inbox, version, part, target, move: true)).TryGet(out _, out Refusal? refusal) ? Done.It : refusal;
        }

        return renamed;
    }

    private static Result<Done> DoneOr(Result<Operation> operation) => operation.IsOk ? Done.It : operation.Refusal;

    private Change.Store StoreOf(NewMessage message, Box box, int index, long offset, EarlyFacts facts) =>
        new(box.Mailbox, new(box.NextUid++), services.Options.Ids.Email(), index)
        {
            Flags = message.Flags,
            Keywords = message.Keywords,
            Internal = message.InternalDate.ToUnixTimeSeconds(),
            Zone = (short)message.InternalDate.TotalOffsetMinutes,
            Prefix = default,
            Offset = offset,
            Length = message.Content.Length,
            LfOctets = facts.LfOctets,
            Facts = facts.Held,
        };

    private static async ValueTask CopyAsync(JournalContent from, JournalContent into, CancellationToken cancel)
    {
        byte[] buffer = System.Buffers.ArrayPool<byte>.Shared.Rent(64 * 1024);
        for (long at = 0; at < from.Length;)
        {
            int got = from.Read(at, buffer);
            await into.WriteAsync(buffer.AsMemory(0, got), cancel);
            at += got;
        }

        System.Buffers.ArrayPool<byte>.Shared.Return(buffer);
    }
}
