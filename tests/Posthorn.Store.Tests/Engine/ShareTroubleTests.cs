using Microsoft.Extensions.Time.Testing;
using Posthorn.Core;
using Posthorn.Journal;
using Posthorn.Journal.Volume;
using Posthorn.Store.Contract;
using Posthorn.Store.Sharing;
using static Posthorn.Store.Contract.StoreFixture;

namespace Posthorn.Store.Tests.Engine;

/// <summary>The file that says with whom an account shares cannot be written: the right is given all the same, and no checkpoint waits for it.</summary>
public sealed class ShareTroubleTests : IAsyncLifetime
{
    private const MailboxRights Reading = MailboxRights.Lookup | MailboxRights.Read;
    private readonly string _directory = Directory.CreateTempSubdirectory("posthorn-shares-").FullName;
    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 3, 4, 5, 6, 7, TimeSpan.Zero));
    private readonly EmailAddress _bob = EmailAddress.Parse("bob@example.org");
    private MaildirHarness _server = null!;

    private MailAccount Ann => MaildirHarness.Account(_directory, "ann");

    private string SharedFile => _directory + "/accounts/example.org/ann/shared";

    public async ValueTask InitializeAsync()
    {
        _server = new(_directory, new LinuxVolume(), _time) { JournalOptions = new() { Directory = _directory + "/journal", SegmentSize = 1 << 20, BackgroundWork = false } };
        await _server.StartAsync();
        await _server.MustDeliverAsync(Ann, Text("one"));
        await _server.Journal.CheckpointAsync(Cancel);
        Directory.CreateDirectory(SharedFile + ".new"); // in the way, as a disk that refuses
    }

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        Directory.Delete(_directory, recursive: true);
    }

    [Fact]
    public async Task It_counts_at_once_stops_no_checkpoint_and_is_written_later()
    {
        await using IMailStore store = await _server.MustOpenAsync(Ann);
        MailboxId inbox = (await store.FindAsync(MailboxName.Inbox, Cancel))!.Id!.Value;
        Must(await store.ShareAsync(inbox, "bob@example.org", Reading, Cancel));
        Assert.Equal([Ann.Address], _server.SharersWith(_bob)); // it counts at once
        for (int i = 0; i < 3; i++)
        {
            Lsn delivered = new((await _server.MustDeliverAsync(Ann, Text($"number {i}"))).RecordNumber);
            await _server.Journal.CheckpointAsync(Cancel);
            Assert.True(_server.Journal.Checkpointed.Value >= delivered.Value, "the checkpoint stands still");
        }

        Assert.False(File.Exists(SharedFile));
        Directory.Delete(SharedFile + ".new");
        await _server.Journal.CheckpointAsync(Cancel);
        Assert.Equal(["ann@example.org", "bob@example.org"], await File.ReadAllLinesAsync(SharedFile, Cancel));
    }
}
