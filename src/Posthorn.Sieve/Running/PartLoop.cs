using Posthorn.Sieve.Messages;

namespace Posthorn.Sieve.Running;

/// <summary>A walk over the parts of a message, depth first, that survives changes of the structure (RFC 5703 sections 3 and 5).</summary>
internal sealed class PartLoop
{
    // Parts of one message that are looked at; more are an attack.
    private const int MaxParts = 10_000;

    private readonly MessageView _view;
    private readonly PartLoop? _outer;
    private List<ISievePart> _parts = [];
    private int _index = -1;
    private int _generation;

    public PartLoop(MessageView view, PartLoop? outer)
    {
        _view = view;
        _outer = outer;
        Fill();
    }

    public ISievePart Current
    {
        get
        {
            Refresh();
            return _parts[Math.Clamp(_index, 0, _parts.Count - 1)];
        }
    }

    public bool Advance()
    {
        Refresh();
        return ++_index < _parts.Count;
    }

    private void Refresh()
    {
        if (_generation != _view.Generation) Fill();
    }

    private void Fill()
    {
        _generation = _view.Generation;
        _parts = [];
        if (_outer is null) Collect(_view.Message.Root, _parts);
        else
            foreach (ISievePart child in _outer.Current.Children) Collect(child, _parts);
        // A loop whose parts went away has its outer part to stand on until it ends.
        if (_parts.Count == 0 && _index >= 0) _parts.Add(_outer?.Current ?? _view.Message.Root);
    }

    /// <summary>The part and all parts inside it, depth first.</summary>
    public static void Collect(ISievePart part, List<ISievePart> into)
    {
        Stack<ISievePart> open = new();
        open.Push(part);
        while (open.TryPop(out ISievePart? next) && into.Count < MaxParts)
        {
            into.Add(next);
            for (int i = next.Children.Count - 1; i >= 0; i--) open.Push(next.Children[i]);
        }
    }
}
