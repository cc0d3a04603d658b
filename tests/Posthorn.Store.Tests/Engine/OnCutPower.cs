using Microsoft.Extensions.Time.Testing;
using Posthorn.Core;
using Posthorn.Store.Contract;
using Posthorn.Testing.Volumes;
using static Posthorn.Store.Contract.StoreFixture;

namespace Posthorn.Store.Tests.Engine;

/// <summary>Tests of what a power cut leaves, over as many states of the disk as they want: each begins with one message in INBOX that only its file has.</summary>
public abstract class OnCutPower : IDisposable
{
    private protected static readonly MailAccount Ann = MaildirHarness.Account("/data", "ann");

    private protected readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 3, 4, 5, 6, 7, TimeSpan.Zero));
    private readonly string _directory = Directory.CreateTempSubdirectory("posthorn-cut-").FullName;

    /// <summary>A server before the cut.</summary>
    private protected sealed record Scene(CrashVolume Volume, MaildirHarness Server, IMailStore Store, MailboxId Inbox, string Catalogues)
    {
        internal void LoseCatalogues() => Directory.Delete(Catalogues, recursive: true);
    }

    public void Dispose()
    {
        Directory.Delete(_directory, recursive: true);
        GC.SuppressFinalize(this);
    }

    private protected async ValueTask<Scene> BeginAsync(int seed)
    {
        CrashVolume volume = new(_time);
        volume.MakeDirectory("/data");
        volume.SyncVolume("/data");
        string catalogues = $"{_directory}/{seed}";
        MaildirHarness server = Server(volume, catalogues, "boot 1");
        await server.StartAsync();
        IMailStore store = await server.MustOpenAsync(Ann);
        MailboxId inbox = (await store.MustAppendAsync(server, "INBOX", Text("one"))).Mailbox;
        await server.Journal.CheckpointAsync(Cancel);
        return new(volume, server, store, inbox, catalogues);
    }

    /// <summary>The server on the same disk, before or after the cut.</summary>
    private protected MaildirHarness Server(CrashVolume volume, string catalogues, string boot) => new("/data", volume, _time, catalogues)
    {
        BootId = boot,
        Change = options => options with { TidyAfter = TimeSpan.FromDays(40) },
        JournalOptions = new() { Directory = "/data/journal", SegmentSize = 64 << 10, Segments = 3, BackgroundWork = false },
    };
}
