using Posthorn.Core;

namespace Posthorn.Sieve.Running;

/// <summary>Gathers the actions of a run by the rules of RFC 5228 section 2.10 and of each extension.</summary>
internal sealed class ResultBuilder(Execution x)
{
    /// <summary>The run that adds to it now; the test tool goes on with the result of an earlier one.</summary>
    public Execution Owner { get; set; } = x;

    private readonly List<SieveAction> _actions = [];
    private readonly List<SieveSeenId> _seen = [];
    private int _earlier;
    private int _done;
    private int _redirects;
    private int _notifications;

    /// <summary>The implicit keep has been cancelled.</summary>
    public bool IsKeepCancelled { get; private set; }

    public IReadOnlyList<SieveSeenId> SeenIds => _seen;

    public IReadOnlyList<SieveAction> Actions => _actions;

    public void CancelKeep() => IsKeepCancelled = true;

    public void Keep(IReadOnlyList<string> flags)
    {
        CancelKeep();
        Store(new SieveAction.Keep(flags, Owner.View.Image, false));
    }

    public void FileInto(SieveTarget target, bool copy)
    {
        if (!copy) CancelKeep();
        Store(new SieveAction.FileInto(target, Owner.View.Image));
    }

    // The same mailbox twice is one action with the last flags (RFC 5228 section 2.10.3, RFC 5232 section 3).
    private void Store(SieveAction store)
    {
        Conflicts(store);
        SieveTarget target = TargetOf(store)!;
        int same = _actions.FindIndex(a => TargetOf(a) is { } other && IsSame(other, target));
        if (same < 0)
        {
            Add(store);
            return;
        }
        _actions[same] = _actions[same] switch
        {
            SieveAction.Keep keep => keep with { Flags = target.Flags },
            SieveAction.FileInto file when store is SieveAction.Keep => new SieveAction.Keep(target.Flags, file.Image, false),
            SieveAction.FileInto file => file with { Target = file.Target with { Flags = target.Flags, Create = file.Target.Create || target.Create } },
            SieveAction other => other,
        };
    }

    private static SieveTarget? TargetOf(SieveAction action) => action switch
    {
        SieveAction.Keep keep => new(MailboxName.Inbox, keep.Flags),
        SieveAction.FileInto file => file.Target,
        _ => null,
    };

    private static bool IsSame(SieveTarget a, SieveTarget b) =>
        a.Mailbox.Equals(b.Mailbox) && a.MailboxId == b.MailboxId && string.Equals(a.SpecialUse, b.SpecialUse, StringComparison.OrdinalIgnoreCase);

    public void Redirect(SieveAction.Redirect redirect, bool copy)
    {
        if (!copy) CancelKeep();
        Conflicts(redirect);
        int same = _actions.FindIndex(a => a is SieveAction.Redirect other && other.Address == redirect.Address);
        if (same >= 0) return;
        if (++_redirects > Owner.Limits.MaxRedirects) throw new SieveRunException($"the number of redirect actions exceeds policy limit: {Owner.Limits.MaxRedirects} are allowed", SieveFailure.Limit);
        Add(redirect);
    }

    public void Discard()
    {
        CancelKeep();
        if (!_actions.Exists(a => a is SieveAction.Discard)) Add(new SieveAction.Discard());
    }

    public void Reject(SieveAction.Reject reject)
    {
        CancelKeep();
        int other = _actions.FindIndex(a => a is SieveAction.Reject);
        if (other >= 0)
        {
            // An administrator's script has rejected already: nothing to add.
            if (other < _earlier) return;
            throw new SieveRunException("a message can be rejected once only");
        }
        Conflicts(reject);
        Add(reject);
    }

    public void Vacation(SieveAction.Vacation vacation)
    {
        int other = _actions.FindIndex(a => a is SieveAction.Vacation);
        if (other >= 0)
        {
            if (other < _earlier) return;
            throw new SieveRunException("vacation can be used once only in a run");
        }
        Conflicts(vacation);
        Add(vacation);
    }

    public void Notify(SieveAction.Notify notify)
    {
        if (++_notifications > Owner.Limits.MaxNotifications)
            throw new SieveRunException($"the script notifies more than {Owner.Limits.MaxNotifications} times", SieveFailure.Limit);
        Add(notify);
    }

    /// <summary>Takes back notifications of this run.</summary>
    public void Denotify(Predicate<SieveAction.Notify> choose)
    {
        for (int i = _actions.Count - 1; i >= _done; i--)
            if (_actions[i] is SieveAction.Notify notify && choose(notify)) _actions.RemoveAt(i);
        _earlier = Math.Min(_earlier, _actions.Count);
    }

    public void Pipe(SieveAction.Pipe pipe, bool copy)
    {
        if (!copy) CancelKeep();
        Conflicts(pipe);
        Add(pipe);
    }

    public void Add(SieveAction action)
    {
        // An implicit or explicit keep must always be possible.
        if (_actions.Count >= Owner.Limits.MaxActions) throw new SieveRunException($"the total number of actions exceeds policy limit: {Owner.Limits.MaxActions} are allowed", SieveFailure.Limit);
        _actions.Add(action);
    }

    // RFC 5429 section 2.4: a message is either delivered or refused, and refusing is an answer already.
    private void Conflicts(SieveAction added)
    {
        foreach (SieveAction other in _actions.Skip(_done))
        {
            (SieveAction a, SieveAction b) = other is SieveAction.Reject ? (other, added) : (added, other);
            if (a is not SieveAction.Reject) continue;
            if (b is SieveAction.Vacation) throw new SieveRunException("reject and vacation cannot be used together: both answer the sender");
            if (b is SieveAction.Keep or SieveAction.FileInto or SieveAction.Redirect or SieveAction.Pipe)
                throw new SieveRunException($"reject and {(b is SieveAction.FileInto ? "fileinto" : b.Name)} cannot be used together: a message is either refused or delivered");
        }
    }

    /// <summary>What is here now has been carried out: later actions cannot be in conflict with it any more.</summary>
    public void MarkDone() => _earlier = _done = _actions.Count;

    public void Saw(SieveSeenId id)
    {
        _seen.RemoveAll(s => s.Handle == id.Handle && s.Id == id.Id);
        _seen.Add(id);
    }

    /// <summary>Ends one script of a chain; true when the next may run. A keep of an earlier script is left to the last one.</summary>
    public bool EndScript()
    {
        int keep = _actions.FindIndex(_earlier, a => a is SieveAction.Keep);
        if (keep >= 0)
        {
            Owner.Flags = [.. ((SieveAction.Keep)_actions[keep]).Flags];
            _actions.RemoveAt(keep);
            IsKeepCancelled = false;
        }
        _earlier = _actions.Count;
        return !IsKeepCancelled;
    }

    /// <summary>The actions, with the implicit keep where it was not cancelled.</summary>
    public IReadOnlyList<SieveAction> Finish()
    {
        List<SieveAction> all = [.. _actions];
        if (!IsKeepCancelled && !all.Exists(a => TargetOf(a) is { Mailbox.IsInbox: true, SpecialUse: null, MailboxId: null }))
            all.Add(new SieveAction.Keep([.. Owner.Flags], Owner.View.Image, true));
        return all;
    }
}
