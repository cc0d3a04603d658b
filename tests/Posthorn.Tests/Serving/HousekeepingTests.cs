using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using Posthorn.Serving;

namespace Posthorn.Tests.Serving;

public sealed class HousekeepingTests
{
    private readonly FakeTimeProvider _time = new();
    private readonly Told _log = new();

    /// <summary>A folder that belongs to somebody else kept reports from being sent, and the server from ending in order.</summary>
    [Fact]
    public async Task One_that_goes_wrong_keeps_neither_the_next_nor_the_end_waiting()
    {
        int done = 0;
        Housekeeping chores = new(_time, TimeSpan.FromMinutes(15), _log, _ => throw new UnauthorizedAccessException("not yours"), async _ =>
        {
            await Task.Yield();
            throw new InvalidOperationException("a mistake");
        }, _ =>
        {
            done++;
            return Task.CompletedTask;
        });
        _time.Advance(TimeSpan.FromMinutes(15));
        await chores.DisposeAsync();
        Assert.Equal(1, done);
        Assert.Equal(["chore-failed not yours", "chore-failed a mistake"], _log.Lines);
    }

    [Fact]
    public async Task The_end_breaks_off_what_is_under_way()
    {
        int begun = 0;
        Housekeeping chores = new(_time, TimeSpan.FromMinutes(15), _log, cancel =>
        {
            begun++;
            return Task.Delay(Timeout.Infinite, cancel);
        }, _ =>
        {
            begun++;
            return Task.CompletedTask;
        });
        _time.Advance(TimeSpan.FromMinutes(15));
        _time.Advance(TimeSpan.FromMinutes(15)); // the first round is under way
        await chores.DisposeAsync();
        Assert.Equal(1, begun);
        Assert.Empty(_log.Lines);
    }

    private sealed class Told : ILogger
    {
        public List<string> Lines { get; } = [];

        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) => Lines.Add(formatter(state, exception));
    }
}
