using Posthorn.Core;
using Posthorn.Journal.Volume;
using Posthorn.Store.Contract;
using Posthorn.Store.Engine;
using Posthorn.Testing.Volumes;
using Posthorn.Transport.Queue;
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
    /// <summary>Its log ends somewhere behind its last sync.</summary>
    Torn,
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
internal sealed class CrashWorld(int seed, CatalogueFate? fate) : IAsyncDisposable
{
    /// <summary>Whether new mail waits until somebody looks (docs/adr/0010), or is applied when it comes.</summary>
    private bool LeavesMail => seed % 2 == 1;

    /// <summary>Messages take the place of others, too. A choice, so that the histories of old seeds stay what they were.</summary>
    internal bool Replaces { get; init; }

    /// <summary>Each start writes files with CRLF or with LF. A choice for the same reason.</summary>
    internal bool MixesLineEnds { get; init; }

    /// <summary>By hand: <c>POSTHORN_CRASH_TRACE=bob/.Sent,_1.posthorn</c> puts each change of files whose paths have one of these into the report of a failure.</summary>
    private static readonly string? Traced = Environment.GetEnvironmentVariable("POSTHORN_CRASH_TRACE");

    private readonly CatalogueDisk _catalogues = new(NewDirectory());
    private readonly Microsoft.Extensions.Time.Testing.FakeTimeProvider _time = new(new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero));
    private readonly List<IAsyncDisposable> _stores = [];
    private CrashVolume _volume = null!;
    private MaildirHarness _server = null!;
    private readonly Random _ids = new(~seed); // so that a seed plays the same history again
    private readonly Random _lineEnds = new(seed * 31);
    private int _boots;
    private int _texts;
    private bool _stillUnsure;
    private MailQueue _queue = null!;

    internal static readonly string[] Names = ["ann", "bob"];

    internal Dictionary<string, Dictionary<string, Told>> Accounts { get; } = Names.ToDictionary(name => name, _ => new Dictionary<string, Told>());

    /// <summary>What the operation at hand may have done: messages that may be gone, texts that may be there once more, mailboxes that may have come, gone or changed.</summary>
    internal HashSet<(string Account, MailboxId Mailbox, uint Uid)> MayBeGone { get; } = [];

    internal List<string> MayCome { get; } = [];

    internal HashSet<(string Account, string Name)> MayExist { get; } = [];

    internal HashSet<MailboxId> MayVanish { get; } = [];

    /// <summary>What another program put into a folder and synced: it must come in, once.</summary>
    internal List<(string Account, MailboxId Mailbox, string Text)> Foreign { get; } = [];

    /// <summary>What another program removed: it may be there still, until it is noticed.</summary>
    internal HashSet<(string Account, MailboxId Mailbox, uint Uid)> ForeignGone { get; } = [];

    /// <summary>Clients that were connected before, each with its view of one mailbox.</summary>
    internal List<ClientView> Clients { get; } = [];

    /// <summary>The queue as its owner was told: recipients of each message that wait.</summary>
    internal Dictionary<string, HashSet<int>> Waiting { get; } = [];

    /// <summary>Messages of the queue about which something was being written.</summary>
    internal HashSet<string> Unsure { get; } = [];

    /// <summary>What was done, for the report of a failure.</summary>
    internal List<string> Log { get; } = [];

    internal CrashVolume Volume => _volume;

    internal Random Random { get; } = new(seed);

    internal Dictionary<string, IMailStore> Stores { get; } = [];

    internal IMailStores Server => _server;

    internal Journal.Journal Journal => _server.Journal;

    internal MailQueue Queue => _queue;

    internal Microsoft.Extensions.Time.Testing.FakeTimeProvider Time => _time;

    internal string Seed => $"{seed}";

    internal string CatalogueDirectory => _catalogues.Directory;

    internal static MailAccount Account(string name) => MaildirHarness.Account("/data", name);

    internal int NextNumber() => ++_texts;

    internal string NextText() => Text($"seed {seed} number {++_texts} {new string('x', Random.Next(2) == 0 ? 10 : Random.Next(3000))}");

    internal async ValueTask StartAsync()
    {
        if (_volume is null)
        {
            _volume = new(_time) { Before = OnSync, Trace = Traced is null ? null : OnChange };
            _volume.MakeDirectory("/data");
            _volume.SyncVolume("/data");
        }

        _time.Advance(TimeSpan.FromSeconds(10));
        FileLineEndings lineEnds = MixesLineEnds && _lineEnds.Next(2) == 0 ? FileLineEndings.Lf : FileLineEndings.Crlf;
        _queue = MailQueue.Load(_volume, "/data/queue", new(), _time, new ListLogger(Log));
        _server = new("/data", _volume, _time, _catalogues.Directory)
        {
            Others = [_queue],
            Change = options => options with { LineEndings = lineEnds, TidyAfter = TimeSpan.FromDays(40), ApplyAfter = LeavesMail ? TimeSpan.FromDays(40) : TimeSpan.Zero, UnappliedOfAccount = 5, Tombstones = 12, Ids = new(bytes => _ids.NextBytes(bytes.Span)) }, // a cut on another thread would be nobody's
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
        if (operation == "syncfs") _catalogues.Sync();
    }

    private void OnChange(string change)
    {
        if (Traced!.Split(',').Any(part => change.Contains(part, StringComparison.Ordinal))) Log.Add("        " + change);
    }

    internal bool IsDiskBroken => _volume.Fault is not null;

    /// <summary>From now on some changes of mail files fail.</summary>
    internal void BreakDisk()
    {
        VolumeError error = ((VolumeError[])[VolumeError.Io, VolumeError.Permission, VolumeError.ReadOnly, VolumeError.NoSpace])[Random.Next(4)];
        int often = 1 + Random.Next(6);
        Random random = new(Random.Next());
        Log.Add($"DISK BREAKS: {error}, one in {often}");
        _volume.Fault = (operation, path) => operation != "read" && path.StartsWith("/data/mail", StringComparison.Ordinal) && random.Next(often) == 0 ? error : null;
    }

    internal void MendDisk()
    {
        Log.Add("DISK MENDED");
        _volume.Fault = null;
    }

    /// <summary>The power goes, the machine comes back.</summary>
    internal async ValueTask CrashAsync()
    {
        Log.Add($"CRASH; may be: gone {string.Join(",", MayBeGone)}");
        Stores.Clear();
        _stores.Clear();
        List<(string, byte[], byte[])> files = _catalogues.Read();
        if (_server.IsStarted) await _server.AbandonCatalogues();
        Log.Add($"catalogues: {_catalogues.Crash(files, Random, fate)}");
        (_volume.CutAt, _volume.Fault) = (null, null);
        _volume.Crash(Random.Next());
        if (Traced is not null) ListFiles("/data");
    }

    // What the crash left, for the report of a failure.
    private void ListFiles(string directory)
    {
        foreach (VolumeEntry entry in _volume.List(directory, times: false).OrderBy(entry => entry.Name, StringComparer.Ordinal))
        {
            string path = $"{directory}/{entry.Name}";
            if (entry.Kind == VolumeKind.Directory) ListFiles(path);
            else if (_volume.TryStat(path, out VolumeStat stat)) OnChange($"is there: {path} inode {stat.Inode} of {stat.Length} octets");
        }
    }

    /// <summary>The server ends in order and comes back.</summary>
    internal async ValueTask RestartAsync()
    {
        Log.Add("RESTART");
        foreach (IAsyncDisposable store in _stores) await store.DisposeAsync();
        _stores.Clear();
        Stores.Clear();
        await _server.StopAsync(kill: false);
        _catalogues.Sync(); // SQLite makes a log durable when it closes
        await StartAsync();
    }

    /// <summary>The server ends in order, and what it leaves holds together: every message is read, and catalogue, files and the second home of the numbers say the same.</summary>
    internal async ValueTask VerifyStoreAsync()
    {
        // What other programs did is noticed first: a removal by two listings.
        for (int look = 0; look < 3; look++)
        {
            _time.Advance(TimeSpan.FromSeconds(10));
            await VerifyAsync();
        }

        foreach (IAsyncDisposable store in _stores) await store.DisposeAsync();
        _stores.Clear();
        Stores.Clear();
        await _server.StopAsync(kill: false);
        StoreVerifier verifier = new(new() { AccountsDirectory = _catalogues.Directory + "/accounts" }, _volume);
        foreach (string name in Names)
        {
            StoreReport report = verifier.Verify(Account(name), readMail: true, null, Cancel);
            Assert.True(report.Differences.Count == 0, $"{name} does not verify: {string.Join("; ", report.Differences)}");
            Assert.Equal(Accounts[name].Values.Sum(box => box.Messages.Count), report.Messages);
        }
    }

    internal void Forget()
    {
        MayBeGone.Clear();
        MayCome.Clear();
        MayExist.Clear();
        MayVanish.Clear();
        Unsure.Clear();
    }

    public async ValueTask DisposeAsync()
    {
        if (_server.IsStarted) await _server.AbandonCatalogues();
        Directory.Delete(_catalogues.Directory, recursive: true);
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
                    if (ForeignGone.Contains((account, id, row.Uid.Value)) && !(await store.OpenContentAsync(id, row.Uid, Cancel)).IsOk)
                        continue;

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
            foreach (ClientView client in Clients.Where(client => client.Account == account).ToArray()) await client.CheckAsync(this, store);
        }

        foreach ((string account, MailboxId mailbox, string text) in Foreign)
            Assert.True(!Accounts[account].Values.Any(box => box.Id == mailbox), $"{account} {mailbox}: what another program delivered did not come in: {text[..Math.Min(text.Length, 110)]}");
        CheckQueue();
        if (_stillUnsure) _stillUnsure = false;
        else Forget();
    }

    /// <summary>What was refused for now may come true after the next comparison only.</summary>
    internal void RememberUnsure() => _stillUnsure = true;

    private void CheckQueue()
    {
        Dictionary<string, HashSet<int>> now = _queue.Read((entries, _) => entries.Values.ToDictionary(entry => entry.Message.Id.Value, entry => entry.PendingRecipients.ToHashSet()));
        foreach ((string id, HashSet<int> waiting) in Waiting)
        {
            if (!now.TryGetValue(id, out HashSet<int>? found))
            {
                Assert.True(waiting.Count == 0 || Unsure.Contains(id), $"queue: {id} is lost");
                continue;
            }

            Assert.True(found.IsSubsetOf(waiting), $"queue: {id} would be sent again to {string.Join(",", found.Except(waiting))}");
            if (!Unsure.Contains(id)) Assert.True(found.SetEquals(waiting), $"queue: {id} is not sent to {string.Join(",", waiting.Except(found))}");
            QueueEntry entry = _queue.Read((entries, _) => entries[new(id)]);
            IMessageContent? content = _queue.OpenContent(entry);
            Assert.True(content is not null && content.Length == entry.Message.Size, $"queue: {id} has no content");
        }

        foreach (string id in now.Keys) Assert.True(Waiting.ContainsKey(id) || Unsure.Contains(id), $"queue: {id} came from nowhere");
        Waiting.Clear();
        foreach ((string id, HashSet<int> waiting) in now) Waiting.Add(id, waiting);
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
                if (!box.Messages.TryGetValue(uid, out string? found)) Assert.True(MayBeGone.Contains((account, was.Id, uid)) || ForeignGone.Contains((account, was.Id, uid)), $"{account} {was.Name} {uid} is lost");
                else Assert.True(text == found, $"{account} {was.Name} {uid} is another message: {found.Length} octets for {text.Length}");
            }
        }

        foreach (Told box in now.Values)
        {
            Told? was = Accounts[account].Values.FirstOrDefault(told => told.Id == box.Id);
            if (was is null) Assert.True(MayExist.Contains((account, box.Name)) || Accounts[account].Count == 0, $"{account}: {box.Name} ({box.Id}) came from nowhere");
            foreach ((uint uid, string text) in box.Messages)
            {
                if (was?.Messages.ContainsKey(uid) == true || ForeignGone.Contains((account, box.Id, uid))) continue;
                if (Foreign.Remove((account, box.Id, text))) continue; // it may have come in before others that were told
                Assert.True(uid > (was?.LastUid ?? 0), $"{account} {box.Name} {uid} was told before and is another message now");
                Assert.True(MayCome.Remove(text), $"{account} {box.Name} {uid} came from nowhere or a second time: {text[..Math.Min(text.Length, 110)]}");
            }
        }
    }

    // In memory where the system offers it: thousands of small databases.
    private static string NewDirectory()
    {
        string path = Path.Combine(Directory.Exists("/dev/shm") ? "/dev/shm" : Path.GetTempPath(), "posthorn-crash-" + Guid.NewGuid().ToString("N"));
        return Directory.CreateDirectory(path).FullName;
    }
}

/// <summary>What a client with QRESYNC keeps of a mailbox (RFC 7162): it must end with the server's view by asking for what changed since, crash or not.</summary>
internal sealed class ClientView
{
    private SortedDictionary<uint, string> _rows = [];
    private ModSeq _seen;

    internal required string Account { get; init; }
    internal required MailboxId Mailbox { get; init; }

    internal void Take(MailboxVersion version)
    {
        _rows = View(version);
        _seen = version.HighestModSeq;
    }

    /// <summary>Connects again, as SELECT with QRESYNC does, and compares.</summary>
    internal async ValueTask CheckAsync(CrashWorld world, IMailStore store)
    {
        MailboxInfo? info = (await store.ListAsync(Cancel)).FirstOrDefault(info => info.Id == Mailbox);
        if (info is null)
        {
            world.Clients.Remove(this);
            return;
        }

        await using IMailbox open = Must(await store.OpenMailboxAsync(info.Name, readOnly: true, Cancel));
        MailboxVersion version = open.Current;
        Assert.True(version.HighestModSeq >= _seen, $"{Account} {info.Name}: HIGHESTMODSEQ fell from {_seen} to {version.HighestModSeq}");
        foreach (Uid uid in await store.ExpungedUidsAsync(Mailbox, _seen)) _rows.Remove(uid.Value);
        foreach (MessageRow row in version.Rows())
            if (row.ModSeq > _seen) _rows[row.Uid.Value] = Flags(row);
        SortedDictionary<uint, string> now = View(version);
        Assert.True(_rows.SequenceEqual(now), $"{Account} {info.Name}: a client that knew MODSEQ {_seen} ends with\n{string.Join(" ", _rows)}\nwhere the server has\n{string.Join(" ", now)}");
        Take(version);
    }

    private static SortedDictionary<uint, string> View(MailboxVersion version)
    {
        SortedDictionary<uint, string> rows = [];
        foreach (MessageRow row in version.Rows()) rows.Add(row.Uid.Value, Flags(row));
        return rows;
    }

    private static string Flags(in MessageRow row) => $"{row.Flags} {row.Keywords}";
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
