using Posthorn.Core;
using Posthorn.Store.Contract;
using Posthorn.Testing.Volumes;
using static Posthorn.Store.Contract.StoreFixture;

namespace Posthorn.Store.Tests.Engine;

/// <summary>What becomes of the catalogue when the power goes.</summary>
public enum CatalogueFate
{
    /// <summary>All that it committed is there.</summary>
    Kept,
    /// <summary>It is as it was at the last checkpoint.</summary>
    RolledBack,
    /// <summary>It is gone.</summary>
    Lost,
}

/// <summary>One mailbox as a client was told.</summary>
internal sealed record Told(MailboxId Id, UidValidity Validity)
{
    internal required string Name { get; set; }
    internal SortedDictionary<uint, string> Messages { get; } = [];
    internal uint LastUid { get; set; }
    internal long ModSeq { get; set; }
}

/// <summary>A server on a volume that loses what was not synced, and what its clients know.</summary>
internal sealed class CrashWorld(int seed, CatalogueFate fate) : IAsyncDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("posthorn-crash-").FullName;
    private readonly Microsoft.Extensions.Time.Testing.FakeTimeProvider _time = new(new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero));
    private readonly List<IAsyncDisposable> _stores = [];
    private CrashVolume _volume = null!;
    private MaildirHarness _server = null!;
    private int _boots;
    private int _texts;

    internal static readonly string[] Names = ["ann", "bob"];

    internal Dictionary<string, Dictionary<string, Told>> Accounts { get; } = Names.ToDictionary(name => name, _ => new Dictionary<string, Told>());

    /// <summary>What the operation at hand may have done: messages that may be gone, texts that may be there once more, mailboxes that may have come, gone or changed.</summary>
    internal HashSet<(string Account, MailboxId Mailbox, uint Uid)> MayBeGone { get; } = [];

    internal List<string> MayCome { get; } = [];

    internal HashSet<(string Account, string Name)> MayExist { get; } = [];

    internal HashSet<MailboxId> MayVanish { get; } = [];

    /// <summary>What was done, for the report of a failure.</summary>
    internal List<string> Log { get; } = [];

    internal CrashVolume Volume => _volume;

    internal Random Random { get; } = new(seed);

    internal Dictionary<string, IMailStore> Stores { get; } = [];

    internal IMailStores Server => _server;

    internal Journal.Journal Journal => _server.Journal;

    internal static MailAccount Account(string name) => MaildirHarness.Account("/data", name);

    internal string NextText() => Text($"seed {seed} number {++_texts} {new string('x', Random.Next(2) == 0 ? 10 : Random.Next(3000))}");

    internal async ValueTask StartAsync()
    {
        if (_volume is null)
        {
            _volume = new(_time) { Before = OnSync };
            _volume.MakeDirectory("/data");
            _volume.SyncDirectory("/");
        }

        _time.Advance(TimeSpan.FromSeconds(10));
        _server = new("/data", _volume, _time, _directory)
        {
            BootId = $"boot {++_boots}",
            Logger = new ListLogger(Log),
            JournalOptions = new() { Directory = "/data/journal", SegmentSize = 256 << 10, Segments = 3, BackgroundWork = false, InlineLimit = 2000 },
        };
        await _server.StartAsync();
        Log.Add($"started, checkpointed {Journal.Checkpointed}, replayed {Journal.Statistics.Replayed}");
        foreach (string name in Names)
        {
            IMailStore store = await _server.MustOpenAsync(Account(name));
            _stores.Add(store);
            Stores[name] = store;
        }
    }

    internal async ValueTask CheckpointAsync()
    {
        Log.Add("checkpoint");
        await Journal.CheckpointAsync(Cancel);
    }

    // The catalogues lie on the real disk; when the volume is synced, so are they.
    private void OnSync(string operation, string path)
    {
        if (fate != CatalogueFate.RolledBack || operation != "syncfs") return;
        if (Directory.Exists(_directory + ".saved")) Directory.Delete(_directory + ".saved", recursive: true);
        Copy(_directory, _directory + ".saved");
    }

    /// <summary>The power goes, the machine comes back.</summary>
    internal async ValueTask CrashAsync()
    {
        Log.Add($"CRASH; may be: gone {string.Join(",", MayBeGone)}");
        Stores.Clear();
        _stores.Clear();
        if (_server.IsStarted) await _server.AbandonCatalogues();
        if (fate == CatalogueFate.Lost || fate == CatalogueFate.RolledBack && !Directory.Exists(_directory + ".saved")) Directory.Delete(_directory, recursive: true);
        if (fate == CatalogueFate.RolledBack && Directory.Exists(_directory + ".saved"))
        {
            Directory.Delete(_directory, recursive: true);
            Copy(_directory + ".saved", _directory);
        }

        Directory.CreateDirectory(_directory);
        _volume.CutAt = null;
        _volume.Crash(Random.Next());
    }

    internal void Forget()
    {
        MayBeGone.Clear();
        MayCome.Clear();
        MayExist.Clear();
        MayVanish.Clear();
    }

    public async ValueTask DisposeAsync()
    {
        if (_server.IsStarted) await _server.AbandonCatalogues();
        Directory.Delete(_directory, recursive: true);
        if (Directory.Exists(_directory + ".saved")) Directory.Delete(_directory + ".saved", recursive: true);
    }

    /// <summary>Compares what is there with what was told, then takes what is there for what is told from now on.</summary>
    internal async ValueTask VerifyAsync()
    {
        foreach (string account in Names)
        {
            IMailStore store = Stores[account];
            Dictionary<string, Told> now = [];
            HashSet<MailboxId> seen = [];
            foreach (MailboxInfo info in await store.ListAsync(Cancel))
            {
                if (info.Id is not { } id) continue;
                Assert.True(seen.Add(id), $"{account}: {info.Name} stands twice");
                await using IMailbox open = Must(await store.OpenMailboxAsync(info.Name, readOnly: true, Cancel));
                Told found = new(id, open.Current.Validity) { Name = info.Name.Value, LastUid = open.Current.UidNext.Value - 1, ModSeq = open.Current.HighestModSeq.Value };
                foreach (MessageRow row in open.Current.Rows())
                {
                    Log.Add($"look at {account} {info.Name} {row.Uid} {row.Flags}");
                    string text = await store.ContentAsync(id, row.Uid);
                    Log.RemoveAt(Log.Count - 1);
                    Assert.True(text.Length == row.Size, $"{account} {info.Name} {row.Uid}: size");
                    found.Messages.Add(row.Uid.Value, text);
                }

                now.Add(found.Name, found);
            }

            Compare(account, now);
            Accounts[account] = now;
        }

        Forget();
    }

    private void Compare(string account, Dictionary<string, Told> now)
    {
        Dictionary<MailboxId, Told> byId = now.Values.ToDictionary(box => box.Id);
        foreach (Told was in Accounts[account].Values)
        {
            if (!byId.TryGetValue(was.Id, out Told? box))
            {
                Assert.True(MayVanish.Contains(was.Id), $"{account}: {was.Name} is lost");
                continue;
            }

            Assert.Equal(was.Validity, box.Validity);
            Assert.True(box.Name == was.Name || MayExist.Contains((account, box.Name)), $"{account}: {was.Name} is called {box.Name}");
            Assert.True(box.LastUid >= was.LastUid, $"{account} {was.Name}: next UID fell from {was.LastUid + 1} to {box.LastUid + 1}");
            Assert.True(box.ModSeq >= was.ModSeq, $"{account} {was.Name}: HIGHESTMODSEQ fell");
            foreach ((uint uid, string text) in was.Messages)
            {
                if (!box.Messages.TryGetValue(uid, out string? found)) Assert.True(MayBeGone.Contains((account, was.Id, uid)), $"{account} {was.Name} {uid} is lost");
                else Assert.True(text == found, $"{account} {was.Name} {uid} is another message: {found.Length} octets for {text.Length}");
            }
        }

        foreach (Told box in now.Values)
        {
            Told? was = Accounts[account].Values.FirstOrDefault(told => told.Id == box.Id);
            if (was is null) Assert.True(MayExist.Contains((account, box.Name)) || Accounts[account].Count == 0, $"{account}: {box.Name} ({box.Id}) came from nowhere");
            foreach ((uint uid, string text) in box.Messages)
            {
                if (was?.Messages.ContainsKey(uid) == true) continue;
                Assert.True(uid > (was?.LastUid ?? 0), $"{account} {box.Name} {uid} was told before and is another message now");
                Assert.True(MayCome.Remove(text), $"{account} {box.Name} {uid} came from nowhere or a second time: {text[..60]}");
            }
        }
    }

    private static void Copy(string from, string target)
    {
        foreach (string path in Directory.EnumerateFiles(from, "*", SearchOption.AllDirectories))
        {
            string copy = target + path[from.Length..];
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            File.Copy(path, copy, overwrite: true);
        }
    }
}

/// <summary>Keeps warnings and errors for the report of a failure.</summary>
internal sealed class ListLogger(List<string> lines) : Microsoft.Extensions.Logging.ILogger
{
    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(Microsoft.Extensions.Logging.LogLevel logLevel) => logLevel >= Microsoft.Extensions.Logging.LogLevel.Warning;

    public void Log<TState>(Microsoft.Extensions.Logging.LogLevel logLevel, Microsoft.Extensions.Logging.EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
        lines.Add($"{formatter(state, exception)} {exception?.Message}");
}
