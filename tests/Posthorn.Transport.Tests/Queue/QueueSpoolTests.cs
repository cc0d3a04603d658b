using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using Posthorn.Core;
using Posthorn.Testing.Volumes;
using Posthorn.Transport.Queue;
using Posthorn.Transport.Tests.Fakes;

namespace Posthorn.Transport.Tests.Queue;

/// <summary>What the spool makes of the files that it finds.</summary>
public sealed class QueueSpoolTests
{
    private readonly CrashVolume _volume = new(new FakeTimeProvider());
    private readonly Errors _log = new();

    private QueueSpool Open() => new(_volume, "/queue", _log);

    /// <summary>The last word came while the file was being written, and then the power went: the file is in order, and nothing waits in it.</summary>
    [Fact]
    public void A_file_that_says_that_all_is_answered_goes_without_an_error()
    {
        QueueSpool spool = Open();
        spool.Load();
        Write(spool, "00000000001", [new(0, RecipientState.Delivered, new(250, "2.0.0", "ok"), "mx")]);
        Write(spool, "00000000002", []);
        spool = Open();
        Assert.Equal(["00000000002"], spool.Load().Select(entry => entry.Message.Id.Value));
        Assert.Equal(["00000000001"], spool.Orphans.Select(id => id.Value));
        Assert.Equal(0, _log.Count);
        Assert.False(_volume.TryStat("/queue/01/00000000001", out _));
    }

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

    private static void Write(QueueSpool spool, string id, IReadOnlyList<RecipientAnswer> answers)
    {
        QueueMessage message = new()
        {
            Id = new(id), Arrived = default, From = ReversePath.Null, Origin = "ann", Size = 1, Recipients = [new(EmailAddress.Parse("a@example.com"), DsnNotify.Unspecified, null)],
        };
        spool.Write(message, new(false, false, 0, default, answers), new BytesContent([65]));
        spool.SyncContent([message.Id]);
    }

    private sealed class Errors : ILogger
    {
        public int Count { get; private set; }

        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) => Count++;
    }
}
