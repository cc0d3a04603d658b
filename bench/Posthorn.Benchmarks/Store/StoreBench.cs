using Microsoft.Extensions.Logging.Abstractions;
using Posthorn.Bench.Load;
using Posthorn.Core;
using Posthorn.Journal.Volume;
using Posthorn.Store;
using Posthorn.Store.Engine;

namespace Posthorn.Benchmarks.Store;

/// <summary>A whole store on a real disk, with its journal: what the server has below its protocols.</summary>
internal sealed class StoreBench : IAsyncDisposable
{
    private readonly string _folder;
    private readonly byte[] _message = new LoadMessage(4096, "bench").With(1);
    private readonly byte[] _prefix = "Return-Path: <load@sender.example>\r\nDelivered-To: user@bench.test\r\n"u8.ToArray();

    private StoreBench(string folder, MaildirStores stores, Journal.Journal journal) => (_folder, Stores, Journal) = (folder, stores, journal);

    internal MaildirStores Stores { get; private set; }

    internal Journal.Journal Journal { get; private set; }

    internal static async Task<StoreBench> OpenAsync(string folder)
    {
        (MaildirStores stores, Journal.Journal journal) = await OpenStoresAsync(folder);
        return new(folder, stores, journal);
    }

    /// <summary>Closes everything in order and opens it anew.</summary>
    internal async Task ReopenAsync()
    {
        await CloseAsync();
        (Stores, Journal) = await OpenStoresAsync(_folder);
    }

    internal MailAccount Account(int number) => new()
    {
        Address = EmailAddress.TryParse($"user{number}@bench.test", out EmailAddress address) ? address : default,
        MailRoot = $"{_folder}/mail/user{number}",
        Home = $"{_folder}/home/user{number}",
    };

    internal static MailboxName Name(string name) => MailboxName.TryCreate(name, '.', out MailboxName mailbox) ? mailbox : throw new ArgumentException(name);

    internal async Task<IMailStore> StoreAsync(int number)
    {
        Result<IMailStore> opened = await Stores.OpenAsync(Account(number), CancellationToken.None);
        return opened.IsOk ? opened.Value : throw new IOException(opened.Refusal.Text);
    }

    /// <summary>Delivers a message of 4 KiB, as the transport does.</summary>
    internal async Task DeliverAsync(int number)
    {
        await using IMessageSink sink = Stores.CreateSink();
        await sink.WriteAsync(_message, CancellationToken.None);
        DeliveryReceipt receipt = await Stores.DeliverAsync(sink, new DeliveryOrder { Deliveries = [new(Account(number), MailboxName.Inbox, SystemFlags.None, KeywordSet.Empty, _prefix)] }, CancellationToken.None);
        if (!receipt.Outcomes[0].IsOk) throw new IOException(receipt.Outcomes[0].Refusal.Text);
    }

    internal async Task AppendAsync(IMailStore store, MailboxName mailbox)
    {
        await using IMessageSink sink = Stores.CreateSink();
        await sink.WriteAsync(_message, CancellationToken.None);
        Result<AppendReceipt> receipt = await store.AppendAsync(mailbox, [new(sink, SystemFlags.Seen, KeywordSet.Empty, TimeProvider.System.GetUtcNow())], CancellationToken.None);
        if (!receipt.IsOk) throw new IOException(receipt.Refusal.Text);
    }

    /// <summary>Writers that deliver one message after the other, each into an account of its own.</summary>
    internal async Task DeliverAsync(int writers, int messages)
    {
        int next = 0;
        await Task.WhenAll(Enumerable.Range(0, writers).Select(writer => Task.Run(async () =>
        {
            while (Interlocked.Increment(ref next) <= messages) await DeliverAsync(writer);
        })));
    }

    public async ValueTask DisposeAsync() => await CloseAsync();

    private async Task CloseAsync()
    {
        await Journal.CheckpointAsync(CancellationToken.None);
        await Stores.DisposeAsync();
        await Journal.DisposeAsync();
    }

    private static async Task<(MaildirStores, Journal.Journal)> OpenStoresAsync(string folder)
    {
        Directory.CreateDirectory(folder + "/data/accounts");
        Directory.CreateDirectory(folder + "/mail");
        LinuxVolume volume = new();
        MaildirStores stores = new(new() { AccountsDirectory = folder + "/data/accounts", HostName = "bench.test" }, volume, TimeProvider.System, NullLogger.Instance);
        Journal.Journal journal = await Posthorn.Journal.Journal.OpenAsync(
            new() { Directory = folder + "/data/journal" }, volume, [stores], TimeProvider.System, NullLogger.Instance, CancellationToken.None);
        stores.Start(journal);
        return (stores, journal);
    }
}
