using System.Diagnostics;
using Posthorn.Store.Engine;

namespace Posthorn.Store.Tests.Engine;

/// <summary>What the store remembers of its own doings.</summary>
public sealed class OwnDoingsTests
{
    private static readonly TimeSpan Memory = TimeSpan.FromSeconds(10);
    private static readonly long Start = Stopwatch.GetTimestamp();

    [Fact]
    public void What_was_done_is_known_for_as_long_as_an_echo_may_take_and_then_forgotten()
    {
        OwnDoings own = new(Memory, mostKept: 1000);
        own.Add(Named(1), At(1));
        Assert.True(own.Has(Named(1), At(10)));
        Assert.False(own.Has(("d", "1", true), At(10)));
        own.Add(Named(2), At(10.9));
        Assert.True(own.Has(Named(1), At(10.95)));
        Assert.False(own.Has(Named(1), At(12)));
        Assert.True(own.Has(Named(2), At(20)));
        own.Add(Named(3), At(22));
        own.Add(Named(4), At(40));
        Assert.Equal(2, own.Count);
    }

    [Fact]
    public void However_much_is_done_no_more_is_kept_than_allowed_and_the_latest_is_known()
    {
        OwnDoings own = new(Memory, mostKept: 1000);
        for (int i = 0; i < 100_000; i++) own.Add(Named(i), At(1));
        Assert.InRange(own.Count, 1000, 2002);
        Assert.True(own.Has(Named(99_999), At(1)));
        Assert.True(own.Has(Named(99_001), At(1)));
        Assert.False(own.Has(Named(0), At(1)));
    }

    private static (string, string, bool) Named(int i) => ("d", i.ToString(System.Globalization.CultureInfo.InvariantCulture), false);

    private static long At(double seconds) => Start + (long)(seconds * Stopwatch.Frequency);
}
