using Microsoft.Extensions.Time.Testing;
using Posthorn.Journal;
using Posthorn.Store.Engine;
using Posthorn.Testing.Volumes;

namespace Posthorn.Store.Tests.Engine;

/// <summary>Tests of stores on a volume that can refuse, hang and forget. A second volume stands at <c>/other</c>; catalogues lie in a folder of the real disk.</summary>
public abstract class OnCrashVolume : IAsyncLifetime
{
    private protected readonly string _directory = Directory.CreateTempSubdirectory("posthorn-volume-").FullName;
    private protected readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 3, 4, 5, 6, 7, TimeSpan.Zero));
    private protected readonly CrashVolume _volume;
    private protected MaildirHarness _server = null!;

    private protected OnCrashVolume() => _volume = new(_time) { Volumes = ["/other"] };

    /// <summary>The journal, which works when it is asked to.</summary>
    private protected virtual JournalOptions JournalOptions => new() { Directory = "/data/journal", SegmentSize = 256 << 10, BackgroundWork = false };

    private protected virtual MaildirStoreOptions Change(MaildirStoreOptions options) => options;

    public virtual async ValueTask InitializeAsync()
    {
        _volume.MakeDirectory("/data");
        _volume.MakeDirectory("/other");
        _server = new("/data", _volume, _time, _directory) { JournalOptions = JournalOptions, Change = Change };
        await _server.StartAsync();
    }

    public virtual async ValueTask DisposeAsync()
    {
        (_volume.Fault, _volume.Before) = (null, null);
        await _server.DisposeAsync();
        Directory.Delete(_directory, recursive: true);
        GC.SuppressFinalize(this);
    }
}
