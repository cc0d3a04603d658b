using System.Runtime.CompilerServices;
using Microsoft.Extensions.Logging;
using Posthorn.Core;
using Posthorn.Journal;
using Posthorn.Journal.Volume;
using Posthorn.Store.Catalogue;
using Posthorn.Store.Dovecot;

namespace Posthorn.Store.Engine;

/// <summary>The mail of all accounts in Maildirs, with a catalogue for each and the journal under them.</summary>
/// <remarks>
/// Made before the journal, since that replays into it: <c>new</c>, then <see cref="Journal.Journal.OpenAsync"/> with this among the participants, then <see cref="Start"/>.
/// Disposed before the journal. Locking: see <see cref="Account"/>; nothing here holds a lock of its own.
/// </remarks>
public sealed class MaildirStores : IMailStores, IJournalParticipant
{
    private static readonly Refusal OnItsWay = new(RefusalKind.Unavailable, "The mailbox is being made");
    private readonly MaildirStoreOptions _options;
    private readonly IVolume _volume;
    private readonly TimeProvider _time;
    private readonly ILogger _log;
    private readonly AccountOpener _opener;
    private readonly ShareIndex _shares;
    private readonly AccountCache _accounts;
    private readonly MailReader _reader;
    private readonly WordIndexer _indexer;
    private readonly AccountTurns _turns = new();
    private readonly SpaceGuard _space;
    private readonly CheckpointKeeper _keeper;
    private readonly Backlog? _backlog;
    private readonly StoreReplay _replay;
    private readonly CancellationTokenSource _stop = new();
    private Recorder? _recorder;
    private FolderScanner? _scanner;
    private TreeVisitor? _visitor;
    private StoreServices? _services;
    private Task _background = Task.CompletedTask;
    private volatile bool _isInDisorder;

    public MaildirStores(MaildirStoreOptions options, IVolume volume, TimeProvider time, ILogger log)
    {
        (_options, _volume, _time, _log) = (options, volume = new NotedVolume(volume), time, log);
        _shares = new(options);
        _shares.Load();
        _opener = new(options, volume, _shares, time, log);
        _reader = new(options, log);
        _space = new(volume, options, time);
        _accounts = new(options.IdleAccounts, time, who => _replay!.Open(who), Close);
        _keeper = new(options, volume, _accounts, time, log);
        _indexer = new(options, _reader, _accounts, time, log);
        _backlog = options.ApplyAfter > TimeSpan.Zero ? new(options, time, log) : null;
        _replay = new(_opener, _accounts, _keeper, _backlog, log);
    }

    /// <summary>The store's number in the journal.</summary>
    public byte Id => Recorder.Participant;

    public OctetGate WholeMessages => _reader.WholeMessages;

    /// <summary>How many mailboxes are watched though nobody has them open.</summary>
    internal int RestingWatches => _services?.Watch.Resting ?? 0;

    private Recorder Recorder => _recorder ?? throw new InvalidOperationException("The store was not started.");

    /// <summary>A ring that is full makes room before the start is over; what cannot be applied is held.</summary>
    void IJournalParticipant.Replayed(Journal.Journal journal) => _keeper.Journal = journal;

    /// <summary>After the journal has replayed: from now on changes are recorded in it, and the background works.</summary>
    public void Start(Journal.Journal journal)
    {
        ArgumentNullException.ThrowIfNull(journal);
        _replay.Journal = _keeper.Journal = _indexer.Journal = journal;
        _recorder = _keeper.Recorder = new(journal, _time);
        _scanner = new(_recorder, _time, _log);
        _visitor = new(_recorder, _options, _log);
        _services = new(_recorder, _reader, _turns, _scanner, new(_scanner, _time, _log), _space, _options);
        foreach (Account account in _accounts.Open()) (account.Journal, account.Backlog) = (journal, _backlog);
        _background = new StoreBackground(_services, _accounts, _indexer, RepairAsync, _time, _log).WorkAsync(_stop.Token);
    }

    /// <summary>Loads the library that lies beside the program, for who may be unable to read that folder in a moment.</summary>
    public static void LoadLibraries() => RuntimeHelpers.RunClassConstructor(typeof(Database).TypeHandle);

    public IMessageSink CreateSink() => new JournalSink(Recorder.CreateContent());

    public async ValueTask<Result<IMailStore>> OpenAsync(MailAccount account, CancellationToken cancel)
    {
        Result<AccountLease> lease = await LeaseAsync(account, cancel);
        if (!lease.IsOk) return lease.Refusal;
        return new AccountStore(lease.Value, _services ?? throw new InvalidOperationException("The store was not started."));
    }

    public async ValueTask<Result<Done>> HasRoomAsync(MailAccount account, long octets, CancellationToken cancel)
    {
        Result<AccountLease> lease = await LeaseAsync(account, cancel);
        if (!lease.IsOk) return lease.Refusal;
        using AccountLease held = lease.Value;
        if (_space.Check(account, octets) is { } tight) return tight;
        lock (held.Account.Gate)
            if (held.Account.Room(octets, 1) is { } full) return full;
        return Done.It;
    }

    public async ValueTask<DeliveryReceipt> DeliverAsync(IMessageSink message, DeliveryOrder order, CancellationToken cancel)
    {
        JournalContent content = ((JournalSink)message).Content;
        await content.CompleteAsync(cancel);
        using Delivery delivery = new(Recorder, _reader, content, order);
        foreach (MailAccount who in order.Deliveries.Select(one => one.Account).Concat(order.Notes.Select(note => note.Account)).Distinct().OrderBy(who => who.Address.ToString(), StringComparer.OrdinalIgnoreCase))
            delivery.Add(who.Address, await LeaseAsync(who, cancel));
        return await delivery.RunAsync(_log, cancel);
    }

    public IReadOnlyList<EmailAddress> SharersWith(EmailAddress user) => _shares.With(user);

    public long SharingNumber => _shares.Number;

    public ValueTask WaitForSharingAsync(long seen, CancellationToken cancel) => _shares.WaitAsync(seen, cancel);

    public ValueTask<Result<Placement>> TransferAsync(Sharing.Transfer transfer, CancellationToken cancel) =>
        WithBothAsync(transfer.From, transfer.Into, (from, into) => new TransferRun(Recorder, _reader, _space, from, into, transfer).RunAsync(cancel), cancel);

    public ValueTask<Result<AppendReceipt>> ReplaceAsync(Sharing.Replacement replacement, CancellationToken cancel) =>
        WithBothAsync(replacement.From, replacement.Into, (from, into) => new ReplaceRun(_services ?? throw new InvalidOperationException("The store was not started."), from, into, replacement).RunAsync(cancel), cancel);

    // Both accounts stay open until it is done.
    private async ValueTask<Result<T>> WithBothAsync<T>(MailAccount from, MailAccount into, Func<Account, Account, ValueTask<Result<T>>> run, CancellationToken cancel) where T : notnull
    {
        Result<AccountLease> source = await LeaseToReadAsync(from, cancel);
        if (!source.TryGet(out AccountLease? first, out Refusal? refusal)) return refusal;
        using AccountLease held = first;
        Result<AccountLease> target = await LeaseToReadAsync(into, cancel);
        if (!target.TryGet(out AccountLease? second, out refusal)) return refusal;
        using AccountLease heldToo = second;
        return await run(held.Account, heldToo.Account);
    }

    /// <summary>What was expunged from an account and is still kept, the latest first.</summary>
    public async ValueTask<Result<IReadOnlyList<ExpungedMessage>>> ListExpungedAsync(MailAccount who, CancellationToken cancel)
    {
        Result<AccountLease> lease = await LeaseToReadAsync(who, cancel);
        if (!lease.IsOk) return lease.Refusal;
        using AccountLease held = lease.Value;
        return new ExpungedMail(held.Account).List(cancel);
    }

    /// <summary>Brings an expunged message back, under a new UID.</summary>
    /// <param name="who">Whose.</param>
    /// <param name="id">Which, as <see cref="ListExpungedAsync"/> names it.</param>
    /// <param name="into">The mailbox that gets it; null for the one where it was, or INBOX when that is removed.</param>
    /// <param name="cancel">Gives up.</param>
    public async ValueTask<Result<(MailboxName Mailbox, StoredMessage Message)>> UndeleteAsync(MailAccount who, string id, string? into, CancellationToken cancel)
    {
        Result<IMailStore> opened = await OpenAsync(who, cancel);
        if (!opened.IsOk) return opened.Refusal;
        await using IMailStore store = opened.Value;
        Result<AccountLease> lease = await LeaseToReadAsync(who, cancel);
        if (!lease.IsOk) return lease.Refusal;
        using AccountLease held = lease.Value;
        using IDisposable? turn = await _turns.EnterAsync(who.Address, Timeout.InfiniteTimeSpan, cancel); // twice at once would bring it twice
        MailboxName target = MailboxName.Inbox;
        if (into is not null && !MailboxName.TryCreate(into, _options.Separator, out target)) return new Refusal(RefusalKind.BadName, $"No mailbox can be named '{into}'");
        ExpungedMail expunged = new(held.Account);
        if (expunged.Find(id) is not { } kept) return new Refusal(RefusalKind.Expunged, "No such message is kept, or not any more");
        if (into is null) target = kept.Mailbox ?? MailboxName.Inbox;
        if (!_volume.TryStat(kept.Path, out VolumeStat stat)) return new Refusal(RefusalKind.Expunged, "It is not kept any more");
        await using IMessageSink sink = CreateSink();
        await CopyAsync(kept.Path, sink, cancel);
        Result<AppendReceipt> back = await store.AppendAsync(target, [new(sink, kept.Flags, kept.Keywords, stat.Modified)], cancel);
        if (!back.IsOk) return back.Refusal;
        expunged.Remove(id); // it has its record: another time it would come twice
        held.Account.CountKept();
        return (target, back.Value.Messages[0]);
    }

    private async ValueTask CopyAsync(string path, IMessageSink sink, CancellationToken cancel)
    {
        using IVolumeFile file = _volume.Open(path, VolumeOpen.Read);
        byte[] buffer = new byte[64 * 1024];
        for (long at = 0; ;)
        {
            int got = file.Read(at, buffer);
            if (got == 0) return;
            await sink.WriteAsync(buffer.AsMemory(0, got), cancel);
            at += got;
        }
    }

    /// <summary>Hands an account's tree to Dovecot, so that none of its clients sees a change. Nobody else may use the account meanwhile.</summary>
    public async ValueTask<Result<DovecotHandover>> ExportDovecotAsync(MailAccount who, IProgress<(int Done, int All)> progress, CancellationToken cancel)
    {
        Result<DovecotHandover> handover = await HandOverAsync(who, progress, cancel);
        if (!handover.IsOk || who.Layout == MailLayout.Plain) return handover;
        // Only when nothing of ours writes there any more. The background may be at work on it for a moment.
        for (int attempt = 0; !_accounts.TryClose(who.Address); attempt++)
        {
            if (attempt == 100) return new Refusal(RefusalKind.Unavailable, $"{who.MailRoot} is still in use");
            await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System, cancel);
        }

        new ForeignLayout(new(_volume, who.MailRoot.TrimEnd('/'), new(_options.Separator)), who, _log).GiveBack();
        return handover;
    }

    private async ValueTask<Result<DovecotHandover>> HandOverAsync(MailAccount who, IProgress<(int Done, int All)> progress, CancellationToken cancel)
    {
        Result<AccountLease> lease = await LeaseToReadAsync(who, cancel);
        if (!lease.IsOk) return lease.Refusal;
        using AccountLease held = lease.Value;
        foreach (Box box in held.Account.Mailboxes.All()) await _scanner!.LookAsync(held.Account, box, cancel);
        _keeper.TidyAll(held.Account);
        if (!held.Account.IsTreeKnown) return new Refusal(RefusalKind.Unavailable, $"Another server writes to {who.MailRoot}; stop it and try again");
        return new DovecotExport(_options, _time).Run(held.Account, progress);
    }

    /// <summary>Applies what a record says, unless the catalogue has it, and mends its files.</summary>
    public ValueTask ReplayAsync(JournalRecord record, CancellationToken cancel) => _replay.ReplayAsync(record, cancel);

    public ValueTask PrepareAsync(Lsn durable, CancellationToken cancel) => _keeper.PrepareAsync(durable, cancel);

    /// <summary>Brings names and the second home up to date and syncs every volume that was touched.</summary>
    public ValueTask SyncAsync(Lsn upTo, CancellationToken cancel) => _keeper.SyncAsync(upTo, cancel);

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await EndBackgroundAsync();
        if (_backlog is not null) await _backlog.DisposeAsync();
        _accounts.CloseAll();
        EndRun();
        _stop.Dispose();
    }

    /// <summary>Brings an account's word index up to date at once. False when that fails.</summary>
    /// <param name="who">Whose.</param>
    /// <param name="anew">Whether the old one is thrown away.</param>
    /// <param name="progress">Told how many messages were taken in since the last call.</param>
    /// <param name="cancel">Gives up; what is indexed stays so.</param>
    public async ValueTask<bool> IndexAsync(MailAccount who, bool anew, Action<int>? progress, CancellationToken cancel)
    {
        Result<AccountLease> lease = await LeaseToReadAsync(who, cancel);
        if (!lease.IsOk) return false;
        using AccountLease held = lease.Value;
        if (anew) held.Account.Words.Reset();
        return await _indexer.IndexAsync(held.Account, politely: false, cancel, progress);
    }

    /// <summary>The accounts that are open now. For tests.</summary>
    internal IReadOnlyList<Account> OpenAccounts => _accounts.Open();

    /// <summary>Looks into the word index of an open account. For tests.</summary>
    internal bool TryUseWords<T>(EmailAddress address, Func<Catalogue.WordIndex, T> use, out T? result)
    {
        result = default;
        using AccountLease? lease = _accounts.TryLeaseOpen(address);
        return lease is not null && lease.Account.Words.TryUse(make: false, use, out result);
    }

    /// <summary>Ends as a crash would: nothing is written any more. For tests.</summary>
    internal async ValueTask AbandonAsync()
    {
        await _stop.CancelAsync();
        await EndBackgroundAsync();
        if (_backlog is not null) await _backlog.DisposeAsync();
        foreach (Account account in _accounts.Open()) account.Abandon();
    }

    // For whoever reads: with all mail that came in so far.
    private async ValueTask<Result<AccountLease>> LeaseToReadAsync(MailAccount who, CancellationToken cancel)
    {
        Result<AccountLease> leased = await LeaseAsync(who, cancel);
        if (leased.TryGet(out AccountLease? lease, out _)) lease.Account.CatchUp();
        return leased;
    }

    // A damaged account is made anew by whoever opens it.
    private async ValueTask RepairAsync(Account account, CancellationToken cancel)
    {
        Result<AccountLease> repaired = await LeaseAsync(account.Who, cancel);
        if (repaired.IsOk) repaired.Value.Dispose();
    }

    private async ValueTask<Result<AccountLease>> LeaseAsync(MailAccount who, CancellationToken cancel)
    {
        Result<AccountLease> leased = await _accounts.LeaseAsync(who, cancel);
        if (leased.TryGet(out AccountLease? open, out _) && (open.Account.IsDamaged || IsElsewhere(open.Account, ref who)))
        {
            if (!open.Account.IsDamaged) _log.LiesElsewhere(who.Address, who.MailRoot, open.Account.Who.MailRoot);
            await _replay.RetireAsync(open.Account, open.Account.IsDamaged);
            open.Dispose();
            leased = await _accounts.LeaseAsync(who, cancel);
        }

        if (!leased.IsOk) return leased;
        Account account = leased.Value.Account;
        account.SetLimits(who);
        _keeper.Touch(who);
        try
        {
            if (await SetUpAsync(account) is not { } refusal)
            {
                await _visitor!.VisitAsync(account, cancel);
                foreach (Box box in account.TakeUnlisted()) await _scanner!.LookAsync(account, box, cancel);
                return leased;
            }

            leased.Value.Dispose();
            return refusal;
        }
        catch (MailUnavailableException problem) when (problem.MustReconnect)
        {
            leased.Value.Dispose();
            return new Refusal(RefusalKind.Unavailable, "The mailbox is being repaired, try again in a moment");
        }
        catch
        {
            leased.Value.Dispose();
            throw;
        }
    }

    // Whether the mail lies elsewhere than where the account has it open. Whoever comes with an older word gets the newer one.
    private bool IsElsewhere(Account account, ref MailAccount who)
    {
        if (who.LiesWhere(account.Who)) return false;
        who = _opener.Newest(who);
        return !who.LiesWhere(account.Who);
    }

    // An account's first mailboxes; null, or why they cannot be made.
    private async ValueTask<Refusal?> SetUpAsync(Account account)
    {
        if (account.PublishedByName(MailboxName.Inbox.Value) is not null) return null;
        Result<Operation> setup = await new ChangeRunner(account, Recorder).RunAsync(() =>
            account.Pending(MailboxName.Inbox.Value) is null ? Recorder.Append(account, _opener.FirstMailboxes(account), null, 0, 0) : OnItsWay);
        return setup.IsOk || ReferenceEquals(setup.Refusal, OnItsWay) ? null : setup.Refusal;
    }

    private void EndRun()
    {
        if (_isInDisorder) return;
        try
        {
            _opener.End();
        }
        catch (IOException problem)
        {
            _log.RunNotEnded(problem); // The next start takes it for an end of the machine, which costs clients a longer look.
        }
    }

#pragma warning disable CA1031 // The end must come, whatever an account's trouble is; it is logged.
    private async Task EndBackgroundAsync()
    {
        try
        {
            await _background;
        }
        catch (Exception problem)
        {
            _log.BackgroundEnded(problem);
        }
    }

    // False: what is not on disk yet is known to this object alone, so it stays.
    private bool Close(Account account, bool atEnd)
    {
        try
        {
            _services?.Watch.EndResting(account.Mailboxes.All());
            _keeper.TidyAll(account);
            account.Dispose();
            return true;
        }
        catch (Exception problem)
        {
            _log.TidyFailed(problem, account.Who.Address);
            if (!atEnd) return false;
            _isInDisorder = true;
            account.Abandon(); // The next start replays what no checkpoint covers.
            return true;
        }
    }
#pragma warning restore CA1031
}
