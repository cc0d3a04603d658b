using Posthorn.Core;

namespace Posthorn.Store.Engine;

/// <summary>What SORT and THREAD compare, of mailboxes that were sorted lately; all accounts together stay within a bound, and who was not asked for longest goes first.</summary>
/// <remarks>A box holds its own keys, which the lock of its account's catalogue guards; here is only who was used when. What a collected box had is gone with it.</remarks>
internal sealed class SortKeyCache(long most)
{
    private readonly Lock _gate = new();
    private readonly LinkedList<Use> _uses = [];
    private long _octets;

    /// <summary>Octets that are kept now, as far as they are counted.</summary>
    internal long Octets
    {
        get
        {
            lock (_gate) return _octets;
        }
    }

    /// <summary>The keys of a box, to read from and to add to; what was added is told by <see cref="Note"/>.</summary>
    internal static Keys Of(Box box) => box.SortKeys ??= new();

    /// <summary>A box was asked for and now has so many octets; others, or itself, may have to go.</summary>
    internal void Note(Box box, Keys keys)
    {
        lock (_gate)
        {
            if (keys.Place is { List: not null } place) _uses.Remove(place);
            else keys.Place = new(new(new(box)));
            _octets += keys.Octets - keys.Place.Value.Counted;
            keys.Place.Value.Counted = keys.Octets;
            _uses.AddFirst(keys.Place);
            while (_octets > most && _uses.Last is { } last)
            {
                _uses.RemoveLast();
                _octets -= last.Value.Counted;
                last.Value.Counted = 0;
                if (last.Value.Box.TryGetTarget(out Box? other)) other.SortKeys = null;
            }
        }
    }

    /// <summary>The keys of one mailbox.</summary>
    internal sealed class Keys
    {
        // A record with its strings, and its place in the table.
        private const int Overhead = 400;

        private readonly Dictionary<Uid, SortKeys> _byUid = [];

        internal LinkedListNode<Use>? Place { get; set; }

        internal long Octets { get; private set; }

        internal SortKeys? Find(Uid uid) => _byUid.GetValueOrDefault(uid);

        internal void Add(Uid uid, SortKeys keys)
        {
            if (!_byUid.TryAdd(uid, keys)) return;
            Octets += Overhead + 2 * (keys.BaseSubject.Length + keys.From.Length + keys.To.Length + keys.Cc.Length + keys.DisplayFrom.Length + keys.DisplayTo.Length + keys.MessageId.Length);
            foreach (string reference in keys.References) Octets += 2 * reference.Length + 32;
        }
    }

    /// <summary>When a box was used, by its place in the list, and what it counts.</summary>
    internal sealed class Use(WeakReference<Box> box)
    {
        internal WeakReference<Box> Box { get; } = box;

        internal long Counted { get; set; }
    }
}
