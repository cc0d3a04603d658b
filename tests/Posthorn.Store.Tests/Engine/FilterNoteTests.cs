using System.Text;
using Microsoft.Extensions.Time.Testing;
using Posthorn.Core;
using Posthorn.Journal.Volume;
using Posthorn.Store.Maildir;
using Posthorn.Testing;

namespace Posthorn.Store.Tests.Engine;

/// <summary>What filters remember, across crashes, rebuilds and stays of Dovecot.</summary>
public sealed class FilterNoteTests : IDisposable
{
    private static readonly CancellationToken Cancel = TestContext.Current.CancellationToken;
    private static readonly byte[] Id = Encoding.ASCII.GetBytes("0123456789abcdef");

    private readonly TemporaryFolder _folder = new();
    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero));

    public void Dispose() => _folder.Dispose();

    private MailAccount Ann => MaildirHarness.Account(_folder.Path, "ann");

    private string NotesPath => $"{Ann.Home}/{NotesFile.FileName}";

    [Fact]
    public async Task A_note_outlives_a_kill_and_the_loss_of_the_catalogue()
    {
        await using (MaildirHarness killed = await StartAsync())
        {
            await RememberAsync(killed, Id, TimeSpan.FromDays(7));
            await killed.StopAsync(kill: true);
            MaildirHarness again = await StartAsync();
            Assert.True(await RemembersAsync(again, Id));
            await again.StopAsync(kill: false);
        }

        Directory.Delete(_folder.Path + "/accounts", recursive: true);
        MaildirHarness rebuilt = await StartAsync();
        Assert.True(await RemembersAsync(rebuilt, Id));
        await rebuilt.StopAsync(kill: false);
    }

    [Fact]
    public async Task Notes_of_Dovecot_are_taken_over()
    {
        // As Dovecot 2.3 wrote it: version 2, then expiry, lengths, id, user.
        uint until = (uint)_time.GetUtcNow().AddDays(3).ToUnixTimeSeconds();
        byte[] record = [.. BitConverter.GetBytes(until), .. BitConverter.GetBytes(16u), .. BitConverter.GetBytes(3u), .. Id, .. "ann"u8];
        byte[] old = [.. BitConverter.GetBytes(until - 864_000), .. BitConverter.GetBytes(16u), .. BitConverter.GetBytes(3u), .. Id.Reverse(), .. "ann"u8];
        Directory.CreateDirectory(Ann.Home);
        File.WriteAllBytes(NotesPath, [.. BitConverter.GetBytes(2u), .. old, .. record, 1, 2, 3]);
        await using MaildirHarness server = await StartAsync();
        Assert.True(await RemembersAsync(server, Id));
        Assert.False(await RemembersAsync(server, [.. Id.Reverse()]));
        _time.Advance(TimeSpan.FromDays(4));
        Assert.False(await RemembersAsync(server, Id));
    }

    [Fact]
    public async Task The_file_is_kept_for_the_way_back_and_read_again_after_it()
    {
        byte[] theirs = [.. Id.Reverse()];
        MaildirHarness server = await StartAsync();
        await RememberAsync(server, Id, TimeSpan.FromDays(7));
        await server.StopAsync(kill: false);
        NotesFile file = NotesFile.Parse(File.ReadAllBytes(NotesPath));
        Assert.Equal("ann@example.org", file.User);
        (byte[] id, long until) = Assert.Single(file.Notes);
        Assert.Equal(Id, id);
        Assert.Equal(_time.GetUtcNow().AddDays(7).ToUnixTimeMilliseconds(), until);

        // Dovecot ran, and answered somebody else.
        File.Delete(NotesPath);
        File.WriteAllBytes(NotesPath, new NotesFile([.. file.Notes, (theirs, until)], "ann").Format());
        File.SetLastWriteTimeUtc(NotesPath, _time.GetUtcNow().UtcDateTime.AddHours(1));
        server = await StartAsync();
        Assert.True(await RemembersAsync(server, theirs));
        Assert.True(await RemembersAsync(server, Id));
        await server.StopAsync(kill: false);
    }

    [Fact]
    public async Task More_notes_than_the_limit_push_out_those_that_would_go_first()
    {
        await using MaildirHarness server = await StartAsync();
        await RememberAsync(server, Id, TimeSpan.FromDays(1));
        await using IMessageSink sink = server.CreateSink();
        FilterNote[] notes = [.. Enumerable.Range(0, 10_000).Select(i => new FilterNote(Ann, BitConverter.GetBytes(i), _time.GetUtcNow().AddDays(2)))];
        await server.DeliverAsync(sink, new DeliveryOrder { Notes = notes }, Cancel);
        Assert.False(await RemembersAsync(server, Id));
        Assert.True(await RemembersAsync(server, BitConverter.GetBytes(9_999)));
    }

    [Fact]
    public async Task A_home_that_cannot_be_written_stops_no_checkpoint()
    {
        MaildirHarness server = await StartAsync();
        File.WriteAllText(_folder.Path + "/home", "in the way");
        await RememberAsync(server, Id, TimeSpan.FromDays(7));
        await server.Journal.CheckpointAsync(Cancel);
        await server.StopAsync(kill: false);
    }

    private async Task<MaildirHarness> StartAsync()
    {
        MaildirHarness server = new(_folder.Path, new LinuxVolume(), _time);
        await server.StartAsync();
        return server;
    }

    private async Task RememberAsync(MaildirHarness server, byte[] id, TimeSpan period)
    {
        await using IMessageSink sink = server.CreateSink();
        await server.DeliverAsync(sink, new DeliveryOrder { Notes = [new(Ann, id, _time.GetUtcNow() + period)] }, Cancel);
    }

    private async Task<bool> RemembersAsync(MaildirHarness server, byte[] id)
    {
        await using IMailStore store = (await server.OpenAsync(Ann, Cancel)).Value;
        return await store.RemembersAsync(id, Cancel);
    }
}
