using Posthorn.Core;
using Posthorn.Store;
using Posthorn.Store.Maildir;

namespace Posthorn.Filtering;

/// <summary>A message that was received.</summary>
internal sealed record ReceivedMessage(MailboxName Mailbox, DateTimeOffset Received, object Key);

/// <summary>Mail already received, to be looked at and not touched.</summary>
internal interface IReplayMail : IAsyncDisposable
{
    /// <summary>All mailboxes.</summary>
    ValueTask<IReadOnlyList<MailboxName>> MailboxesAsync(CancellationToken cancel);

    /// <summary>The messages that came at or after a time, oldest first.</summary>
    ValueTask<IReadOnlyList<ReceivedMessage>> ListAsync(DateTimeOffset since, CancellationToken cancel);

    /// <summary>A message's first octets; null when it has gone since.</summary>
    ValueTask<byte[]?> ReadAsync(ReceivedMessage message, int most, CancellationToken cancel);
}

/// <summary>Mail through the running server's store.</summary>
internal sealed class StoreMail(IMailStore store) : IReplayMail
{
    private readonly Dictionary<MailboxName, MailboxId> _ids = [];

    public async ValueTask<IReadOnlyList<MailboxName>> MailboxesAsync(CancellationToken cancel) =>
        [.. (await store.ListAsync(cancel)).Where(box => box.Id is not null).Select(box => box.Name)];

    public async ValueTask<IReadOnlyList<ReceivedMessage>> ListAsync(DateTimeOffset since, CancellationToken cancel)
    {
        List<ReceivedMessage> found = [];
        foreach (MailboxName name in await MailboxesAsync(cancel))
        {
            // Read-only: no \Recent claim is taken.
            Result<IMailbox> opened = await store.OpenMailboxAsync(name, readOnly: true, cancel);
            if (!opened.TryGet(out IMailbox? box, out _)) continue;
            await using (box)
            {
                if (box.Info.Id is not { } id) continue;
                _ids[name] = id;
                MailboxVersion version = box.Current;
                for (int i = 0; i < version.Count; i++)
                    if (version[i].InternalDate >= since) found.Add(new(name, version[i].InternalDate, version[i].Uid));
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

    public ValueTask DisposeAsync() => store.DisposeAsync();
}

/// <summary>Mail as it lies on the disk, while no server runs.</summary>
internal sealed class DiskMail(MaildirReader reader) : IReplayMail
{
    public ValueTask<IReadOnlyList<MailboxName>> MailboxesAsync(CancellationToken cancel) => ValueTask.FromResult(reader.Mailboxes());

    public ValueTask<IReadOnlyList<ReceivedMessage>> ListAsync(DateTimeOffset since, CancellationToken cancel) => ValueTask.FromResult<IReadOnlyList<ReceivedMessage>>(
        [.. reader.Mailboxes().SelectMany(reader.Messages).Where(m => m.Received >= since).OrderBy(m => m.Received).Select(m => new ReceivedMessage(m.Mailbox, m.Received, m))]);

    public ValueTask<byte[]?> ReadAsync(ReceivedMessage message, int most, CancellationToken cancel) => ValueTask.FromResult(reader.Read((MaildirMessage)message.Key, most));

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
