using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using Posthorn.Core;
using Posthorn.Journal;
using Posthorn.Journal.Volume;
using Posthorn.Store.Changes;

namespace Posthorn.Store.Engine;

/// <summary>The store's part in checkpoints: each volume is brought up to date and synced by itself. One that hangs or fails keeps its records in files of their own, and nobody else waiting.</summary>
/// <remarks>
/// The journal calls one at a time; what others touch is concurrent. The volume with the catalogues is the exception: without it nothing is known for sure,
/// so its failure frees nothing.
/// </remarks>
internal sealed class CheckpointKeeper(MaildirStoreOptions options, IVolume volume, AccountCache accounts, TimeProvider time, ILogger log)
{
    private readonly ConcurrentDictionary<EmailAddress, Touched> _touched = new();
    private readonly ConcurrentDictionary<EmailAddress, List<(Lsn Lsn, AccountChanges Changes)>> _postponed = new();
    private readonly ConcurrentDictionary<EmailAddress, bool> _doubtful = new();
    private readonly ConcurrentDictionary<Lsn, HashSet<EmailAddress>> _held = new();
    private readonly ConcurrentDictionary<EmailAddress, Operation[]> _repairing = new();
    private readonly ConcurrentDictionary<EmailAddress, bool> _damaged = new();
    private readonly Dictionary<ulong, Task> _hanging = [];
    private volatile bool _cataloguesInDoubt;
    private long _round;

    /// <summary>An account of which something may not be synced.</summary>
    /// <param name="Who">Which.</param>
    /// <param name="Device">Its volume.</param>
    /// <param name="Round">The checkpoint that had begun last when somebody opened it last.</param>
    private readonly record struct Touched(MailAccount Who, ulong Device, long Round);

    internal Journal.Journal? Journal { get; set; }

    /// <summary>Who writes the store's records; null while the journal replays.</summary>
    internal Recorder? Recorder { get; set; }

    /// <summary>Something of the account changes, so that its volume must be synced.</summary>
    internal void Touch(MailAccount who)
    {
        long round = Interlocked.Read(ref _round);
        if (_touched.TryGetValue(who.Address, out Touched known) && known.Who.MailRoot == who.MailRoot)
        {
            if (known.Round < round) _touched[who.Address] = known with { Round = round };
        }
        else if (volume.TryStat(who.MailRoot, out VolumeStat stat)) _touched[who.Address] = new(who, stat.Device, round);
    }

    /// <summary>A record whose account cannot be opened: it waits in the journal until it can.</summary>
    internal void Postpone(Lsn record, AccountChanges changes) => _postponed.GetOrAdd(changes.Account.Address, _ => []).Add((record, changes));

    internal bool IsPostponed(EmailAddress account) => _postponed.ContainsKey(account);

    /// <summary>What waits for an account that has just been opened.</summary>
    internal IReadOnlyList<(Lsn Lsn, AccountChanges Changes)> PostponedOf(EmailAddress account) => _postponed.GetValueOrDefault(account) ?? [];

    /// <summary>All of that is applied.</summary>
    internal void Caught(EmailAddress account) => _postponed.TryRemove(account, out _);

    /// <summary>The account is being opened anew, since its catalogue is damaged or its mail lies elsewhere: what the journal has of it is needed until that is done.</summary>
    internal void BeginRepair(EmailAddress account, bool isDamaged)
    {
        if (isDamaged) _damaged[account] = true;
        _repairing.TryAdd(account, []);
    }

    /// <summary>As above, with what was on its way when that began.</summary>
    internal void BeginRepair(EmailAddress account, IReadOnlyList<Operation> open) =>
        _repairing.AddOrUpdate(account, [.. open], (_, earlier) => [.. earlier, .. open]);

    internal bool IsRepairing(EmailAddress account) => _repairing.ContainsKey(account);

    /// <summary>Whether that is because its catalogue is damaged.</summary>
    internal bool IsDamaged(EmailAddress account) => _damaged.ContainsKey(account);

    /// <summary>The account has all that the journal had.</summary>
    internal void EndRepair(EmailAddress account)
    {
        _damaged.TryRemove(account, out _);
        if (!_repairing.TryRemove(account, out Operation[]? open)) return;
        foreach (Operation operation in open)
        {
            if (operation.IsDone || operation.Durability != Durability.Durable) continue;
            operation.IsDone = true;
            operation.Ticket?.PartDone();
        }
    }

    /// <summary>The journal gave back a record that was held. Its files may be such as a failed sync left.</summary>
    internal void NoteHeld(Lsn record, EmailAddress account)
    {
        HashSet<EmailAddress> owners = _held.GetOrAdd(record, _ => []);
        owners.Add(account);
        _doubtful[account] = true;
    }

    /// <summary>Applies what can be applied; records of accounts where that fails or hangs leave the ring.</summary>
    internal async ValueTask PrepareAsync(Lsn durable, CancellationToken cancel)
    {
        (HashSet<EmailAddress> troubled, _) = await OnEachVolumeAsync(durable, sync: false, cancel);
        Hold(durable, troubled);
    }

    /// <summary>Brings names and the second home up to date and syncs every volume that was touched.</summary>
    /// <exception cref="IOException">The volume of the catalogues failed, or a record cannot be held: nothing may be freed.</exception>
    internal async ValueTask SyncAsync(Lsn upTo, CancellationToken cancel)
    {
        Interlocked.Increment(ref _round);
        // What is closed before anything is synced, and is not opened meanwhile, changes no more. What closes in between writes behind the sync.
        KeyValuePair<EmailAddress, Touched>[] closed = [.. _touched.ToArray().Where(one => !accounts.Knows(one.Key))];
        (HashSet<EmailAddress> troubled, HashSet<ulong> synced) = await OnEachVolumeAsync(upTo, sync: true, cancel);
        await SyncCataloguesAsync(synced);
        Hold(upTo, troubled);
        foreach (KeyValuePair<EmailAddress, Touched> one in closed)
            if (!troubled.Contains(one.Key)) _touched.TryRemove(one);
        Release(troubled);
    }

    // In their order, and each account's part as soon as it is safe: was it given back when the records behind it are gone, it would undo what they did.
    private void Release(HashSet<EmailAddress> troubled)
    {
        foreach ((Lsn lsn, HashSet<EmailAddress> owners) in _held.OrderBy(one => one.Key.Value))
        {
            if (!owners.Overlaps(troubled))
            {
                Journal!.Release(lsn);
                _held.TryRemove(lsn, out _);
            }
            else if (!owners.IsSubsetOf(troubled))
            {
                Journal!.Release(lsn, step => step.Participant == Engine.Recorder.Participant && !troubled.Contains(ChangeCodec.Read(step.Payload).Account.Address));
                owners.IntersectWith(troubled);
            }
        }
    }

    // Mail on the same volume is synced with it: one of the two failing means that both did.
    private async ValueTask SyncCataloguesAsync(HashSet<ulong> synced)
    {
        if (!volume.TryStat(options.AccountsDirectory, out VolumeStat stat)) return;
        try
        {
            if (_cataloguesInDoubt)
            {
                foreach ((EmailAddress _, Touched touched) in _touched.ToArray()) await RewriteCatalogueAsync(touched.Who);
                log.CataloguesRewritten(_touched.Count);
                volume.SyncVolume(options.AccountsDirectory);
                _cataloguesInDoubt = false;
            }
            else if (!synced.Contains(stat.Device)) volume.SyncVolume(options.AccountsDirectory);
        }
        catch (VolumeException)
        {
            _cataloguesInDoubt = true;
            throw;
        }
    }

    private async ValueTask RewriteCatalogueAsync(MailAccount who)
    {
        Result<AccountLease> lease = await accounts.LeaseAsync(who, CancellationToken.None);
        if (!lease.IsOk) return; // its records are held, for as long as it cannot be opened
        using AccountLease held = lease.Value;
        held.Account.RewriteCatalogue();
    }

    /// <summary>Lets names follow and writes the second home.</summary>
    internal void TidyAll(Account account)
    {
        account.Retry();
        AccountTidier tidier = new(account, account.Tree, log);
        while (!account.Tidy(tidier, options.NamesAtOnce, home: true))
        {
        }

        tidier.SweepExpunged(time.GetUtcNow() - options.KeepExpunged);
        account.CountKept();
    }

    private void Hold(Lsn upTo, HashSet<EmailAddress> troubled)
    {
        if (troubled.Count == 0) return;
        int held = Journal!.Hold(upTo, Engine.Recorder.Participant, record =>
        {
            HashSet<EmailAddress> owners = [.. record.Steps.Where(step => step.Participant == Engine.Recorder.Participant).Select(step => ChangeCodec.Read(step.Payload).Account.Address)];
            if (!owners.Overlaps(troubled) || Recorder?.IsAttaching(record) == true) return false; // the checkpoint waits for the others' part
            _held[record.Lsn] = owners;
            return true;
        });
        if (held > 0) log.RecordsHeld(held, troubled.Count);
    }

    // The accounts that could not be brought up to date, and the volumes that were synced.
    private async ValueTask<(HashSet<EmailAddress> Troubled, HashSet<ulong> Synced)> OnEachVolumeAsync(Lsn upTo, bool sync, CancellationToken cancel)
    {
        HashSet<EmailAddress> troubled = [.. _postponed.Keys, .. _repairing.Keys];
        HashSet<ulong> synced = [];
        foreach (IGrouping<ulong, KeyValuePair<EmailAddress, Touched>> device in _touched.ToArray().OrderBy(one => one.Key.ToString(), StringComparer.Ordinal).GroupBy(one => one.Value.Device))
        {
            EmailAddress[] owners = [.. device.Select(one => one.Key)];
            if (_hanging.TryGetValue(device.Key, out Task? last) && !last.IsCompleted)
            {
                troubled.UnionWith(owners);
                continue;
            }

            _hanging.Remove(device.Key);
            Task<HashSet<EmailAddress>?> work = Task.Run(() => OnVolumeAsync(upTo, device.First().Value.Who.MailRoot, owners, sync), cancel);
            try
            {
                HashSet<EmailAddress>? failed = await work.WaitAsync(options.VolumePatience, time, cancel);
                troubled.UnionWith(failed ?? [.. owners]);
                if (failed is not null) synced.Add(device.Key);
            }
            catch (TimeoutException)
            {
                _hanging[device.Key] = work;
                log.VolumeHangs(device.First().Value.Who.MailRoot, options.VolumePatience);
                troubled.UnionWith(owners);
            }
        }

        return (troubled, synced);
    }

#pragma warning disable CA1031 // Whatever an account's trouble is, it keeps that account's records and nobody else's; it is logged.
    // The accounts for which it failed; null when the volume as a whole did.
    private async Task<HashSet<EmailAddress>?> OnVolumeAsync(Lsn upTo, string root, EmailAddress[] owners, bool sync)
    {
        // One that is being closed writes still, and may not get done with it: then it goes on as it was, and needs its records.
        Dictionary<EmailAddress, Account> open = accounts.Open(out HashSet<EmailAddress> closing).ToDictionary(account => account.Who.Address);
        HashSet<EmailAddress> failed = [.. owners.Where(closing.Contains)];
        foreach (EmailAddress owner in owners)
        {
            try
            {
                if (open.TryGetValue(owner, out Account? account)) TidyAll(account);
            }
            catch (Exception problem)
            {
                log.TidyFailed(problem, owner);
                failed.Add(owner);
            }
        }

        if (!sync) return failed;
        HashSet<EmailAddress> doubtful = [.. owners.Where(_doubtful.ContainsKey)];
        if (doubtful.Count > 0) await RewriteAsync(upTo, doubtful, failed);
        try
        {
            volume.SyncVolume(root);
        }
        catch (VolumeException problem)
        {
            log.SyncFailed(problem, root);
            foreach (EmailAddress owner in owners) _doubtful[owner] = true;
            if (volume.TryStat(options.AccountsDirectory, out VolumeStat ours) && volume.TryStat(root, out VolumeStat theirs) && ours.Device == theirs.Device) _cataloguesInDoubt = true;
            return null;
        }

        foreach (EmailAddress owner in owners)
            if (!failed.Contains(owner)) _doubtful.TryRemove(owner, out _);
        return failed;
    }

    // What was written since the last checkpoint may be lost although the system takes it for written.
    private async ValueTask RewriteAsync(Lsn upTo, HashSet<EmailAddress> doubtful, HashSet<EmailAddress> failed)
    {
        foreach (JournalRecord record in Journal!.Read(upTo))
        {
            foreach (JournalStep step in record.Steps)
            {
                if (step.Participant != Engine.Recorder.Participant || !record.HasContent) continue;
                AccountChanges changes = ChangeCodec.Read(step.Payload);
                EmailAddress owner = changes.Account.Address;
                if (!doubtful.Contains(owner) || failed.Contains(owner)) continue;
                try
                {
                    await RewriteAsync(record, changes);
                }
                catch (Exception problem)
                {
                    log.TidyFailed(problem, owner);
                    failed.Add(owner);
                }
            }
        }
    }

#pragma warning restore CA1031

    private async ValueTask RewriteAsync(JournalRecord record, AccountChanges changes)
    {
        Result<AccountLease> lease = await accounts.LeaseAsync(changes.Account, CancellationToken.None);
        if (!lease.IsOk) throw new IOException(lease.Refusal.Text);
        using AccountLease held = lease.Value;
        await using JournalContent content = record.OpenContent();
        held.Account.Rewrite(new(record.Lsn, changes.Time, changes.Changes, content, null));
    }
}
