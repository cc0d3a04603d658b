using System.Runtime.CompilerServices;
using Posthorn.Core;
using Posthorn.Store.Catalogue;
using Posthorn.Store.Changes;

namespace Posthorn.Store.Engine;

/// <summary>The store of one account: decides on changes, has them recorded, and answers when they have come true.</summary>
/// <remarks>What reads begins with <see cref="Account.CatchUp"/>: new mail may wait until somebody looks.</remarks>
internal sealed class AccountStore(AccountLease lease, StoreServices services) : IMailStore
{
    private static readonly Refusal NoMailbox = ChangeRunner.NoMailbox;
    private static readonly Refusal Nothing = new(RefusalKind.Unavailable, "There is nothing to do");
    private readonly Account _account = lease.Account;
    private readonly ChangeRunner _changes = new(lease.Account, services.Recorder);
    private AnnotationKeeper Annotations => field ??= new(_account, _changes, services.Recorder, services.Turns, services.Options.AnnotationOctets);
    private FolderChanges Folders => field ??= new(_account, _changes, services, PlaceAsync);
    private AppendRun Appender => field ??= new(_account, _changes, services);

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
        return ValueTask.FromResult(_account.Mailboxes.List(_account.Who.Address));
    }

    public ValueTask<Result<MailboxInfo>> CreateAsync(MailboxName name, SpecialUse use, CancellationToken cancel) => Folders.CreateAsync(name, use, cancel);

    public ValueTask<Result<Done>> DeleteAsync(MailboxName name, CancellationToken cancel) => Folders.DeleteAsync(name, cancel);

    public ValueTask<Result<Done>> RenameAsync(MailboxName from, MailboxName target, CancellationToken cancel) => Folders.RenameAsync(from, target, cancel);

    public ValueTask<Result<Done>> SubscribeAsync(MailboxName name, bool subscribed, CancellationToken cancel) => Folders.SubscribeAsync(name, subscribed, cancel);

    public ValueTask<Result<Done>> ShareAsync(MailboxId mailbox, string identifier, Sharing.MailboxRights? rights, CancellationToken cancel) => Folders.ShareAsync(mailbox, identifier, rights, cancel);

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
        Appender.RunAsync(target, messages, soon: false, cancel);

    public ValueTask<Result<AppendReceipt>> AppendSoonAsync(MailboxName target, IReadOnlyList<NewMessage> messages, CancellationToken cancel) =>
        Appender.RunAsync(target, messages, soon: true, cancel);

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
        using IDisposable? turn = await services.Turns.EnterAsync(_account.Who.Address, Timeout.InfiniteTimeSpan, cancel);
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

        if (sets is not null && !_account.Read(catalogue => HasRoom(catalogue.Keywords, sets)))
            return new Refusal(RefusalKind.Limit, "This account has too many different keywords");
        if (work.Count > 0)
        {
            Result<Operation> done = await _changes.RunAsync(() => services.Recorder.AppendRelaxed(_account, [new Change.Flag(mailbox, change, work)]));
            if (!done.IsOk) return done.Refusal;
        }

        return new FlagOutcome(changed, modified);
    }

    private bool HasRoom(KeywordSets known, IReadOnlyCollection<KeywordSet> wanted)
    {
        if (known.HasRoom(wanted, services.Options.KeywordOctets)) return true;
        known.DropUnused();
        return known.HasRoom(wanted, services.Options.KeywordOctets);
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
        List<Uid> expunged = new(gone.Count);
        foreach (List<(Uid Uid, string Base)> messages in services.Recorder.InParts(MailReader.BasesOf(_account, box, gone)))
        {
            // Whoever took \Deleted off meanwhile has had his OK.
            using IDisposable? turn = await services.Turns.EnterAsync(_account.Who.Address, Timeout.InfiniteTimeSpan, cancel);
            List<(Uid Uid, string Base)> still = [];
            Result<Operation> done = await _changes.RunAsync(() =>
            {
                if (_account.Emerging(mailbox) != box || box.Version is not { } now) return NoMailbox; // another now, or its numbers mean others
                still = messages.TrueForAll(IsDeleted) ? messages : messages.FindAll(IsDeleted);
                return still.Count > 0 ? services.Recorder.Append(_account, [new Change.Expunge(mailbox, still)], null, 0, 0) : Nothing;

                bool IsDeleted((Uid Uid, string Base) message) => now.IndexOf(message.Uid) is var at and >= 0 && (now[at].Flags & SystemFlags.Deleted) != 0;
            });
            if (!done.IsOk && !ReferenceEquals(done.Refusal, Nothing)) return done.Refusal;
            expunged.AddRange(still.Select(message => message.Uid));
        }

        return expunged;
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
        foreach (List<(Uid Uid, string Base)> part in services.Recorder.InParts(messages))
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

    private async ValueTask UndoAsync(MailboxName target, List<Uid> copies)
    {
        if (_account.PublishedByName(target.Value) is not { } box) return;
        foreach (List<(Uid Uid, string Base)> part in services.Recorder.InParts(MailReader.BasesOf(_account, box, copies)))
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
        }, durable: true); // a NO would make the client do it again, and it comes true all the same
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
}
