using Microsoft.Extensions.Logging;
using Posthorn.Core;
using Posthorn.Journal;
using Posthorn.Store.Catalogue;
using Posthorn.Store.Changes;
using Posthorn.Store.Maildir;

namespace Posthorn.Store.Engine;

/// <summary>One open account: what is published, what is on its way, and the one path by which the latter becomes the former.</summary>
/// <remarks>
/// Locking. Two locks, never awaited under, the first always before the second:
/// the catalogue lock (SQLite, files, publishing; held for milliseconds at most) and the gate (everything in memory; held for microseconds).
/// Gates of several accounts are taken in the order of their addresses. A record is appended to the journal under the gate, so that an
/// account's operations queue in the order of their LSNs. They are applied in that order, as many as are durable in one transaction, by whoever
/// comes first; the others find theirs done.
/// </remarks>
internal sealed class Account : IDisposable
{
    private readonly Lock _catalogueLock = new();
    private readonly Lock _gate = new();
    private readonly AccountCatalogue _catalogue;
    private readonly TimeProvider _time;
    private readonly ILogger _log;
    private readonly OperationQueue _queue = new();
    private readonly OperationRunner _runner;
    private readonly AccountUpkeep _upkeep;
    private readonly AccountQuota _quota;
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _changeNumber = 1;
    private bool _isAwaited;
    private readonly long _keywordOctets;
    private volatile bool _aclStale;
    private Box[] _unlisted = [];
    private volatile bool _isOver;

    internal Account(MailAccount who, MaildirTree tree, AccountCatalogue catalogue, MaildirStoreOptions options, TimeProvider time, ILogger log)
    {
        (Who, Tree, _catalogue, _time, _log, Ids) = (who, tree, catalogue, time, log, options.Ids);
        HostName = options.HostName.Replace('/', '_').Replace(':', '_').Replace(',', '_');
        _keywordOctets = options.KeywordOctets;
        _upkeep = new(this, catalogue, options.Tombstones, log);
        Files = new(this, catalogue, tree, log);
        Delayed = new(this);
        _runner = new(this, catalogue, _queue, new(this, catalogue, tree, options, time, log), _catalogueLock, time, log);
        Applied = catalogue.Meta(MetaKey.Applied).Number;
        ModSeq = Math.Max(1, catalogue.Meta(MetaKey.ModSeq).Number);
        Validity = (uint)catalogue.Meta(MetaKey.Validity).Number;
        _quota = new(_queue, options.CountExpunged);
        Mailboxes = new(_gate, catalogue, tree.Names.Separator, _quota);
        _queue.Reset(Mailboxes.Names);
        NamesAreDirty();
    }

    internal MailAccount Who { get; private set; }
    internal MaildirTree Tree { get; }
    internal FileKeeper Files { get; }

    /// <summary>The volume with its mail.</summary>
    internal ulong Device { get; init; }

    /// <summary>What is published.</summary>
    internal PublishedMailboxes Mailboxes { get; }

    internal DelayedFiles Delayed { get; }

    /// <summary>What is done to files behind the answer.</summary>
    internal required FilesBehind Behind { get; init; }

    internal string HostName { get; }
    internal NewIds Ids { get; }

    /// <summary>The last record that is in the catalogue.</summary>
    internal long Applied { get; private set; }

    /// <summary>Where it is written down with whom the account shares something; null in a store without others.</summary>
    internal ShareIndex? Shares { get; init; }

    internal long ModSeq { get; private set; }
    internal uint Validity { get; private set; }

    /// <summary>Takes care of new mail that waits; null while the journal replays, and when none may wait.</summary>
    internal Backlog? Backlog { get; set; }

    /// <summary>The journal; null while it replays.</summary>
    internal Journal.Journal? Journal { get; set; }

    /// <summary>After a rebuild: the EMAILIDs of messages that lists name and whose files have another name by now.</summary>
    internal Dictionary<string, string> Orphans { get; init; } = [];

    /// <summary>Whether the catalogue was found to be damaged: nothing more is read from it or written by it.</summary>
    internal bool IsDamaged => _catalogue.IsDamaged;

    /// <summary>Whether its messages may have keywords that none has yet.</summary>
    internal bool TakesKeywords => _catalogue.Keywords.TakesAny(_keywordOctets);

    /// <summary>Whether another object is to take its place, since its catalogue is damaged or its mail lies elsewhere now: nothing more is recorded for it, and whoever has it open must come again.</summary>
    internal bool IsOver => _isOver;

    /// <summary>The account's word index.</summary>
    internal required AccountWords Words { get; init; }

    /// <summary>Whether the mail lay elsewhere when the account was open last.</summary>
    internal bool HasMoved { get; init; }

    /// <summary>Whether the catalogue was closed properly before it was opened, and the journal knew no more than it: then the files are what we wrote last.</summary>
    internal bool EndedInOrder { get; set; }

    /// <summary>Whether the tree was looked at for what another server did to it since.</summary>
    internal bool IsTreeKnown { get; set; }

    /// <summary>One look at a time for what another server did.</summary>
    internal SemaphoreSlim VisitTurn { get; } = new(1, 1);

    /// <summary>Whether what is applied now may have been done before.</summary>
    internal bool IsReplaying => Journal is null;

    internal long ChangeNumber => Volatile.Read(ref _changeNumber);

    // ---- Reading what is published ----

    internal Box? Published(MailboxId mailbox) => Mailboxes.Find(mailbox);

    internal Box? PublishedByName(string name) => Mailboxes.Find(name);

    internal Box? PublishedById(long id) => Mailboxes.Find(id);

    internal MailboxInfo InfoOf(Box box) => Mailboxes.InfoOf(box, Who.Address);

    internal MailboxInfo? Find(string name) => PublishedByName(name) is { } box ? InfoOf(box) : null;

    internal MailboxInfo? Find(MailboxId mailbox) => Published(mailbox) is { } box ? InfoOf(box) : null;

    internal QuotaState Quota()
    {
        lock (_gate) return _quota.State;
    }

    internal Task ChangeAbove(long seen)
    {
        Task change;
        lock (_gate)
        {
            if (_changeNumber > seen) return Task.CompletedTask;
            (change, _isAwaited) = (_changed.Task, true);
        }

        CatchUp();
        return change;
    }

    internal Task ChangeOf(Box box, MailboxVersion seen)
    {
        lock (_gate) return box.ChangeFrom(seen);
    }

    /// <summary>Reads from the catalogue.</summary>
    internal T Read<T>(Func<AccountCatalogue, T> read)
    {
        lock (_catalogueLock) return _isOver ? throw Over() : read(_catalogue);
    }

    /// <summary>A content is another than before: what was computed from it is not believed any more.</summary>
    internal void ForgetSortKeys()
    {
        foreach (Box box in Mailboxes.All()) box.SortKeys = null;
    }

    /// <summary>The newest version of a mailbox, loaded when nobody has had it open yet.</summary>
    internal MailboxVersion VersionOf(Box box)
    {
        if (box.Version is { } known) return known;
        lock (_catalogueLock)
        {
            if (box.Version is { } loaded) return loaded;
            if (_isOver) throw Over();
            List<MessageRow[]> rows = _catalogue.View(box.Id, MailboxVersion.ChunkSize, box.Floor, out KeywordSet keywords);
            long count = rows.Sum(chunk => (long)chunk.Length);
            if (count != box.Counts.Messages) throw _catalogue.Damage($"{box.Name} has {count} messages, and {box.Counts.Messages} are counted.");
            keywords = keywords.Union(KeywordSet.Of(_catalogue.Letters(box.Id).Values.Where(name => Keyword.TryCreate(name, out _))
                .Select(name => Keyword.TryCreate(name, out Keyword keyword) ? keyword : default)));
            MailboxVersion version = MailboxVersion.OfChunks([.. rows], box.Validity, box.UidNext, box.Highest, keywords);
            box.Load(version);
            return version;
        }
    }

    /// <summary>Takes a hold on a mailbox for a session; null when it does not exist.</summary>
    internal OpenedBox? Open(string name, bool readOnly)
    {
        if (PublishedByName(name) is not { } box) return null;
        VersionOf(box);
        lock (_gate) box.Readers++; // from here on nothing new is left
        CatchUp();
        lock (_gate)
        {
            if (!box.Exists)
            {
                box.Readers--;
                return null;
            }

            Uid recent = box.FirstRecent;
            OpenedBox opened = new(box, recent, box.UidNext, HasClaimed: !readOnly && recent < box.UidNext);
            if (readOnly) return opened;
            box.Writers++;
            box.FirstRecent = box.FirstUntold = box.UidNext;
            return opened;
        }
    }

    /// <summary>See <see cref="IMailbox.ClaimRecent"/>.</summary>
    internal Uid ClaimRecent(Box box, Uid from, Uid next, bool readOnly)
    {
        lock (_gate)
        {
            Uid first = box.FirstUntold > from ? box.FirstUntold : from;
            if (!readOnly && next > box.FirstUntold) box.FirstUntold = next;
            return first < next ? first : next;
        }
    }

    internal void Close(Box box, bool readOnly)
    {
        lock (_gate)
        {
            box.Readers--;
            if (!readOnly) box.Writers--;
            if (box.Readers == 0) box.Gone.Clear();
        }
    }

    // ---- Proposing changes: all of this under the gate ----

    internal Lock Gate => _gate;

    /// <summary>Opens a mender for replay.</summary>
    internal FileMender Mender() => new(this, _catalogue, Tree, _log);

    /// <summary>A mailbox as it will be when all that is on its way has arrived.</summary>
    internal Box? Pending(string name) => _queue.Names.GetValueOrDefault(name);

    internal IReadOnlyDictionary<string, Box> PendingNames => _queue.Names;

    internal int PendingCount => _queue.Names.Count;

    /// <summary>The name that a published mailbox has when all renaming that is on its way has been tried; null when it is or will be gone.</summary>
    internal MailboxName? NameToBe(MailboxId mailbox) => Published(mailbox) is { Exists: true } box ? _queue.NameToBe(box) : null;

    /// <summary>The object that sessions may already know for a mailbox that is being made.</summary>
    internal Box? Emerging(MailboxId mailbox)
    {
        lock (_gate) return _queue.Emerging(mailbox);
    }

    /// <summary>The messages of a mailbox that operations on their way take out of it.</summary>
    internal HashSet<Uid> LeavingFrom(MailboxId mailbox) => _queue.LeavingFrom(mailbox);

    /// <summary>A UIDVALIDITY above the clock and all earlier ones.</summary>
    internal UidValidity NextValidity()
    {
        Validity = Math.Max(Validity + 1, (uint)_time.GetUtcNow().ToUnixTimeSeconds());
        return new(Validity);
    }

    internal void SetLimits(MailAccount who)
    {
        lock (_gate)
        {
            if (who.LiesWhere(Who)) Who = who;
            _quota.SetLimits(who.QuotaBytes, who.QuotaMessages);
        }
    }

    /// <summary>Counts what was expunged and is still kept, where that counts against the limit (<see cref="MaildirStoreOptions.CountExpunged"/>).</summary>
    internal void CountKept()
    {
        if (!_quota.CountsKept) return;
        (long, long) kept = new ExpungedMail(this).Space();
        lock (_gate) _quota.SetKept(kept);
    }

    /// <summary>Null when there is room for so much more.</summary>
    internal Refusal? Room(long octets, int messages) => _quota.Room(octets, messages);

    /// <summary>As above, for a message in whose place another one goes, unless what was expunged goes on counting.</summary>
    internal Refusal? RoomToReplace(long octets, long freed) => _quota.RoomToReplace(octets, freed);

    /// <summary>Puts an operation whose record was just appended into the queue, and what it will change into what is pending.</summary>
    internal void Enqueue(Operation operation, long octets, int messages) => _queue.Enqueue(operation, octets, messages);

    // ---- From the journal into the catalogue ----

    /// <summary>Waits until an operation is durable, applied and published.</summary>
    /// <exception cref="JournalException">Its record could not be made durable: it has not happened.</exception>
    internal ValueTask CompleteAsync(Operation operation) => _runner.CompleteAsync(operation);

    /// <summary>Writes a record's messages into new files, after a failed sync.</summary>
    internal void Rewrite(Operation operation)
    {
        lock (_catalogueLock) new FileRewriter(this, _catalogue, Tree).Rewrite(operation);
    }

    /// <summary>Writes the catalogue's pages once more, after a failed sync.</summary>
    internal void RewriteCatalogue() => Read(catalogue =>
    {
        catalogue.Rewrite();
        return true;
    });

    /// <summary>Whether durable records wait since they could not be applied: what is in the catalogue is not all that is known.</summary>
    internal bool IsStuck => _runner.HasFailed;

    /// <summary>Applies what is durable and could not be applied when it came.</summary>
    internal void Retry() => _runner.Retry();

    /// <summary>Applies new mail that was left since nobody looked: whoever reads the account calls it first.</summary>
    internal void CatchUp() => _runner.CatchUp();

    /// <summary>Whether nobody would see at once what an operation adds. Under the gate.</summary>
    internal bool IsUnseen(Operation operation)
    {
        if (_isAwaited) return false;
        foreach (Change change in operation.Changes)
            if (change is not Change.Store store || Published(store.Mailbox) is not { Exists: true, Readers: 0 }) return false;
        return true;
    }

    /// <summary>Applies a record on replay, or makes sure that its files are there when the catalogue has it.</summary>
    internal int Replay(Operation operation, FileMender mender) => _runner.Replay(operation, mender);

    /// <summary>On replay: nothing else is on its way.</summary>
    internal void Replayed()
    {
        EndedInOrder = false;
        lock (_gate) _queue.Reset(Mailboxes.Names);
        LookForLeftOvers();
    }

    /// <summary>Mailboxes without a list are to be looked at before anything else: all that lies in them is taken in.</summary>
    internal void LookAt(HashSet<MailboxId> unlisted)
    {
        _unlisted = [.. Mailboxes.All().Where(box => unlisted.Contains(box.Mailbox))];
        foreach (Box box in _unlisted) box.Sight.IsUnlisted = true;
    }

    /// <summary>Those mailboxes, once.</summary>
    internal Box[] TakeUnlisted() => _unlisted.Length == 0 ? _unlisted : Interlocked.Exchange(ref _unlisted, []);

    /// <summary>What the machine's end undid on disk alone is found at the next look at each folder.</summary>
    internal void LookForLeftOvers()
    {
        lock (_gate)
        {
            foreach (Box box in Mailboxes.All()) box.Sight.AfterRecovery = true;
        }
    }

    /// <summary>Makes visible what a transaction has made.</summary>
    internal void Publish(List<Operation> batch, Draft draft)
    {
        lock (_gate)
        {
            (ModSeq, Applied) = (draft.ModSeq, batch[^1].Lsn.Value);
            Validity = Math.Max(Validity, draft.Validity);
            Mailboxes.Take(draft);
            int left = _queue.Finish(batch, Mailboxes.Names);
            if (left > 0) Backlog!.Leave(left);
            if (draft.AclChanged is not null || draft.Boxes.Any(box => box.IsDeleted && !box.Acl.Entries.IsEmpty)) _aclStale = true;
            if (draft.HasNotes || draft.IsChanged) _upkeep.Changed(_time.GetUtcNow().ToUnixTimeMilliseconds(), draft.HasNotes);
            if (draft.IsChanged)
            {
                Words.IsStale = true;
                _changeNumber++;
                _isAwaited = false;
                TaskCompletionSource changed = _changed;
                _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
                changed.SetResult();
            }
        }

        foreach (Operation operation in batch)
            if (operation.Durability == Durability.Durable) operation.Ticket?.PartDone();
        if (_aclStale) NoteShares();
    }

    /// <summary>Writes down with whom the account shares something, if that changed. The catalogue has it: where it cannot be written down now it is as soon as that works.</summary>
    internal void NoteShares()
    {
        _aclStale = true;
        _upkeep.HomeIsStale();
        TryNoteShares();
    }

    private void TryNoteShares()
    {
        try
        {
            Shares?.Update(Who.Address, Mailboxes.Acls());
            _aclStale = false;
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            _log.TidyFailed(problem, Who.Address);
        }
    }

    // ---- For the applier and the background ----

    internal JournalContent ContentOf(Operation operation) => operation.ContentFrom(Journal);

    internal void NamesAreDirty() => _upkeep.NamesAreDirty();

    /// <summary>Whether background work waits: names that must follow, or a second home that is old.</summary>
    internal bool NeedsTidying(long now, TimeSpan idle) => _aclStale || _upkeep.IsNeeded(now, idle);

    /// <summary>Whether nothing changed for a while.</summary>
    internal bool IsIdle(long now, TimeSpan idle) => _upkeep.IsIdle(now, idle);

    /// <summary>Whether operations wait that could not be applied; such an account must not be closed.</summary>
    internal bool IsBusy
    {
        get
        {
            lock (_gate) return _queue.IsBusy;
        }
    }

    /// <summary>Lets file names follow, some at a time, and then writes the second home. False when there is more to do.</summary>
    internal bool Tidy(AccountTidier tidier, int limit, bool home)
    {
        Behind.Settle();
        lock (_catalogueLock)
        {
            if (_aclStale) TryNoteShares();
            return _upkeep.Tidy(tidier, limit, home);
        }
    }

    /// <summary>Marks the end as one in order and closes the catalogue.</summary>
    public void Dispose()
    {
        Backlog?.Forget(this);
        Words.Dispose();
        lock (_catalogueLock)
        {
            Behind.Settle();
            // What the word index has not heard of is found by comparing.
            if (!_catalogue.Contents.Removed.IsEmpty) _catalogue.SetMeta(MetaKey.Generation, 0, Ids.Text());
            _catalogue.SetMeta(MetaKey.OpenBoot, 0, "");
            _catalogue.Dispose();
        }
    }

    /// <summary>Another object is to take its place: from now on nothing is recorded and nothing read. What is on its way, each settled.</summary>
    internal async ValueTask<IReadOnlyList<Operation>> RetireAsync()
    {
        IReadOnlyList<Operation> open;
        lock (_gate)
        {
            _isOver = true;
            open = _queue.All();
        }

        foreach (Operation operation in open) await _runner.SettleAsync(operation);
        try
        {
            Behind.Settle();
        }
        catch (Posthorn.Journal.Volume.VolumeException problem)
        {
            _log.FileDelayed(problem, Who.Address); // the journal has it, and whoever takes its place mends it
        }

        Abandon();
        lock (_gate)
        {
            Backlog?.Leave(_queue.Left);
            foreach (Box box in Mailboxes.All()) box.Replace();
            _changed.TrySetResult();
        }

        return open;
    }

    internal static MailUnavailableException Over() => new("The account is being opened anew.", mustReconnect: true);

    /// <summary>Closes the catalogue as a crash would, for tests and after damage.</summary>
    internal void Abandon()
    {
        Backlog?.Forget(this);
        Words.Dispose();
        Behind.Drop();
        lock (_catalogueLock) _catalogue.Dispose();
    }
}
