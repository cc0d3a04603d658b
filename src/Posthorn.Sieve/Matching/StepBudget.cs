using Posthorn.Sieve.Running;

namespace Posthorn.Sieve.Matching;

/// <summary>Counts the work of one run, so that no script and no pattern can run away.</summary>
internal sealed class StepBudget(long maxSteps, TimeSpan maxTime, TimeProvider time)
{
    // Often enough to end within a fraction of a second of the limit, seldom enough to cost nothing.
    private const long ClockEvery = 50_000;

    private readonly long _started = time.GetTimestamp();
    private long _left = maxSteps;
    private long _nextClock = maxSteps - ClockEvery;

    public static StepBudget Unbounded() => new(long.MaxValue / 2, TimeSpan.MaxValue, TimeProvider.System);

    public void Spend(long steps)
    {
        _left -= steps;
        if (_left > _nextClock) return;
        if (_left < 0) throw new SieveRunException("the script took more steps than allowed", SieveFailure.Limit);
        _nextClock = _left - ClockEvery;
        if (time.GetElapsedTime(_started) > maxTime) throw new SieveRunException("the script took longer than allowed", SieveFailure.Limit);
    }
}
