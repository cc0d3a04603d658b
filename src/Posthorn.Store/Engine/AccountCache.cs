using Posthorn.Core;

namespace Posthorn.Store.Engine;

/// <summary>The accounts that are open: those in use, and for a while some that were used last.</summary>
/// <remarks>Locking: <c>_gate</c> guards the table. Opening and closing happen outside it; whoever wants an account that is being opened or closed waits for that.</remarks>
internal sealed class AccountCache(int idle, TimeProvider time, Func<MailAccount, Result<Account>> open, Func<Account, bool, bool> close)
{
    /// <summary>How many accounts of one volume are closed at once. Whoever lets go of an account closes one: a volume that hangs must not take all of them with it, one after the other.</summary>
    private const int MostClosing = 16;

    private readonly Lock _gate = new();
    private readonly Dictionary<EmailAddress, Entry> _entries = [];
    private readonly Dictionary<ulong, int> _closing = [];
    private long _clock;

    private sealed class Entry
    {
        internal Account? Account { get; set; }
        internal int Leases { get; set; }
        internal long Used { get; set; }
        internal DateTimeOffset At { get; set; }

        /// <summary>Set while it is being opened or closed.</summary>
        internal TaskCompletionSource? Busy { get; set; }
    }

    internal async ValueTask<Result<AccountLease>> LeaseAsync(MailAccount who, CancellationToken cancel)
    {
        while (true)
        {
            Task? busy = null;
            Entry? mine = null;
            lock (_gate)
            {
                if (!_entries.TryGetValue(who.Address, out Entry? entry))
                {
                    mine = new() { Busy = new(TaskCreationOptions.RunContinuationsAsynchronously) };
                    _entries.Add(who.Address, mine);
                }
                else if (entry.Busy is { } other)
                {
                    busy = other.Task;
                }
                else
                {
                    entry.Leases++;
                    return new AccountLease(this, entry.Account!);
                }
            }

            if (busy is not null)
            {
                await busy.WaitAsync(cancel);
                continue;
            }

            return OpenNow(who, mine!);
        }
    }

    /// <summary>A hold on an account that is open; null when it is not.</summary>
    internal AccountLease? TryLeaseOpen(EmailAddress address)
    {
        lock (_gate)
        {
            if (!_entries.TryGetValue(address, out Entry? entry) || entry.Busy is not null || entry.Account is not { } account) return null;
            entry.Leases++;
            return new(this, account);
        }
    }

    internal AccountLease Again(Account account)
    {
        lock (_gate)
        {
            if (_entries.TryGetValue(account.Who.Address, out Entry? entry) && ReferenceEquals(entry.Account, account)) entry.Leases++;
            return new(this, account);
        }
    }

    internal void Release(Account account)
    {
        (EmailAddress, Entry)? closing = null;
        lock (_gate)
        {
            // A session may let go of its mailbox after the stores are closed.
            if (!_entries.TryGetValue(account.Who.Address, out Entry? entry) || !ReferenceEquals(entry.Account, account)) return;
            (entry.Used, entry.At) = (++_clock, time.GetUtcNow());
            if (--entry.Leases > 0) return;
            closing = Oldest();
        }

        // Those that others left, since enough were at it, are closed with it.
        while (closing is { } old)
        {
            if (!CloseNow(old.Item1, old.Item2, atEnd: false)) return; // its disk refuses: another time
            lock (_gate) closing = Oldest();
        }
    }

    /// <summary>Forgets an account although it may be in use: whoever asks for it next opens it anew.</summary>
    internal void Evict(Account account)
    {
        lock (_gate)
            if (_entries.TryGetValue(account.Who.Address, out Entry? entry) && ReferenceEquals(entry.Account, account) && entry.Busy is null) _entries.Remove(account.Who.Address);
    }

    /// <summary>All that are open now.</summary>
    internal IReadOnlyList<Account> Open()
    {
        lock (_gate) return [.. _entries.Values.Where(entry => entry.Busy is null && entry.Account is not null).Select(entry => entry.Account!)];
    }

    /// <summary>Those that are open, and those that are being closed at the same moment: whether all of theirs is on disk is known only when that is done.</summary>
    internal IReadOnlyList<Account> Open(out HashSet<EmailAddress> closing)
    {
        lock (_gate)
        {
            closing = [.. _entries.Where(pair => pair.Value.Busy is not null && pair.Value.Account is not null).Select(pair => pair.Key)];
            return Open();
        }
    }

    /// <summary>Whether one is open, or is being opened or closed.</summary>
    internal bool Knows(EmailAddress address)
    {
        lock (_gate) return _entries.ContainsKey(address);
    }

    /// <summary>Closes those that nobody has used since a time, one after the other.</summary>
    internal void CloseIdle(ulong device, DateTimeOffset before)
    {
        while (true)
        {
            (EmailAddress, Entry)? old = null;
            lock (_gate)
            {
                foreach (KeyValuePair<EmailAddress, Entry> pair in _entries)
                {
                    if (!IsIdle(pair.Value) || pair.Value.Account!.Device != device || pair.Value.At >= before) continue;
                    BeginClosing(pair.Value);
                    old = (pair.Key, pair.Value);
                    break;
                }
            }

            if (old is not { } idle) return;
            CloseNow(idle.Item1, idle.Item2, atEnd: false);
        }
    }

    private static bool IsIdle(Entry entry) => entry.Leases == 0 && entry.Busy is null && entry.Account is { IsBusy: false };

    /// <summary>Closes one that nobody uses, at once; false when somebody does, or it cannot be closed.</summary>
    internal bool TryClose(EmailAddress address)
    {
        Entry? entry;
        lock (_gate)
        {
            if (!_entries.TryGetValue(address, out entry)) return true;
            if (!IsIdle(entry)) return false;
            BeginClosing(entry);
        }

        CloseNow(address, entry, atEnd: false);
        lock (_gate) return !_entries.ContainsKey(address);
    }

    /// <summary>Closes everything, at the end.</summary>
    internal void CloseAll()
    {
        List<(EmailAddress, Entry)> all;
        lock (_gate)
        {
            all = [.. _entries.Where(pair => pair.Value.Busy is null).Select(pair => (pair.Key, pair.Value))];
            foreach ((EmailAddress _, Entry entry) in all) BeginClosing(entry);
        }

        foreach ((EmailAddress address, Entry entry) in all) CloseNow(address, entry, atEnd: true);
    }

    private Result<AccountLease> OpenNow(MailAccount who, Entry entry)
    {
        Result<Account> opened = new Refusal(RefusalKind.Unavailable, "The mail cannot be opened now");
        try
        {
            opened = open(who);
        }
        finally
        {
            lock (_gate)
            {
                if (opened.IsOk) (entry.Account, entry.Leases) = (opened.Value, 1);
                else _entries.Remove(who.Address);
                TaskCompletionSource busy = entry.Busy!;
                entry.Busy = null;
                busy.SetResult();
            }
        }

        if (opened.IsOk) return new AccountLease(this, opened.Value);
        return opened.Refusal;
    }

    // Under the gate: the one that was used longest ago, when too many are idle.
    private (EmailAddress, Entry)? Oldest()
    {
        if (_entries.Count <= idle) return null;
        int count = 0;
        KeyValuePair<EmailAddress, Entry>? oldest = null;
        foreach (KeyValuePair<EmailAddress, Entry> pair in _entries)
        {
            if (!IsIdle(pair.Value)) continue;
            count++;
            if (_closing.GetValueOrDefault(pair.Value.Account!.Device) >= MostClosing) continue;
            if (oldest is null || pair.Value.Used < oldest.Value.Value.Used) oldest = pair;
        }

        if (count <= idle || oldest is not { } found) return null;
        BeginClosing(found.Value);
        return (found.Key, found.Value);
    }

    // Under the gate.
    private void BeginClosing(Entry entry)
    {
        entry.Busy = new(TaskCreationOptions.RunContinuationsAsynchronously);
        _closing[entry.Account!.Device] = _closing.GetValueOrDefault(entry.Account.Device) + 1;
    }

    private bool CloseNow(EmailAddress address, Entry entry, bool atEnd)
    {
        bool closed = atEnd;
        try
        {
            closed = close(entry.Account!, atEnd);
        }
        finally
        {
            lock (_gate)
            {
                if (--_closing[entry.Account!.Device] == 0) _closing.Remove(entry.Account.Device);
                if (closed) _entries.Remove(address);
                else (entry.Used, entry.At) = (++_clock, time.GetUtcNow());
                TaskCompletionSource busy = entry.Busy!;
                entry.Busy = null;
                busy.SetResult();
            }
        }

        return closed;
    }
}
