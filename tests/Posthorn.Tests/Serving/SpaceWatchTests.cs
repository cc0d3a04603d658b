using Microsoft.Extensions.Logging;
using Posthorn.Serving;

namespace Posthorn.Tests.Serving;

public sealed class SpaceWatchTests
{
    [Fact]
    public void It_says_with_numbers_when_the_bound_is_crossed_and_only_then()
    {
        Said log = new();
        long? free = 63L << 20;
        SpaceWatch watch = new(() => ["/srv/mail"], 64L << 20, _ => free, log);
        watch.Look();
        watch.Look();
        Assert.Equal(["Warning space-short /srv/mail 66060288 67108864 new mail is refused for the time being (452): make room"], log.Lines);
        Assert.True(Assert.Single(watch.Report()).IsShort);
        free = 64L << 20;
        watch.Look();
        watch.Look();
        Assert.Equal("Information space-again /srv/mail 67108864 67108864", log.Lines[1]);
        free = null;
        watch.Look();
        Assert.Empty(watch.Report());
        Assert.Equal(2, log.Lines.Count);
    }

    private sealed class Said : ILogger
    {
        public List<string> Lines { get; } = [];

        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) => Lines.Add($"{logLevel} {formatter(state, exception)}");
    }
}
