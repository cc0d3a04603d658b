using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.Logging;

namespace Posthorn.Store.Engine;

/// <summary>The accounts that have new mail in the journal which their catalogues do not have yet, since nobody looks at it. It gets there in one transaction for each account.</summary>
/// <remarks>Locking: a lock of its own, which is never held while an account works.</remarks>
internal sealed class Backlog : IAsyncDisposable
{
    private readonly Lock _gate = new();
    private readonly MaildirStoreOptions _options;
    private readonly ILogger _log;
    private readonly ITimer _timer;
    private HashSet<Account> _waiting = [];
    private readonly VolumeLanes _lanes = new();
    private Task _round = Task.CompletedTask;
    private int _messages;

    // Armed: the timer will begin a round, or one is at work, after which it is armed anew. There is never a second one beside it.
    private bool _armed, _stopped;

    internal Backlog(MaildirStoreOptions options, TimeProvider time, ILogger log)
    {
        (_options, _log) = (options, log);
        _timer = time.CreateTimer(_ => Begin(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Records of one account that may wait.</summary>
    internal int Limit => _options.UnappliedOfAccount;

    /// <summary>Room for one more; false when too many wait already, so that its sender is slowed down.</summary>
    internal bool TryEnter()
    {
        if (Interlocked.Increment(ref _messages) <= _options.Unapplied) return true;
        Interlocked.Decrement(ref _messages);
        return false;
    }

    /// <summary>So many wait no more.</summary>
    internal void Leave(int messages) => Interlocked.Add(ref _messages, -messages);

    /// <summary>Sees to it that an account's new mail is applied in time.</summary>
    internal void Add(Account account)
    {
        lock (_gate)
        {
            if (!_waiting.Add(account) || _armed || _stopped) return;
            _armed = _timer.Change(_options.ApplyAfter, Timeout.InfiniteTimeSpan);
        }
    }

    /// <summary>The account is closed.</summary>
    internal void Forget(Account account)
    {
        lock (_gate) _waiting.Remove(account);
    }

    /// <summary>Begins nothing more; what waits stays in the journal or is applied when its account is closed.</summary>
    public async ValueTask DisposeAsync()
    {
        Task round;
        lock (_gate) (_stopped, round) = (true, _round);
        await _timer.DisposeAsync();
        await round;
        await _lanes.WhenAllAsync();
    }

    private void Begin()
    {
        lock (_gate)
        {
            if (_stopped) return;
            _round = Task.Run(Apply);
        }
    }

    // Each volume by itself: one may hang.
    private void Apply()
    {
        HashSet<Account> due;
        lock (_gate) (due, _waiting) = (_waiting, []);
        foreach (IGrouping<ulong, Account> volume in due.GroupBy(account => account.Device))
        {
            if (_lanes.TryBegin(volume.Key, () => Apply(volume))) continue;
            lock (_gate) _waiting.UnionWith(volume); // for when it is done
        }

        lock (_gate) _armed = _waiting.Count > 0 && !_stopped && _timer.Change(_options.ApplyAfter, Timeout.InfiniteTimeSpan);
    }

    [SuppressMessage("Design", "CA1031:Do not catch general exception types", Justification = "The round must outlive any account's trouble; it is logged, and the background tries again.")]
    private Task Apply(IEnumerable<Account> due)
    {
        foreach (Account account in due)
        {
            if (Volatile.Read(ref _stopped)) break;
            try
            {
                account.CatchUp();
            }
            catch (Exception problem)
            {
                _log.TidyFailed(problem, account.Who.Address);
            }
        }

        return Task.CompletedTask;
    }
}
