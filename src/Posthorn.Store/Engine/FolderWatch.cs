using Microsoft.Extensions.Logging;
using Posthorn.Journal.Volume;

namespace Posthorn.Store.Engine;

/// <summary>Has the folders of mailboxes that somebody has selected watched, and looked at when another program was there.</summary>
/// <remarks>Where no watch can be had, the background looks at the directories' times instead; that is said once.</remarks>
internal sealed class FolderWatch(FolderScanner scanner, ILogger log)
{
    private int _said;

    /// <summary>A session selects the mailbox; the caller looks at the folder after this.</summary>
    internal void Begin(AccountLease lease, Box box)
    {
        lock (box.WatchGate)
        {
            if (box.Watch is null)
            {
                BoxWatch watch = new(this, lease.Again(), box);
                box.Watch = watch;
                if (!watch.Start() && Interlocked.Exchange(ref _said, 1) == 0) log.NoWatches();
            }

            box.Watch.Users++;
        }
    }

    /// <summary>A session is done with it.</summary>
    internal static void End(Box box)
    {
        BoxWatch? over = null;
        lock (box.WatchGate)
        {
            if (box.Watch is not { } watch || --watch.Users > 0) return;
            (over, box.Watch) = (watch, null);
        }

        over.Dispose();
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

    /// <summary>The watches of one mailbox. It holds the account open.</summary>
    internal sealed class BoxWatch(FolderWatch owner, AccountLease lease, Box box)
    {
        private readonly List<IDisposable> _watches = [];
        private int _queued;

        internal int Users { get; set; }

        /// <summary>Whether everything that happens is heard of.</summary>
        internal bool IsWhole { get; private set; }

        internal bool Start()
        {
            string folder = lease.Account.Tree.FolderPath(box.Name);
            foreach (string part in (ReadOnlySpan<string>)["new", "cur"])
                if (lease.Account.Tree.Volume.Watch($"{folder}/{part}", Hear) is { } watch) _watches.Add(watch);
            return IsWhole = _watches.Count == 2;
        }

        internal void Dispose()
        {
            foreach (IDisposable watch in _watches) watch.Dispose();
            lease.Dispose();
        }

        // On the thread that reads the events: a look is begun elsewhere, and one is enough for all that came before it.
        private void Hear(VolumeEvent change)
        {
            if (change.Name is ['.', ..] || Interlocked.Exchange(ref _queued, 1) == 1) return;
            ThreadPool.UnsafeQueueUserWorkItem(static watch => watch.Look(), this, preferLocal: false);
        }

        private void Look()
        {
            Volatile.Write(ref _queued, 0);
            AccountLease hold;
            lock (box.WatchGate)
            {
                if (!ReferenceEquals(box.Watch, this)) return;
                hold = lease.Again();
            }

            _ = owner.LookAsync(hold, box);
        }
    }
}
