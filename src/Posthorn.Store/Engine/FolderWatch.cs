using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using Posthorn.Journal.Volume;

namespace Posthorn.Store.Engine;

/// <summary>Has the folders of mailboxes that somebody has selected watched, and looked at when another program was there.</summary>
/// <remarks>
/// Where no watch can be had, the background looks at the directories' times instead; that is said once. A watch rests for a while when its last session is done, for the next one:
/// the kernel walks over all names of a directory that it knows when the first watch is set (20 ms for 100,000 messages).
/// </remarks>
internal sealed class FolderWatch(FolderScanner scanner, TimeProvider time, ILogger log)
{
    /// <summary>How long watches rest, at least.</summary>
    internal static readonly TimeSpan Rest = TimeSpan.FromSeconds(10);

    private readonly ConcurrentDictionary<Box, long> _resting = [];
    private int _said;

    /// <summary>How many watches rest now.</summary>
    internal int Resting => _resting.Count;

    /// <summary>A session selects the mailbox; the caller looks at the folder after this.</summary>
    internal void Begin(AccountLease lease, Box box)
    {
        lock (box.WatchGate)
        {
            _resting.TryRemove(box, out _);
            if (box.Watch is not { } watch || watch.IsOfAnotherFolder)
            {
                box.Watch?.End(); // renamed while it rested
                box.Watch = watch = new(this, lease.Account, box);
                if (!watch.Start() && Interlocked.Exchange(ref _said, 1) == 0) log.NoWatches();
            }

            watch.Take(lease);
        }
    }

    /// <summary>A session is done with it.</summary>
    internal void End(Box box)
    {
        AccountLease? hold;
        lock (box.WatchGate)
        {
            hold = box.Watch?.GiveBack();
            if (hold is not null) _resting[box] = time.GetTimestamp();
        }

        hold?.Dispose();
    }

    /// <summary>Ends the watches that have rested for long enough.</summary>
    internal void EndRested()
    {
        foreach ((Box box, long since) in _resting)
            if (time.GetElapsedTime(since) >= Rest) EndResting(box);
    }

    /// <summary>Ends the watches of mailboxes that nobody has open any more, as when their account is closed.</summary>
    internal void EndResting(IEnumerable<Box> boxes)
    {
        if (_resting.IsEmpty) return;
        foreach (Box box in boxes) EndResting(box);
    }

    private void EndResting(Box box)
    {
        lock (box.WatchGate)
        {
            if (!_resting.TryRemove(box, out _) || box.Watch is not { } watch) return;
            box.Watch = null;
            watch.End();
        }
    }

#pragma warning disable CA1031 // A worker's last frame: one folder's trouble is logged, and the background looks again.
    private async Task LookAsync(AccountLease lease, Box box)
    {
        try
        {
            await scanner.LookAsync(lease.Account, box, CancellationToken.None, told: true);
        }
        catch (Exception problem)
        {
            log.TidyFailed(problem, lease.Account.Who.Address);
        }
        finally
        {
            lease.Dispose();
        }
    }
#pragma warning restore CA1031

    /// <summary>The watches of one mailbox. It holds the account open while sessions use it.</summary>
    internal sealed class BoxWatch(FolderWatch owner, Account account, Box box)
    {
        private readonly List<IDisposable> _watches = [];
        private readonly string _folder = account.Tree.FolderPath(box.Name);
        private AccountLease? _lease;
        private int _users;
        private int _queued;

        /// <summary>Whether everything that happens is heard of.</summary>
        internal bool IsWhole { get; private set; }

        /// <summary>Whether nobody uses it and the mailbox has moved.</summary>
        internal bool IsOfAnotherFolder => _users == 0 && account.Tree.FolderPath(box.Name) != _folder;

        internal bool Start()
        {
            foreach (string part in (ReadOnlySpan<string>)["new", "cur"])
                if (account.Tree.Volume.Watch($"{_folder}/{part}", Hear) is { } watch) _watches.Add(watch);
            return IsWhole = _watches.Count == 2;
        }

        internal void Take(AccountLease lease)
        {
            _lease ??= lease.Again();
            _users++;
        }

        /// <summary>The hold on the account, when the last session is done.</summary>
        internal AccountLease? GiveBack()
        {
            if (--_users > 0) return null;
            AccountLease? lease = _lease;
            _lease = null;
            return lease;
        }

        internal void End()
        {
            foreach (IDisposable watch in _watches) watch.Dispose();
        }

        // On the thread that reads the events: a look is begun elsewhere, and one is enough for all that came before it. Nobody sees a mailbox whose watch rests; who opens it looks first.
        private void Hear(VolumeEvent change)
        {
            if (change.Name is ['.', ..] || Volatile.Read(ref _users) == 0 || Interlocked.Exchange(ref _queued, 1) == 1) return;
            ThreadPool.UnsafeQueueUserWorkItem(static watch => watch.Look(), this, preferLocal: false);
        }

        private void Look()
        {
            Volatile.Write(ref _queued, 0);
            AccountLease hold;
            lock (box.WatchGate)
            {
                if (_lease is not { } lease) return;
                hold = lease.Again();
            }

            _ = owner.LookAsync(hold, box);
        }
    }
}
