namespace Posthorn.Transport.Queue;

/// <summary>Destinations by name: those that something waits for, and for a while those of which something was learnt, good or bad. Guarded by the queue's lock.</summary>
internal sealed class DestinationBook
{
    /// <summary>Of each kind, working and failing, so many are remembered when nothing waits for them. 20,000: some megabytes; a stranger who makes up names in one kind pushes none out of the other.</summary>
    public const int MaxRemembered = 20_000;

    private readonly Dictionary<string, Destination> _all = [];
    private readonly LinkedList<Destination>[] _idle = [new(), new(), new()];

    public IReadOnlyCollection<Destination> All => _all.Values;

    /// <summary>The destination, for one more job.</summary>
    public Destination Open(string key, QueueOptions options)
    {
        if (!_all.TryGetValue(key, out Destination? destination)) _all.Add(key, destination = new(key));
        else if (destination.Idle is { } place)
        {
            place.List!.Remove(place);
            destination.Idle = null;
            destination.Resume(options);
        }
        destination.Jobs++;
        return destination;
    }

    /// <summary>A job of it is over. The one that has been idle for longest is forgotten where there are too many.</summary>
    public void Close(Destination destination)
    {
        if (--destination.Jobs > 0) return;
        if (destination.Health == Health.New)
        {
            _all.Remove(destination.Key);
            return;
        }
        LinkedList<Destination> idle = _idle[(int)destination.Health];
        destination.Idle = idle.AddLast(destination);
        if (idle.Count <= MaxRemembered) return;
        _all.Remove(idle.First!.Value.Key);
        idle.RemoveFirst();
    }
}
