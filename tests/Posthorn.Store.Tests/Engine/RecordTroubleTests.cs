using System.Text;
using Microsoft.Extensions.Time.Testing;
using Posthorn.Core;
using Posthorn.Mime;
using Posthorn.Store.Contract;
using Posthorn.Store.Engine;
using Posthorn.Testing.Volumes;
using static Posthorn.Store.Contract.StoreFixture;

namespace Posthorn.Store.Tests.Engine;

/// <summary>A message that nobody thought of costs itself something at most, never its account, the others or the start of the server.</summary>
public sealed class RecordTroubleTests : IDisposable
{
    private static readonly MailAccount Ann = MaildirHarness.Account("/data", "ann");
    private static readonly MailAccount Bob = MaildirHarness.Account("/data", "bob");

    // As many parameters as no array has room for, once a field has more than a few: whatever computes the facts of Strange throws.
    private static readonly MimeLimits Unmet = MimeLimits.Default with { MaxParameters = int.MaxValue };
    private static readonly string Strange = "Subject: strange\r\nContent-Type: text/plain" + string.Concat(Enumerable.Range(0, 20).Select(i => $"; p{i}=v")) + "\r\n\r\nbody\nof it\n";

    private readonly string _directory = Directory.CreateTempSubdirectory("posthorn-records-").FullName;
    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 3, 4, 5, 6, 7, TimeSpan.Zero));
    private readonly CrashVolume _volume;
    private int _boots;

    public RecordTroubleTests()
    {
        _volume = new(_time);
        _volume.MakeDirectory("/data");
        _volume.SyncVolume("/data");
    }

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    private async ValueTask<MaildirHarness> StartAsync(MimeLimits limits)
    {
        MaildirHarness server = new("/data", _volume, _time, _directory)
        {
            BootId = $"boot {++_boots}",
            Change = options => options with { Mime = limits, ApplyAfter = TimeSpan.FromDays(1), TidyAfter = TimeSpan.FromDays(40) },
            JournalOptions = new() { Directory = "/data/journal", SegmentSize = 1 << 20, BackgroundWork = false },
        };
        await server.StartAsync();
        return server;
    }

    private static async ValueTask<string[]> MailAsync(MaildirHarness server, MailAccount account)
    {
        await using IMailStore store = await server.MustOpenAsync(account);
        await using IMailbox box = await store.MustSelectAsync("INBOX", readOnly: true);
        List<string> texts = [];
        foreach (MessageRow row in box.Current.Rows()) texts.Add(await store.ContentAsync(box.Info.Id!.Value, row.Uid));
        return [.. texts];
    }

    [Fact]
    public void The_message_is_one_that_cannot_be_described() =>
        Assert.ThrowsAny<Exception>(() => MessageFacts.Of(Encoding.ASCII.GetBytes(Strange), Unmet));

    [Fact]
    public async Task A_message_that_cannot_be_described_is_stored_all_the_same()
    {
        await using MaildirHarness server = await StartAsync(Unmet);
        await server.MustDeliverAsync(Ann, Strange);
        await server.MustDeliverAsync(Ann, Text("behind it"));
        await using IMailStore store = await server.MustOpenAsync(Ann);
        await using IMailbox box = await store.MustSelectAsync("INBOX");
        Assert.Equal([Strange.Length + 2, (long)Text("behind it").Length], box.Current.Rows().Select(row => row.Size)); // its two bare line feeds become CRLF
        MessageSummary summary = await store.SummariesAsync(box.Info.Id!.Value, Uids(1), SummaryFields.Envelope | SummaryFields.BodyStructure | SummaryFields.SortKeys, Cancel).FirstAsync(Cancel);
        Assert.True(summary.Envelope.IsEmpty && summary.BodyStructure.IsEmpty);
        Assert.Equal("", summary.Sort!.BaseSubject);
    }

    [Fact]
    public async Task One_that_the_last_run_accepted_does_not_keep_the_server_from_starting()
    {
        MaildirHarness server = await StartAsync(MimeLimits.Default);
        await server.MustDeliverAsync(Ann, Strange);
        await server.MustDeliverAsync(Ann, Text("behind it"));
        await server.AbandonCatalogues();
        _volume.Crash(1);
        await using MaildirHarness again = await StartAsync(Unmet);
        Assert.Equal([Strange.Replace("\r\n", "\n").Replace("\n", "\r\n"), Text("behind it")], await MailAsync(again, Ann));
        await again.Journal.CheckpointAsync(Cancel);
    }

    [Fact]
    public async Task Whatever_a_record_throws_on_replay_its_account_waits_and_the_others_do_not()
    {
        MaildirHarness server = await StartAsync(MimeLimits.Default);
        await server.MustDeliverAsync(Bob, Text("bob's first"));
        await server.MustDeliverAsync(Ann, Text("ann's first"));
        await server.MustDeliverAsync(Ann, Text("ann's second"));
        await server.MustDeliverAsync(Bob, Text("bob's second"));
        await server.AbandonCatalogues();
        _volume.Crash(2);
        _volume.Fault = (_, path) => path.Contains("/mail/ann/", StringComparison.Ordinal) && path.Contains(",S=", StringComparison.Ordinal) ? throw new InvalidOperationException("nobody thought of this") : null;
        await using MaildirHarness again = await StartAsync(MimeLimits.Default);
        Assert.Equal([Text("bob's first"), Text("bob's second")], await MailAsync(again, Bob));
        Refused(RefusalKind.Unavailable, await again.OpenAsync(Ann, Cancel));
        await again.Journal.CheckpointAsync(Cancel);
        Refused(RefusalKind.Unavailable, await again.OpenAsync(Ann, Cancel));

        _volume.Fault = null;
        Assert.Equal([Text("ann's first"), Text("ann's second")], await MailAsync(again, Ann));
        await again.MustDeliverAsync(Ann, Text("ann's third"));
        Assert.Equal([Text("ann's first"), Text("ann's second"), Text("ann's third")], await MailAsync(again, Ann));
    }

    // What is known of a message before its record is written takes no memory that others could need, and is the same when it is found out later.
    [Fact]
    public async Task What_takes_much_memory_is_found_out_when_it_is_applied()
    {
        string crowd = "From: a@b\r\nTo: " + string.Join(", ", Enumerable.Range(0, 3_000).Select(i => $"r{i}@example.org")) + "\r\nSubject: crowd\r\n\r\nx\r\n";
        byte[] expected = MessageFacts.Of(Encoding.ASCII.GetBytes(crowd), MimeLimits.Default).Envelope.ToArray();
        Assert.True(expected.Length > EarlyFacts.Room);
        await using MaildirHarness server = await StartAsync(MimeLimits.Default);
        await server.MustDeliverAsync(Ann, crowd);
        await using IMailStore store = await server.MustOpenAsync(Ann);
        await using IMailbox box = await store.MustSelectAsync("INBOX");
        MessageSummary summary = await store.SummariesAsync(box.Info.Id!.Value, Uids(1), SummaryFields.Envelope, Cancel).FirstAsync(Cancel);
        Assert.Equal(expected, summary.Envelope.ToArray());
    }
}
