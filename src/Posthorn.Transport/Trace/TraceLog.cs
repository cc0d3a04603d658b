using System.Buffers;
using System.Threading.Channels;
using Microsoft.Extensions.Logging;

namespace Posthorn.Transport.Trace;

/// <summary>Writes the life of messages into files, off the path of mail: who tells a step hands it to a bounded queue and goes on. What does not fit is counted, and the count is written and logged.</summary>
public sealed class TraceLog : ITrace, IAsyncDisposable
{
    /// <summary>What is written at once; a reader sees it then.</summary>
    private const int BatchSize = 256 * 1024;

    /// <summary>How often old files are looked for.</summary>
    private static readonly TimeSpan TidyEvery = TimeSpan.FromHours(1);

    /// <summary>After a failed write: until the next try, steps are counted as lost.</summary>
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(10);

    private readonly Channel<Waiting> _channel;
    private readonly TimeProvider _time;
    private readonly ILogger _log;
    private readonly ArrayBufferWriter<byte> _output = new(BatchSize);
    private readonly Task _writing;
    private volatile TraceOptions _options;
    private TraceFormat? _format;
    private bool _formatRedacts;
    private TraceFile? _file;
    private DateTimeOffset _tidied;
    private DateTimeOffset _pausedUntil;
    private long _lost;

    private readonly record struct Waiting(DateTimeOffset Time, TraceEvent? Step, TaskCompletionSource? Flush);

    public TraceLog(TraceOptions options, TimeProvider time, ILogger log)
    {
        (_options, _time, _log) = (options, time, log);
        _channel = Channel.CreateBounded<Waiting>(new BoundedChannelOptions(options.MaxWaiting) { FullMode = BoundedChannelFullMode.Wait, SingleReader = true });
        _writing = WriteAsync();
    }

    /// <summary>The settings; the folder and the number of steps that may wait are taken at the start alone.</summary>
    public TraceOptions Options
    {
        get => _options;
        set => _options = value with { Folder = _options.Folder };
    }

    bool ITrace.IsOn => _options.IsOn;

    bool ITrace.WantsRefusals => _options is { IsOn: true, Refusals: true };

    /// <summary>Steps that were lost and not yet told of.</summary>
    internal long Lost => Interlocked.Read(ref _lost);

    void ITrace.Tell(TraceEvent step)
    {
        if (!_options.IsOn) return;
        if (!_channel.Writer.TryWrite(new(_time.GetUtcNow(), step, null))) Interlocked.Increment(ref _lost);
    }

    /// <summary>Completes when all that was told before can be read.</summary>
    public async Task FlushAsync(CancellationToken cancel)
    {
        TaskCompletionSource done = new(TaskCreationOptions.RunContinuationsAsynchronously);
        try { await _channel.Writer.WriteAsync(new(default, null, done), cancel); }
        catch (ChannelClosedException) { return; }
        await done.Task.WaitAsync(cancel);
    }

    public async ValueTask DisposeAsync()
    {
        _channel.Writer.TryComplete();
        await _writing;
        _format?.Dispose();
        _file?.Dispose();
    }

    private async Task WriteAsync()
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        List<TaskCompletionSource> flushes = [];
        while (await _channel.Reader.WaitToReadAsync())
        {
            while (_channel.Reader.TryRead(out Waiting one))
            {
                if (one.Flush is { } flush) flushes.Add(flush);
                else Guarded(() => Add(one));
                if (_output.WrittenCount >= BatchSize) Guarded(WriteOut);
            }
            Guarded(TellLost);
            Guarded(WriteOut);
            Guarded(Tidy);
            foreach (TaskCompletionSource flush in flushes) flush.SetResult();
            flushes.Clear();
        }
    }

    private void Add(Waiting one)
    {
        if (_time.GetUtcNow() < _pausedUntil)
        {
            Interlocked.Increment(ref _lost);
            return;
        }
        TraceFile file = Open();
        int before = _output.WrittenCount;
        Format().Write(one.Time, one.Step!, _output);
        Note(file, before);
    }

    private void TellLost()
    {
        if (Lost == 0 || _time.GetUtcNow() < _pausedUntil) return;
        long lost = Interlocked.Exchange(ref _lost, 0);
        TraceFile file = Open();
        int before = _output.WrittenCount;
        Format().WriteLost(_time.GetUtcNow(), lost, _output);
        Note(file, before);
        _log.TraceLost(lost);
    }

    private void Note(TraceFile file, int before)
    {
        foreach (ulong key in _format!.Keys) file.Note(key, file.Length + before);
    }

    private void WriteOut()
    {
        if (_output.WrittenCount == 0 || _file is not { } file) return;
        file.Write(_output.WrittenSpan);
        _output.ResetWrittenCount();
        if (file.Length < _options.SegmentSize) return;
        _file = null;
        file.Seal();
        file.Dispose();
        Tidy(now: true);
    }

    private TraceFormat Format()
    {
        if (_format is null || _formatRedacts != _options.Redact)
        {
            _format?.Dispose();
            _format = new(_options.Redact ? TraceRedactor.Make(_options.Folder) : TraceRedactor.None);
            _formatRedacts = _options.Redact;
        }
        return _format;
    }

    private TraceFile Open()
    {
        if (_file is not null) return _file;
        System.IO.Directory.CreateDirectory(_options.Folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        return _file = TraceFile.Open(_options.Folder, _options.SegmentSize, _time.GetUtcNow());
    }

    private void Tidy() => Tidy(now: false);

    private void Tidy(bool now)
    {
        DateTimeOffset time = _time.GetUtcNow();
        if (!now && time - _tidied < TidyEvery) return;
        _tidied = time;
        TraceFolder.Tidy(_options.Folder, time - _options.Keep, _options.MaxSize);
    }

    // A disk that is full or gone costs the trace, and nothing else.
    private void Guarded(Action work)
    {
        try { work(); }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            _log.TraceFailed(_options.Folder, e.Message);
            _pausedUntil = _time.GetUtcNow() + Pause;
            Interlocked.Add(ref _lost, Math.Max(1, _output.WrittenSpan.Count((byte)'\n')));
            _output.ResetWrittenCount();
            _file?.Dispose();
            _file = null;
        }
    }
}
