namespace Posthorn.Store.Catalogue;

/// <summary>The numbers of contents that committed transactions removed, until the word index has heard of them.</summary>
/// <remarks>Guarded by the account's catalogue lock, as the catalogue is.</remarks>
internal sealed class RemovedContents
{
    /// <summary>More than this are not remembered one by one; the index is compared with the contents instead.</summary>
    internal const int Most = 65_536;

    private readonly List<long> _open = [];
    private List<long> _committed = [];
    private bool _lost;

    internal bool IsEmpty => _committed.Count == 0 && !_lost;

    internal void Add(long content) => _open.Add(content);

    internal void Commit()
    {
        if (_committed.Count + _open.Count > Most)
        {
            _lost = true;
            _committed = [];
        }

        if (!_lost) _committed.AddRange(_open);
        _open.Clear();
    }

    internal void Rollback() => _open.Clear();

    /// <summary>They were not heard: the index must be compared with the contents. Always true.</summary>
    internal bool Lose() => _lost = true;

    /// <summary>Takes them off; <paramref name="lost"/> when there were too many to remember.</summary>
    internal List<long> Take(out bool lost)
    {
        (List<long> taken, lost) = (_committed, _lost);
        (_committed, _lost) = ([], false);
        return taken;
    }
}
