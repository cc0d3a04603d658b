using Microsoft.Extensions.Time.Testing;
using Posthorn.Core;
using Posthorn.Journal.Volume;
using Posthorn.Store.Contract;
using Posthorn.Store.Engine;
using static Posthorn.Store.Contract.StoreFixture;

namespace Posthorn.Store.Tests.Engine;

/// <summary>Accounts cost nothing while nobody is connected: no file, no thread, no memory that grows with their number.</summary>
[Collection(nameof(IdleCostTests))]
public sealed class IdleCostTests : IAsyncLifetime
{
    private const int Most = 8;

    private readonly string _directory = Directory.CreateTempSubdirectory("posthorn-idle-").FullName;
    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 3, 4, 5, 6, 7, TimeSpan.Zero));
    private MaildirHarness _server = null!;

    public async ValueTask InitializeAsync()
    {
        _server = new(_directory, new LinuxVolume(), _time)
        {
            Change = options => options with { IdleAccounts = Most, IdleFor = TimeSpan.FromMinutes(2), SpecialMailboxes = [], WordIndex = false },
        };
        await _server.StartAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        Directory.Delete(_directory, recursive: true);
    }

    private MailAccount Number(int i) => MaildirHarness.Account(_directory, $"account{i}");

    // Other tests run beside this one: only what lies in our own folder is ours.
    private int OpenFiles()
    {
        int count = 0;
        foreach (string path in Directory.EnumerateFileSystemEntries("/proc/self/fd"))
            if (new FileInfo(path).LinkTarget is { } target && target.StartsWith(_directory + "/accounts/", StringComparison.Ordinal)) count++;
        return count;
    }

    private static int Accounts => int.TryParse(Environment.GetEnvironmentVariable("POSTHORN_IDLE_ACCOUNTS"), out int count) ? count : 300;

    [Fact]
    public async Task Open_catalogues_are_bounded_and_closed_when_idle()
    {
        long first = 0;
        for (int i = 0; i < Accounts; i++)
        {
            await _server.MustDeliverAsync(Number(i), Text($"number {i}"));
            Assert.True(_server.Stores.OpenAccounts.Count <= Most + 1, $"{_server.Stores.OpenAccounts.Count} accounts are open");
            if (i == Accounts / 3) first = await RestingAsync();
        }

        Assert.True(OpenFiles() <= (Most + 1) * 3, $"{OpenFiles()} files of catalogues are open");
        long grown = await RestingAsync() - first;
        // What is kept for an account that is not open: nothing. The bound is far below what one open catalogue takes.
        Assert.True(grown < Accounts * 2L / 3 * 1024, $"{Accounts * 2 / 3} accounts more take {grown} octets more");

        IMailStore held = await _server.MustOpenAsync(Number(1));
        using CancellationTokenSource patience = new(TimeSpan.FromSeconds(60));
        for (int minute = 0; minute < 4 || _server.Stores.OpenAccounts.Count > 1 || OpenFiles() > 3; minute++)
        {
            Assert.False(patience.IsCancellationRequested, "they are not closed");
            _time.Advance(TimeSpan.FromMinutes(1));
            await Task.Yield();
        }

        Assert.Equal([Number(1).Address], _server.Stores.OpenAccounts.Select(account => account.Who.Address)); // somebody is connected
        Assert.True(OpenFiles() <= 3, $"{OpenFiles()} files of catalogues are open");
        await held.DisposeAsync();
        while (_server.Stores.OpenAccounts.Count > 0 || OpenFiles() > 0)
        {
            Assert.False(patience.IsCancellationRequested, "the last is not closed");
            _time.Advance(TimeSpan.FromMinutes(1));
            await Task.Yield();
        }

        Assert.Equal(0, OpenFiles());
        await using IMailStore again = await _server.MustOpenAsync(Number(Accounts - 1));
        await using IMailbox box = await again.MustSelectAsync("INBOX");
        Assert.Equal(Text($"number {Accounts - 1}"), await again.ContentAsync(box.Info.Id!.Value, new(1)));
    }

    // No thread waits for accounts: the store has two tasks for all of them, and opening one starts none.
    [Fact]
    public async Task An_account_has_no_thread_of_its_own()
    {
        await _server.MustDeliverAsync(Number(0), Text("warm"));
        List<IMailStore> stores = [];
        int before = ThreadPool.ThreadCount + System.Diagnostics.Process.GetCurrentProcess().Threads.Count;
        for (int i = 0; i < 60; i++) stores.Add(await _server.MustOpenAsync(Number(i)));
        int after = ThreadPool.ThreadCount + System.Diagnostics.Process.GetCurrentProcess().Threads.Count;
        foreach (IMailStore store in stores) await store.DisposeAsync();
        Assert.True(after - before < 50, $"{after - before} threads more"); // other tests may start some
    }

    private async Task<long> RestingAsync()
    {
        await _server.Journal.CheckpointAsync(Cancel); // what waits for it is forgotten
        GC.Collect();
        GC.WaitForPendingFinalizers();
        return GC.GetTotalMemory(forceFullCollection: true);
    }
}

/// <summary>They count memory and threads of the whole process.</summary>
[CollectionDefinition(nameof(IdleCostTests), DisableParallelization = true)]
public sealed class AloneCollection;
