using Posthorn.Core;
using Posthorn.Store.Catalogue;

namespace Posthorn.Store.Engine;

/// <summary>Where messages lie: of the one that is asked for, and of more of those behind it the longer somebody reads one after another. What it says may be a moment old: a name that is not there any more is looked up again.</summary>
internal sealed class ReadAhead
{
    /// <summary>Messages looked up together at most. 64: a tenth of a millisecond under the lock.</summary>
    private const int Most = 64;

    /// <summary>UIDs that may be missing between two that follow each other.</summary>
    private const uint Gap = 8;

    private readonly List<MessagePlace> _places = new(Most);
    private long _seen;
    private int _next;
    private int _size = 1;
    private Uid _last;

    /// <summary>The place of a message, where its file has a name.</summary>
    /// <param name="catalogue">The account's.</param>
    /// <param name="box">The mailbox.</param>
    /// <param name="changes">Grows with every change in the account.</param>
    /// <param name="uid">The message.</param>
    /// <param name="place">Where it lies.</param>
    internal bool TryFind(AccountCatalogue catalogue, Box box, long changes, Uid uid, out MessagePlace place)
    {
        if (_seen != changes) _places.Clear();
        _seen = changes;
        bool follows = uid > _last && uid.Value - _last.Value <= Gap;
        _last = uid;
        while (_next < _places.Count && _places[_next].Uid < uid) _next++;
        if (_next >= _places.Count || !(follows || _places[_next].Uid == uid))
        {
            // Who reads here and there needs one; who goes on needs more each time.
            _size = follows ? Math.Min(_size * 4, Most) : 1;
            Fill(catalogue, box, uid);
        }

        bool found = _next < _places.Count && _places[_next].Uid == uid;
        place = found ? _places[_next] : default;
        return found;
    }

    private void Fill(AccountCatalogue catalogue, Box box, Uid from)
    {
        _places.Clear();
        _next = 0;
        Span<Uid> uids = stackalloc Uid[Most];
        int count = 0;
        for (uint uid = from.Value; count < _size && uid < box.UidNext.Value; uid++) uids[count++] = new(uid);
        catalogue.Scan.Places(box.Id, uids[..count], _places);
    }
}
