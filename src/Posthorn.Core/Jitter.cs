namespace Posthorn.Core;

/// <summary>The one place that draws ordinary random numbers, for spreading retries.</summary>
public static class Jitter
{
    /// <summary>Spreads <paramref name="span"/> evenly by plus or minus <paramref name="share"/> of itself.</summary>
    public static TimeSpan Spread(TimeSpan span, double share)
    {
#pragma warning disable RS0030, CA5394 // This is that one place, and nothing secret hangs on it.
        double factor = 1 + share * (Random.Shared.NextDouble() * 2 - 1);
#pragma warning restore RS0030, CA5394
        return span * factor;
    }

    /// <summary>The same items in random order, to share load among equals.</summary>
    public static T[] Shuffle<T>(IEnumerable<T> items)
    {
        T[] shuffled = [.. items];
#pragma warning disable RS0030, CA5394 // As above.
        Random.Shared.Shuffle(shuffled);
#pragma warning restore RS0030, CA5394
        return shuffled;
    }
}
