using System.Globalization;
using System.Text;
using System.Threading.Channels;
using Microsoft.Extensions.Logging;

namespace Posthorn.Logging;

/// <summary>Where events go: the console (people or JSON) and a file. Writing happens behind a bounded channel, so that a slow disk or terminal stops no session.</summary>
internal sealed class LogOutput : ILoggerProvider, IAsyncDisposable
{
    /// <summary>Events that may wait; above it the newest are counted and dropped, and the count is logged.</summary>
    private const int Capacity = 16_384;

    private static readonly TimeSpan Moment = TimeSpan.FromMilliseconds(10);

    private readonly Channel<LogLine> _channel = Channel.CreateBounded<LogLine>(new BoundedChannelOptions(Capacity) { FullMode = BoundedChannelFullMode.Wait, SingleReader = true });
    private readonly TimeProvider _time;
    private readonly TextWriter _console;
    private readonly Task _writing;
    private readonly string _host;
    private volatile Settings _settings;
    private long _lost;

    public LogOutput(TimeProvider time, TextWriter console, string host, LogLevel level, bool json, string? file)
    {
        (_time, _console, _host) = (time, console, host);
        _settings = new(level, json, file);
        _writing = WriteAsync();
    }

    private sealed record Settings(LogLevel Level, bool Json, string? File);

    /// <summary>Changes level, form and file, as a reload wants.</summary>
    public void Configure(LogLevel level, bool json, string? file) => _settings = new(level, json, file);

    public ILogger CreateLogger(string categoryName) => new Source(this, categoryName);

    public void Dispose() => _channel.Writer.TryComplete();

    public async ValueTask DisposeAsync()
    {
        _channel.Writer.TryComplete();
        await _writing;
    }

    private void Add(LogLine line)
    {
        if (!_channel.Writer.TryWrite(line)) Interlocked.Increment(ref _lost);
    }

    private async Task WriteAsync()
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        StringBuilder console = new(), file = new(), text = new();
        while (await _channel.Reader.WaitToReadAsync())
        {
            Settings settings = _settings;
            // What came in together is written together.
            int lines = 0;
            for (; file.Length + console.Length < 256 * 1024 && _channel.Reader.TryRead(out LogLine line); lines++) Append(line, settings, text, console, file);
            if (Interlocked.Exchange(ref _lost, 0) is > 0 and long lost) console.AppendLine(CultureInfo.InvariantCulture, $"log: {lost} events were dropped, output is too slow");
            await FlushAsync(console, file, settings.File);
            // Under load what comes within a moment is written together: fewer wake-ups and writes.
            if (lines > 1 && !_channel.Reader.Completion.IsCompleted) await Task.Delay(Moment, _time);
        }
    }

    private void Append(in LogLine line, Settings settings, StringBuilder text, StringBuilder console, StringBuilder file)
    {
        text.Clear();
        if (settings.Json) text.Append(line.ToJson());
        else line.AppendEvent(text);
        if (!settings.Json) line.AppendConsoleHead(console);
        console.Append(text).AppendLine();
        if (settings.File is null) return;
        if (!settings.Json) line.AppendSyslogHead(file, _host);
        file.Append(text).AppendLine();
    }

    private async Task FlushAsync(StringBuilder console, StringBuilder file, string? path)
    {
        try
        {
            await _console.WriteAsync(console);
            await _console.FlushAsync();
            // Opened for each batch: a log that was rotated away is simply made anew.
            if (path is null || file.Length == 0) return;
            await using StreamWriter writer = new(path, append: true);
            await writer.WriteAsync(file);
        }
        catch (IOException) { /* nobody is left to tell: a closed terminal or a full disk must not stop the mail */ }
        catch (UnauthorizedAccessException) { /* the same */ }
        finally
        {
            console.Clear();
            file.Clear();
        }
    }

    private sealed class Source(LogOutput output, string category) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= output._settings.Level && logLevel != LogLevel.None;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (!IsEnabled(logLevel)) return;
            // The generated state is a reused struct: its values are copied here, formatted on the writer's side.
            IReadOnlyList<KeyValuePair<string, object?>> values = state is IReadOnlyList<KeyValuePair<string, object?>> list ? [.. list] : [new("text", formatter(state, exception))];
            output.Add(new(output._time.GetUtcNow(), logLevel, category, EventName(eventId), values, exception));
        }

        private static string EventName(EventId id) => id.Name is { Length: > 0 } name ? LogLine.Kebab(name) : "note";
    }
}
