using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using Posthorn.Testing.Volumes;
using Posthorn.Transport.Queue;

namespace Posthorn.Transport.Tests.Queue;

/// <summary>What the spool makes of the files that it finds.</summary>
public sealed class QueueSpoolTests
{
    private readonly CrashVolume _volume = new(new FakeTimeProvider());
    private readonly Errors _log = new();

    private QueueSpool Open() => new(_volume, "/queue", _log);

    [Fact]
    public void A_file_that_cannot_be_read_stays_and_is_told_of()
    {
        Open().Load();
        _volume.MakeDirectory("/queue/01");
        using (Journal.Volume.IVolumeFile file = _volume.Open("/queue/01/00000000001", Journal.Volume.VolumeOpen.CreateNew)) file.Write(0, "nonsense"u8.ToArray());
        Assert.Empty(Open().Load());
        Assert.Equal(1, _log.Count);
        Assert.True(_volume.TryStat("/queue/01/00000000001", out _));
    }

    private sealed class Errors : ILogger
    {
        public int Count { get; private set; }

        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) => Count++;
    }
}
