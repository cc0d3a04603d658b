using Microsoft.Extensions.Logging.Abstractions;
using Posthorn.Core;
using Posthorn.Journal.Volume;
using Posthorn.Store;
using Posthorn.Store.Engine;

namespace Posthorn.Bench.LargeMailbox;

/// <summary>The store and its journal in a directory, without protocols.</summary>
internal sealed class BenchServer : IAsyncDisposable
{
    private BenchServer(string directory, MaildirStores stores, Journal.Journal journal)
    {
        (Stores, Journal) = (stores, journal);
        Who = new() { Address = EmailAddress.Parse("big@example.org"), MailRoot = directory + "/mail", Home = directory + "/home" };
    }

    internal MaildirStores Stores { get; }
    internal Journal.Journal Journal { get; }
    internal MailAccount Who { get; }

    internal static async Task<BenchServer> StartAsync(string directory, bool words)
    {
        Directory.CreateDirectory(directory);
        LinuxVolume volume = new();
        MaildirStores stores = new(new() { AccountsDirectory = directory + "/accounts", WordIndex = words, SpecialMailboxes = [] }, volume, TimeProvider.System, NullLogger.Instance);
        Journal.Journal journal = await Posthorn.Journal.Journal.OpenAsync(
            new() { Directory = directory + "/journal", SegmentSize = 64 << 20 }, volume, [stores], TimeProvider.System, NullLogger.Instance, CancellationToken.None);
        stores.Start(journal);
        return new(directory, stores, journal);
    }

    internal async Task<IMailStore> OpenAsync() => Must(await Stores.OpenAsync(Who, CancellationToken.None));

    internal static T Must<T>(Result<T> result)
        where T : notnull => result.TryGet(out T? value, out Refusal? refusal) ? value : throw new InvalidOperationException(refusal.Text);

    public async ValueTask DisposeAsync()
    {
        await Journal.CheckpointAsync(CancellationToken.None);
        await Stores.DisposeAsync();
        await Journal.DisposeAsync();
    }
}
