using Microsoft.Extensions.Time.Testing;
using Posthorn.Core;
using Posthorn.Journal.Volume;
using Posthorn.Store.Contract;
using Posthorn.Store.Engine;
using static Posthorn.Store.Contract.StoreFixture;

namespace Posthorn.Store.Tests.Engine;

/// <summary>Long work says how far it has come: each message is told once, and while the work goes on.</summary>
public sealed class ProgressTests : IAsyncLifetime
{
    private const int Inbox = 150, Sent = 30;
    private readonly string _directory = Directory.CreateTempSubdirectory("posthorn-progress-").FullName;
    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 3, 4, 5, 6, 7, TimeSpan.Zero));
    private readonly LinuxVolume _volume = new();
    private readonly List<(EmailAddress Who, int Messages)> _rebuilt = [];
    private MaildirHarness _server = null!;

    private MailAccount Ann => MaildirHarness.Account(_directory, "ann");

    public async ValueTask InitializeAsync()
    {
        _server = new(_directory, _volume, _time) { Change = options => options with { TidyAfter = TimeSpan.FromDays(1), Rebuilding = (who, messages) => _rebuilt.Add((who, messages)) } };
        await _server.StartAsync();
        await using IMailStore store = await _server.MustOpenAsync(Ann);
        await store.MustAppendAsync(_server, "INBOX", [.. Enumerable.Range(0, Inbox).Select(i => Text($"inbox {i}"))]);
        await store.MustAppendAsync(_server, "Sent", [.. Enumerable.Range(0, Sent).Select(i => Text($"sent {i}"))]);
    }

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        Directory.Delete(_directory, recursive: true);
    }

    [Fact]
    public async Task Verifying_tells_each_message()
    {
        await _server.StopAsync(kill: false);
        foreach (bool read in (bool[])[false, true])
        {
            List<int> told = [];
            StoreReport report = new StoreVerifier(new() { AccountsDirectory = _directory + "/accounts" }, _volume).Verify(Ann, read, told.Add, Cancel);
            Assert.Equal(Inbox + Sent, report.Messages);
            Assert.Equal(Enumerable.Repeat(1, Inbox + Sent), told);
        }
    }

    [Fact]
    public async Task Indexing_tells_what_each_step_took_in()
    {
        List<int> told = [];
        Assert.True(await _server.Stores.IndexAsync(Ann, anew: true, told.Add, Cancel));
        Assert.Equal([100, Inbox + Sent - 100], told);
        told.Clear();
        Assert.True(await _server.Stores.IndexAsync(Ann, anew: false, told.Add, Cancel));
        Assert.Empty(told);
    }

    [Fact]
    public async Task Making_a_catalogue_anew_tells_each_message_before_the_account_is_open()
    {
        await _server.Journal.CheckpointAsync(Cancel);
        await _server.StopAsync(kill: false);
        Assert.Empty(_rebuilt);
        Assert.True(new StoreVerifier(new() { AccountsDirectory = _directory + "/accounts" }, _volume).SetAside(Ann, _time.GetUtcNow()));
        await _server.StartAsync();
        await (await _server.MustOpenAsync(Ann)).DisposeAsync();
        Assert.Equal(Enumerable.Repeat((Ann.Address, 1), Inbox + Sent), _rebuilt);
    }
}
