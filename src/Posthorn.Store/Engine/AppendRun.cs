using Posthorn.Core;
using Posthorn.Journal;
using Posthorn.Journal.Volume;
using Posthorn.Store.Changes;

namespace Posthorn.Store.Engine;

/// <summary>Puts messages that a client brings into a mailbox, all by one record.</summary>
/// <remarks>Locking: what decides runs under the account's gate (<see cref="ChangeRunner.RunAsync"/>).</remarks>
internal sealed class AppendRun(Account account, ChangeRunner runner, StoreServices services)
{
    internal async ValueTask<Result<AppendReceipt>> RunAsync(MailboxName target, IReadOnlyList<NewMessage> messages, bool soon, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        if (messages.Count == 0) return NoMessages();
        JournalContent? joined = null;
        try
        {
            if (services.Space.Check(account.Who, messages.Sum(message => message.Content.Length)) is { } tight) return tight;
            joined = messages.Count == 1 ? null : services.Recorder.CreateContent();
            long[] offsets = new long[messages.Count];
            for (int i = 0; joined is not null && i < messages.Count; i++)
            {
                offsets[i] = joined.Length;
                await CopyAsync(((JournalSink)messages[i].Content).Content, joined, cancel);
            }

            JournalContent content = joined ?? ((JournalSink)messages[0].Content).Content;
            await content.CompleteAsync(cancel);
            EarlyFacts[] facts = new EarlyFacts[messages.Count];
            int room = EarlyFacts.Room;
            for (int i = 0; i < facts.Length; i++) facts[i] = services.Reader.FactsOf(content, default, new(offsets[i], messages[i].Content.Length), ref room);
            Box? box = null;
            List<Change> changes = new(messages.Count);
            Result<Operation> appended = await runner.RunAsync(() =>
            {
                if (account.Pending(target.Value) is not { } found) return ChangeRunner.NoMailbox;
                box = found;
                long size = facts.Sum(fact => fact.WireLength);
                if (account.Room(size, messages.Count) is { } full) return full;
                changes.Clear();
                for (int i = 0; i < messages.Count; i++) changes.Add(StoreOf(messages[i], box, i, offsets[i], facts[i]));
                return services.Recorder.Append(account, changes, content, size, messages.Count);
            }, durable: true, soon); // a NO would make the client send it again
            if (!appended.TryGet(out Operation? operation, out Refusal? refusal)) return refusal;
            if (operation.Skipped is not null) return ChangeRunner.NoMailbox;
            return new AppendReceipt(box!.Mailbox, box.Validity, [.. changes.Cast<Change.Store>().Select(store => new StoredMessage(box.Mailbox, box.Validity, store.Uid, store.Email))]);
        }
        catch (VolumeException problem) when (problem.Error is VolumeError.NoSpace or VolumeError.ReadOnly)
        {
            return ChangeRunner.NoRoom;
        }
        finally
        {
            if (joined is not null) await joined.DisposeAsync();
        }

        Result<AppendReceipt> NoMessages() => account.PublishedByName(target.Value) is { } box ? new AppendReceipt(box.Mailbox, box.Validity, []) : ChangeRunner.NoMailbox;
    }

    private Change.Store StoreOf(NewMessage message, Box box, int index, long offset, EarlyFacts facts) =>
        new(box.Mailbox, new(box.NextUid++), services.Options.Ids.Email(), index)
        {
            Flags = message.Flags,
            Keywords = message.Keywords,
            Internal = message.InternalDate.ToUnixTimeSeconds(),
            Zone = (short)message.InternalDate.TotalOffsetMinutes,
            Prefix = default,
            Offset = offset,
            Length = message.Content.Length,
            LfOctets = facts.LfOctets,
            Facts = facts.Held,
        };

    private static async ValueTask CopyAsync(JournalContent from, JournalContent into, CancellationToken cancel)
    {
        byte[] buffer = System.Buffers.ArrayPool<byte>.Shared.Rent(64 * 1024);
        for (long at = 0; at < from.Length;)
        {
            int got = from.Read(at, buffer);
            await into.WriteAsync(buffer.AsMemory(0, got), cancel);
            at += got;
        }

        System.Buffers.ArrayPool<byte>.Shared.Return(buffer);
    }
}
