using Microsoft.Extensions.Logging.Abstractions;
using Posthorn.Configuration;
using Posthorn.Core;
using Posthorn.Directory;
using Posthorn.Journal.Volume;
using Posthorn.Serving;
using Posthorn.Store;
using Posthorn.Store.Maildir;

namespace Posthorn.Filtering;

/// <summary>A message that was received.</summary>
internal sealed record ReceivedMessage(MailboxName Mailbox, DateTimeOffset Received, object Key);

/// <summary>Mail already received, to be looked at and not touched.</summary>
internal interface IReplayMail : IAsyncDisposable
{
    /// <summary>What cannot be known of this mail, for the reader.</summary>
    IReadOnlyList<string> Limits { get; }

    /// <summary>All mailboxes.</summary>
    ValueTask<IReadOnlyList<KnownMailbox>> MailboxesAsync(CancellationToken cancel);

    /// <summary>The messages that came at or after a time, oldest first.</summary>
    ValueTask<IReadOnlyList<ReceivedMessage>> ListAsync(DateTimeOffset since, CancellationToken cancel);

    /// <summary>A message's first octets; null when it has gone since.</summary>
    ValueTask<byte[]?> ReadAsync(ReceivedMessage message, int most, CancellationToken cancel);
}

/// <summary>Mail through a store: the running server's, or that of a stopped one.</summary>
internal sealed class StoreMail(IMailStore store, StoppedServer? stopped = null) : IReplayMail
{
    private readonly Dictionary<MailboxName, MailboxId> _ids = [];

    public IReadOnlyList<string> Limits => [];

    public async ValueTask<IReadOnlyList<KnownMailbox>> MailboxesAsync(CancellationToken cancel) => [.. (await BoxesAsync(cancel)).Select(KnownMailbox.Of)];

    private async ValueTask<IEnumerable<MailboxInfo>> BoxesAsync(CancellationToken cancel) => (await store.ListAsync(cancel)).Where(box => box.Id is not null);

    public async ValueTask<IReadOnlyList<ReceivedMessage>> ListAsync(DateTimeOffset since, CancellationToken cancel)
    {
        List<ReceivedMessage> found = [];
        foreach (MailboxInfo info in await BoxesAsync(cancel))
        {
            // Read-only: no \Recent claim is taken.
            Result<IMailbox> opened = await store.OpenMailboxAsync(info.Name, readOnly: true, cancel);
            if (!opened.TryGet(out IMailbox? box, out _)) continue;
            await using (box)
            {
                if (box.Info.Id is not { } id) continue;
                _ids[info.Name] = id;
                MailboxVersion version = box.Current;
                for (int i = 0; i < version.Count; i++)
                    if (version[i].InternalDate >= since) found.Add(new(info.Name, version[i].InternalDate, version[i].Uid));
            }
        }
        return [.. found.OrderBy(m => m.Received)];
    }

    public async ValueTask<byte[]?> ReadAsync(ReceivedMessage message, int most, CancellationToken cancel)
    {
        Result<IMessageContent> opened = await store.OpenContentAsync(_ids[message.Mailbox], (Uid)message.Key, cancel);
        if (!opened.TryGet(out IMessageContent? content, out _)) return null;
        await using (content)
        {
            byte[] octets = new byte[(int)Math.Min(content.Length, most)];
            int at = 0;
            while (at < octets.Length && content.Read(at, octets.AsSpan(at)) is > 0 and int got) at += got;
            return at == octets.Length ? octets : octets[..at];
        }
    }

    public async ValueTask DisposeAsync()
    {
        await store.DisposeAsync();
        if (stopped is not null) await stopped.DisposeAsync();
    }
}

/// <summary>Mail as it lies on the disk, where no server of ours has ever run.</summary>
internal sealed class DiskMail(MaildirReader reader) : IReplayMail
{
    public IReadOnlyList<string> Limits => ["no server has run here yet: special uses and ids of mailboxes are not known, and none counts as there"];

    public ValueTask<IReadOnlyList<KnownMailbox>> MailboxesAsync(CancellationToken cancel) =>
        ValueTask.FromResult<IReadOnlyList<KnownMailbox>>([.. reader.Mailboxes().Select(name => new KnownMailbox(name.ToString(), null, null))]);

    public ValueTask<IReadOnlyList<ReceivedMessage>> ListAsync(DateTimeOffset since, CancellationToken cancel) => ValueTask.FromResult<IReadOnlyList<ReceivedMessage>>(
        [.. reader.Mailboxes().SelectMany(reader.Messages).Where(m => m.Received >= since).OrderBy(m => m.Received).Select(m => new ReceivedMessage(m.Mailbox, m.Received, m))]);

    public ValueTask<byte[]?> ReadAsync(ReceivedMessage message, int most, CancellationToken cancel) => ValueTask.FromResult(reader.Read((MaildirMessage)message.Key, most));

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}

/// <summary>Opens an account's mail while the server does not run.</summary>
internal static class StoppedMail
{
    /// <summary>The mail, or null when there is no such account, which has been said. What a crash left in the journal alone is brought to its place first.</summary>
    public static async Task<(MailAccount Account, IReplayMail Mail)?> OpenAsync(ServerConfiguration configuration, EmailAddress address, CancellationToken cancel)
    {
        using MailDirectory directory = new(OptionsFor.Directory(configuration), TimeProvider.System, NullLogger.Instance);
        if (directory.FindAccount(address) is not { } account)
        {
            Console.Error.WriteLine($"there is no account {address}");
            return null;
        }
        if (!Folder.Exists(configuration.Data)) return (account, new DiskMail(new(new LinuxVolume(), account.MailRoot, configuration.Mail.Separator)));
        StoppedServer server = await StoppedServer.OpenAsync(configuration, TimeProvider.System, cancel);
        Result<IMailStore> opened = await server.Stores.OpenAsync(account, cancel);
        if (opened.TryGet(out IMailStore? store, out Refusal? refusal)) return (account, new StoreMail(store, server));
        await server.DisposeAsync();
        throw new IOException(refusal.Text);
    }
}
