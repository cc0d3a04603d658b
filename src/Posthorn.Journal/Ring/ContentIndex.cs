using Posthorn.Journal.Content;

namespace Posthorn.Journal.Ring;

/// <summary>Where the content of each record above the last checkpoint lies, in order of LSN. Guarded by the journal's lock.</summary>
internal sealed class ContentIndex
{
    private readonly List<Entry> _entries = [];
    private int _head;

    internal readonly record struct Entry(long Lsn, Segment Segment, long Offset, ContentReference Content);

    internal void Add(Entry entry) => _entries.Add(entry);

    internal bool TryFind(long lsn, out Entry entry)
    {
        int low = _head, high = _entries.Count - 1;
        while (low <= high)
        {
            int middle = (low + high) / 2;
            entry = _entries[middle];
            if (entry.Lsn == lsn) return true;
            if (entry.Lsn < lsn) low = middle + 1;
            else high = middle - 1;
        }

        entry = default;
        return false;
    }

    /// <summary>Forgets what a checkpoint covers and names the spool files among it.</summary>
    internal void Forget(long upTo, List<long> spools)
    {
        for (; _head < _entries.Count && _entries[_head].Lsn <= upTo; _head++)
        {
            if (_entries[_head].Content.Kind == ContentKind.Spool) spools.Add(_entries[_head].Content.Spool);
        }

        if (_head < _entries.Count / 2) return;
        _entries.RemoveRange(0, _head);
        _head = 0;
    }
}
