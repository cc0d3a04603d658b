using Posthorn.Core;
using Posthorn.Store.Changes;

namespace Posthorn.Store.Engine;

/// <summary>The operations of an account that are on their way into the catalogue, in the order of their LSNs, and what the account will look like when all have arrived.</summary>
/// <remarks>Locking: the account's gate guards everything here; whoever calls holds it.</remarks>
internal sealed class OperationQueue
{
    private readonly LinkedList<Operation> _queue = [];
    private Dictionary<string, Box> _names = new(StringComparer.Ordinal);
    private bool _namesAreWrong;
    private volatile int _left;

    /// <summary>Room that operations in the queue will use.</summary>
    internal long ReservedOctets { get; private set; }

    internal long ReservedMessages { get; private set; }

    /// <summary>Whether anything is there that somebody waits for. What is left is applied when the account is closed.</summary>
    internal bool IsBusy => _queue.Count > _left;

    /// <summary>How many at the head are durable and nobody waits for.</summary>
    internal int Left => _left;

    /// <summary>All that are on their way.</summary>
    internal IReadOnlyList<Operation> All() => [.. _queue];

    /// <summary>The mailboxes as they will be.</summary>
    internal IReadOnlyDictionary<string, Box> Names => _names;

    /// <summary>The object that sessions may already know for a mailbox that is being made.</summary>
    internal Box? Emerging(MailboxId mailbox) => _names.Values.FirstOrDefault(box => box.Mailbox == mailbox);

    /// <summary>Puts an operation whose record was just appended into the queue, and what it will change into what is pending.</summary>
    internal void Enqueue(Operation operation, long octets, int messages)
    {
        (operation.Octets, operation.Messages) = (octets, messages);
        ReservedOctets += octets;
        ReservedMessages += messages;
        _queue.AddLast(operation);
        foreach (Change change in operation.Changes)
        {
            if (change is Change.Create made) _names[made.Name.Value] = new(made.Mailbox, made.Use, made.Validity) { Name = made.Name };
            else if (change is Change.Delete gone) _names.Remove(gone.Name.Value);
            else if (change is Change.Renumber renumber && _names.TryGetValue(renumber.Name.Value, out Box? former))
                _names[renumber.Name.Value] = new(renumber.Mailbox, former.Use, renumber.Validity) { Name = renumber.Name, NextUid = renumber.UidNext.Value };
        }

        Dictionary<Change.Rename, Box?> renamed = [];
        foreach (Change.Rename change in operation.Changes.OfType<Change.Rename>())
            if (_names.TryGetValue(change.From.Value, out Box? box) && box.Mailbox == change.Mailbox && _names.Remove(change.From.Value)) renamed.Add(change, box);
        foreach ((Change.Rename change, Box? box) in renamed) _names[change.Target.Value] = box!;
    }

    /// <summary>What a mailbox is called when all that is on its way has been tried: a renaming from a name that it does not have then is none. Null when it will be gone.</summary>
    internal MailboxName? NameToBe(Box box)
    {
        MailboxName name = box.Name;
        foreach (Change change in _queue.Where(operation => operation.Durability != Durability.Failed).SelectMany(operation => operation.Changes))
        {
            if (change is Change.Delete gone && gone.Mailbox == box.Mailbox) return null;
            if (change is Change.Rename renamed && renamed.Mailbox == box.Mailbox && renamed.From == name) name = renamed.Target;
        }

        return name;
    }

    /// <summary>The messages of a mailbox that operations on their way take out of it.</summary>
    internal HashSet<Uid> LeavingFrom(MailboxId mailbox)
    {
        HashSet<Uid> leaving = [];
        foreach (Change change in _queue.Where(operation => operation.Durability != Durability.Failed).SelectMany(operation => operation.Changes))
        {
            if (change is Change.Expunge gone && gone.Mailbox == mailbox) leaving.UnionWith(gone.Messages.Select(message => message.Uid));
            else if (change is Change.Place { Move: true } place && place.Source == mailbox) leaving.UnionWith(place.Pairs.Select(pair => pair.Source));
        }

        return leaving;
    }

    /// <summary>Puts an operation of replay into the queue: it is applied before any other comes.</summary>
    internal void EnqueueReplayed(Operation operation) => _queue.AddLast(operation);

    /// <summary>The first operation before this one of which it is not known whether it is durable.</summary>
    internal Operation? UnknownBefore(Operation operation)
    {
        foreach (Operation earlier in _queue)
        {
            if (ReferenceEquals(earlier, operation)) return null;
            if (earlier.Durability == Durability.Unknown) return earlier;
        }

        return null;
    }

    /// <summary>Leaves a durable operation here for the next who comes, unless something before it is more than an addition. False: its owner has to see to it.</summary>
    internal bool TryLeave(Operation operation)
    {
        if (operation.IsDone || operation.IsTaken || operation.Durability != Durability.Durable) return false;
        foreach (Operation earlier in _queue)
        {
            if (ReferenceEquals(earlier, operation)) break;
            if (!earlier.IsLeft) return false;
        }

        operation.IsLeft = true;
        operation.ForgetContent();
        _left++;
        return true;
    }

    /// <summary>Takes those at the head whose fate is known, to be applied.</summary>
    internal List<Operation> Settled()
    {
        List<Operation> settled = [];
        foreach (Operation operation in _queue)
        {
            if (operation.Durability == Durability.Unknown) break;
            operation.IsTaken = true;
            settled.Add(operation);
        }

        return settled;
    }

    /// <summary>They could not be applied: they stay, for the next who comes.</summary>
    internal static void Return(List<Operation> batch)
    {
        foreach (Operation operation in batch)
        {
            operation.IsTaken = false;
            operation.ForgetContent();
            operation.ForgetOutcome();
        }
    }

    /// <summary>Takes off what was applied or has failed; returns how many of it were left.</summary>
    internal int Finish(List<Operation> batch, IReadOnlyDictionary<string, Box> published)
    {
        int left = _left;
        foreach (Operation operation in batch)
        {
            _queue.Remove(operation);
            if (operation.IsLeft) _left--;
            ReservedOctets -= operation.Octets;
            ReservedMessages -= operation.Messages;
            _namesAreWrong |= operation.Durability == Durability.Failed || operation.Skipped is not null;
            operation.IsDone = true;
        }

        if (_namesAreWrong && _queue.Count == 0) Reset(published);
        return left - _left;
    }

    /// <summary>Nothing is on its way: what is published is what will be.</summary>
    internal void Reset(IReadOnlyDictionary<string, Box> published)
    {
        _names = new(published, StringComparer.Ordinal);
        _namesAreWrong = false;
    }
}
