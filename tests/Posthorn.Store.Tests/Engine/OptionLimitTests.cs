using Microsoft.Extensions.Time.Testing;
using Posthorn.Core;
using Posthorn.Journal.Volume;
using Posthorn.Store.Contract;
using Posthorn.Store.Engine;
using Posthorn.Testing.Volumes;
using static Posthorn.Store.Contract.StoreFixture;

namespace Posthorn.Store.Tests.Engine;

/// <summary>Each limit of the store, crossed.</summary>
public sealed class OptionLimitTests : IDisposable
{
    private static readonly MailAccount Ann = MaildirHarness.Account("/data", "ann");

    private readonly string _directory = Directory.CreateTempSubdirectory("posthorn-limits-").FullName;
    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 3, 4, 5, 6, 7, TimeSpan.Zero));
    private readonly CrashVolume _volume;

    public OptionLimitTests()
    {
        _volume = new(_time);
        _volume.MakeDirectory("/data");
    }

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    private async ValueTask<MaildirHarness> StartAsync(Func<MaildirStoreOptions, MaildirStoreOptions> change)
    {
        MaildirHarness server = new("/data", _volume, _time, _directory)
        {
            Change = options => change(options with { TidyAfter = TimeSpan.FromDays(40) }),
            JournalOptions = new() { Directory = "/data/journal", SegmentSize = 256 << 10, BackgroundWork = false },
        };
        await server.StartAsync();
        return server;
    }

    [Fact]
    public async Task Mailboxes()
    {
        await using MaildirHarness server = await StartAsync(options => options with { Mailboxes = 3, SpecialMailboxes = [] });
        await using IMailStore store = await server.MustOpenAsync(Ann);
        Must(await store.CreateAsync(Name("one"), SpecialUse.None, Cancel));
        Must(await store.CreateAsync(Name("two"), SpecialUse.None, Cancel));
        Refused(RefusalKind.Limit, await store.CreateAsync(Name("three"), SpecialUse.None, Cancel));
        Must(await store.DeleteAsync(Name("two"), Cancel));
        Must(await store.CreateAsync(Name("three"), SpecialUse.None, Cancel));
    }

    [Fact]
    public async Task Subscriptions()
    {
        await using MaildirHarness server = await StartAsync(options => options with { Subscriptions = 3, SpecialMailboxes = [] });
        await using IMailStore store = await server.MustOpenAsync(Ann);
        Must(await store.SubscribeAsync(Name("one"), true, Cancel));
        Must(await store.SubscribeAsync(Name("two"), true, Cancel)); // with INBOX
        Refused(RefusalKind.Limit, await store.SubscribeAsync(Name("three"), true, Cancel));
        Must(await store.SubscribeAsync(Name("two"), true, Cancel));
        Must(await store.SubscribeAsync(Name("one"), false, Cancel));
        Must(await store.SubscribeAsync(Name("three"), true, Cancel));
    }

    [Fact]
    public async Task KeywordsOfAMessage()
    {
        await using MaildirHarness server = await StartAsync(options => options with { MessageKeywords = 3, SpecialMailboxes = [] });
        await using IMailStore store = await server.MustOpenAsync(Ann);
        MailboxId inbox = (await store.MustAppendAsync(server, "INBOX", [Text("one")])).Mailbox;
        Must(await store.ChangeFlagsAsync(inbox, [new(1)], Keywords(FlagOperation.Add, "a", "b"), null, Cancel));
        Refused(RefusalKind.Limit, await store.ChangeFlagsAsync(inbox, [new(1)], Keywords(FlagOperation.Add, "c", "d"), null, Cancel));
        Must(await store.ChangeFlagsAsync(inbox, [new(1)], Keywords(FlagOperation.Replace, "b", "c", "d"), null, Cancel));
        Refused(RefusalKind.Limit, await store.ChangeFlagsAsync(inbox, [new(1)], Keywords(FlagOperation.Add, "e"), null, Cancel));
        Must(await store.ChangeFlagsAsync(inbox, [new(1)], Keywords(FlagOperation.Remove, "b"), null, Cancel));
        Must(await store.ChangeFlagsAsync(inbox, [new(1)], Keywords(FlagOperation.Add, "e"), null, Cancel));
    }

    [Fact]
    public async Task KeywordOctets()
    {
        await using MaildirHarness server = await StartAsync(options => options with { KeywordOctets = 20, SpecialMailboxes = [] });
        await using IMailStore store = await server.MustOpenAsync(Ann);
        MailboxId inbox = (await store.MustAppendAsync(server, "INBOX", [Text("one"), Text("two")])).Mailbox;
        Must(await store.ChangeFlagsAsync(inbox, [new(2)], Keywords(FlagOperation.Replace, "0123456789"), null, Cancel));
        Must(await store.ChangeFlagsAsync(inbox, [new(1)], Keywords(FlagOperation.Replace, "abcde"), null, Cancel));
        Refused(RefusalKind.Limit, await store.ChangeFlagsAsync(inbox, [new(1)], Keywords(FlagOperation.Replace, "ABCDEFGH"), null, Cancel));
        await using (IMailbox box = await store.MustSelectAsync("INBOX")) Assert.False(box.TakesKeywords);
        Must(await store.ChangeFlagsAsync(inbox, [new(1)], Keywords(FlagOperation.Replace, "0123456789"), null, Cancel)); // it is known
        Must(await store.ChangeFlagsAsync(inbox, [new(1)], new(FlagOperation.Add, SystemFlags.Seen, KeywordSet.Empty), null, Cancel));
        Must(await store.ChangeFlagsAsync(inbox, [new(1)], Keywords(FlagOperation.Replace, "ABCDEFGH"), null, Cancel)); // nobody has "abcde" any more
        await using IMailbox after = await store.MustSelectAsync("INBOX", readOnly: true);
        Assert.Equal("ABCDEFGH", after.Current[0].Keywords.ToString());
        Assert.Equal("0123456789", after.Current[1].Keywords.ToString());
    }

    [Fact]
    public async Task AnnotationsHaveAShareForEachUser()
    {
        await using MaildirHarness server = await StartAsync(options => options with { AnnotationOctets = 100, SpecialMailboxes = [] });
        await using IMailStore store = await server.MustOpenAsync(Ann);
        MailboxId inbox = (await store.FindAsync(MailboxName.Inbox, Cancel))!.Id!.Value;
        Must(await store.AnnotateAsync(inbox, [Note("bob@example.org", "/private/a", 1), Note("bob@example.org", "/private/b", 1)], 2, Cancel));
        Refused(RefusalKind.Limit, await store.AnnotateAsync(inbox, [Note("bob@example.org", "/private/c", 1)], 2, Cancel));
        Must(await store.AnnotateAsync(inbox, [Note("ann@example.org", "/private/a", 1)], 2, Cancel)); // bob has not taken her room
        Refused(RefusalKind.Limit, await store.AnnotateAsync(inbox, [Note("ann@example.org", "/private/b", 90)], 2, Cancel));
        Must(await store.AnnotateAsync(inbox, [Note("ann@example.org", "/private/b", 70)], 2, Cancel));
        Refused(RefusalKind.Limit, await store.AnnotateAsync(null, [Note("ann@example.org", "/private/c", 10)], 2, Cancel)); // over all mailboxes
        Must(await store.AnnotateAsync(inbox, [Note("ann@example.org", "/private/b", 60)], 2, Cancel));
    }

    private static FlagChange Keywords(FlagOperation operation, params string[] names) =>
        new(operation, SystemFlags.None, KeywordSet.Of(names.Select(name => Keyword.TryCreate(name, out Keyword keyword) ? keyword : default)));

    private static Annotation Note(string user, string entry, int octets) => new(null, user, entry, new byte[octets]);

    [Fact]
    public async Task Tombstones()
    {
        MaildirHarness server = await StartAsync(options => options with { Tombstones = 8, SpecialMailboxes = [] });
        IMailStore store = await server.MustOpenAsync(Ann);
        AppendReceipt made = await store.MustAppendAsync(server, "INBOX", [.. Enumerable.Range(1, 20).Select(i => Text($"number {i}"))]);
        MailboxId inbox = made.Mailbox;
        List<ModSeq> after = [await HighestAsync(store)];
        for (uint uid = 1; uid <= 12; uid++)
        {
            Must(await store.ChangeFlagsAsync(inbox, [new(uid)], new(FlagOperation.Add, SystemFlags.Deleted, KeywordSet.Empty), null, Cancel));
            Must(await store.ExpungeAsync(inbox, [new(uid)], Cancel));
            after.Add(await HighestAsync(store));
        }

        Assert.Equal([11u, 12], (await store.ExpungedUidsAsync(inbox, after[10])).Select(uid => uid.Value));
        await server.Journal.CheckpointAsync(Cancel);
        Assert.Equal([11u, 12], (await store.ExpungedUidsAsync(inbox, after[10])).Select(uid => uid.Value)); // of the four that are kept
        Assert.Equal(Enumerable.Range(1, 12).Select(uid => (uint)uid), (await store.ExpungedUidsAsync(inbox, after[3])).Select(uid => uid.Value)); // all that is not there
        await store.DisposeAsync();
        await server.StopAsync(kill: false);

        server = await StartAsync(options => options);
        store = await server.MustOpenAsync(Ann);
        Assert.Equal([11u, 12], (await store.ExpungedUidsAsync(inbox, after[10])).Select(uid => uid.Value));
        Assert.Equal(12, (await store.ExpungedUidsAsync(inbox, after[3])).Count);
        Assert.True(await HighestAsync(store) >= after[^1]);
        await store.DisposeAsync();
        await server.DisposeAsync();

        static async ValueTask<ModSeq> HighestAsync(IMailStore store)
        {
            await using IMailbox open = await store.MustSelectAsync("INBOX", readOnly: true);
            return open.Current.HighestModSeq;
        }
    }

    [Fact]
    public async Task FilterNotes()
    {
        await using MaildirHarness server = await StartAsync(options => options with { FilterNotes = 2 });
        await using IMailStore store = await server.MustOpenAsync(Ann);
        byte[] Id(byte number) => [number, .. new byte[15]];
        for (byte i = 1; i <= 3; i++)
        {
            await using IMessageSink sink = await server.SinkAsync(Text("x"));
            await server.DeliverAsync(sink, new DeliveryOrder { Notes = [new(Ann, Id(i), _time.GetUtcNow() + TimeSpan.FromDays(i))] }, Cancel);
        }

        Assert.False(await store.RemembersAsync(Id(1), Cancel)); // it would have gone first
        Assert.True(await store.RemembersAsync(Id(2), Cancel));
        Assert.True(await store.RemembersAsync(Id(3), Cancel));
    }

    [Fact]
    public async Task KeepExpunged()
    {
        await using MaildirHarness server = await StartAsync(options => options with { KeepExpunged = TimeSpan.FromHours(2) });
        await using IMailStore store = await server.MustOpenAsync(Ann);
        MailboxId inbox = (await store.MustAppendAsync(server, "INBOX", Text("one"))).Mailbox;
        Must(await store.ChangeFlagsAsync(inbox, Uids(1), new(FlagOperation.Add, SystemFlags.Deleted, KeywordSet.Empty), null, Cancel));
        Must(await store.ExpungeAsync(inbox, null, Cancel));
        for (int hour = 0; hour < 2; hour++)
        {
            await store.MustAppendAsync(server, "INBOX", Text("more"));
            await server.Journal.CheckpointAsync(Cancel);
            Assert.Single(_volume.List("/data/mail/ann/posthorn/expunged", times: false));
            _time.Advance(TimeSpan.FromMinutes(61));
        }

        await store.MustAppendAsync(server, "INBOX", Text("more"));
        await server.Journal.CheckpointAsync(Cancel);
        Assert.Empty(_volume.List("/data/mail/ann/posthorn/expunged", times: false));
    }

    // A mailbox above the limit is opened without a look at its folder, one below with it.
    [Theory]
    [InlineData(1, 2)]
    [InlineData(2, 3)]
    public async Task LargeMailbox(int limit, int seen)
    {
        await using MaildirHarness server = await StartAsync(options => options with { LargeMailbox = limit });
        await using IMailStore store = await server.MustOpenAsync(Ann);
        await store.MustAppendAsync(server, "INBOX", Text("one"), Text("two"));
        _time.Advance(TimeSpan.FromMinutes(1));
        using (IVolumeFile file = _volume.Open("/data/mail/ann/new/17000.theirs.host", VolumeOpen.CreateNew)) file.Write(0, System.Text.Encoding.ASCII.GetBytes(Text("theirs")));
        await using IMailbox box = await store.MustSelectAsync("INBOX");
        Assert.Equal(seen, box.Current.Count);
    }

    [Fact]
    public async Task NamesAtOnce()
    {
        await using MaildirHarness server = await StartAsync(options => options with { NamesAtOnce = 2, TidyAfter = TimeSpan.FromSeconds(1) });
        await using IMailStore store = await server.MustOpenAsync(Ann);
        MailboxId inbox = (await store.MustAppendAsync(server, "INBOX", Text("1"), Text("2"), Text("3"), Text("4"), Text("5"))).Mailbox;
        Must(await store.ChangeFlagsAsync(inbox, Uids(1, 2, 3, 4, 5), new(FlagOperation.Add, SystemFlags.Seen, KeywordSet.Empty), null, Cancel));
        int most = 0, before = 0;
        _volume.Before = (operation, path) => before += operation == "rename" && path.Contains("/data/mail/ann/new/", StringComparison.Ordinal) ? 1 : 0;
        for (int round = 0; _volume.List("/data/mail/ann/cur", times: false).Count < 5; round++)
        {
            Assert.True(round < 100_000, "the names do not follow");
            int done = before;
            _time.Advance(TimeSpan.FromSeconds(1));
            await Task.Yield();
            most = Math.Max(most, before - done);
        }

        Assert.Equal(5, _volume.List("/data/mail/ann/cur", times: false).Count);
    }

    // An index that is larger is left aside: the mail is taken in without it.
    [Theory]
    [InlineData(100, SystemFlags.None)]
    [InlineData(1 << 20, SystemFlags.None)]
    public async Task DovecotIndex(long limit, SystemFlags flags)
    {
        List<string> log = [];
        Directory.CreateDirectory(_directory + "/mail/ann/cur");
        Directory.CreateDirectory(_directory + "/mail/ann/new");
        Directory.CreateDirectory(_directory + "/mail/ann/tmp");
        await File.WriteAllTextAsync(_directory + "/mail/ann/cur/17000.M1.host:2,", Text("one"), Cancel);
        await File.WriteAllTextAsync(_directory + "/mail/ann/dovecot-uidlist", "3 V17 N9 G0123456789abcdef0123456789abcdef\n5 :17000.M1.host\n", Cancel);
        await File.WriteAllBytesAsync(_directory + "/mail/ann/dovecot.index.log", new byte[200], Cancel);
        MaildirHarness server = new(_directory, new LinuxVolume(), _time) { Logger = new ListLogger(log), Change = options => options with { DovecotIndex = limit } };
        await server.StartAsync();
        await using (IMailStore store = await server.MustOpenAsync(MaildirHarness.Account(_directory, "ann")))
        {
            await using IMailbox box = await store.MustSelectAsync("INBOX");
            Assert.Equal((new Uid(5), flags), (box.Current[0].Uid, box.Current[0].Flags));
        }

        await server.DisposeAsync();
        Assert.Equal(limit < 200, log.Exists(line => line.Contains("left aside", StringComparison.Ordinal) && line.Contains("200", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task WholeMessageOctets()
    {
        await using MaildirHarness server = await StartAsync(options => options with { WholeMessageOctets = 1000 });
        await using IMailStore store = await server.MustOpenAsync(Ann);
        MailboxId inbox = (await store.MustAppendAsync(server, "INBOX", Text("needle"), Text(new string('x', 2000)))).Mailbox;
        OctetHold held = await server.WholeMessages.TakeAsync(900, Cancel);
        using CancellationTokenSource gone = new();
        Task<IReadOnlyList<Uid>> first = store.FindTextAsync(inbox, Uids(1), new(TextScope.Body, "", "needle"), gone.Token).AsTask();
        Task<IReadOnlyList<Uid>> second = store.FindTextAsync(inbox, Uids(1, 2), new(TextScope.All, "", "needle"), Cancel).AsTask();
        Assert.Equal(2, server.WholeMessages.Waiting);
        // The header is little, however large the message: it waits for nobody.
        Assert.Equal(Uids(1), await store.FindTextAsync(inbox, Uids(1, 2), new(TextScope.Header, "Subject", "needle"), Cancel));
        await gone.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first);
        Assert.False(second.IsCompleted);
        held.Dispose();
        Assert.Equal(Uids(1), await second); // the second message has more octets than the bound: it is read when it is alone
        Assert.Equal(0, server.WholeMessages.Waiting);
    }

    [Fact]
    public async Task WordIndex()
    {
        await using MaildirHarness server = await StartAsync(options => options with { WordIndex = false, IndexAfter = TimeSpan.Zero, TidyAfter = TimeSpan.FromSeconds(1) });
        await using IMailStore store = await server.MustOpenAsync(Ann);
        MailboxId inbox = (await store.MustAppendAsync(server, "INBOX", Text("needle"))).Mailbox;
        for (int i = 0; i < 20; i++)
        {
            _time.Advance(TimeSpan.FromSeconds(10));
            await Task.Yield();
        }

        Assert.Empty(Directory.GetFiles(_directory, "words.db", SearchOption.AllDirectories));
        Assert.Equal(Uids(1), await store.FindTextAsync(inbox, Uids(1), new(TextScope.All, "", "needle"), Cancel));
    }

    [Fact]
    public async Task SpaceReserve()
    {
        _volume.Capacity = 4 << 20;
        await using MaildirHarness server = await StartAsync(options => options with { SpaceReserve = 64 << 10 });
        await using IMailStore store = await server.MustOpenAsync(Ann);
        Must(await server.HasRoomAsync(Ann, 1000, Cancel));
        long free = _volume.FreeSpace("/data");
        Refused(RefusalKind.NoSpace, await server.HasRoomAsync(Ann, free - (64 << 10) + 1, Cancel));
        Must(await server.HasRoomAsync(Ann, free - (64 << 10), Cancel));
        Refused(RefusalKind.NoSpace, await server.HasRoomAsync(Ann, free, Cancel));
    }
}
