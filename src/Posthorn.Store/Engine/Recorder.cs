using System.Collections.Concurrent;
using Posthorn.Core;
using Posthorn.Journal;
using Posthorn.Store.Changes;

namespace Posthorn.Store.Engine;

/// <summary>Writes the records of the store into the journal.</summary>
internal sealed class Recorder(Journal.Journal journal, TimeProvider time)
{
    /// <summary>How long a change waits for the checkpoint that makes room in a full ring. Below the minutes that SMTP clients wait for a reply (RFC 5321 section 4.5.3.2).</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly ConcurrentDictionary<Lsn, bool> _attached = new();
    private int _appending;

    /// <summary>The store's number among the journal's participants. It reaches the disk: never change it.</summary>
    internal const byte Participant = 1;

    internal long Now => time.GetUtcNow().ToUnixTimeMilliseconds();

    /// <summary>Bytes of one record's steps that names of messages may take; there is room for the rest.</summary>
    internal int NamesLimit => journal.StepsLimit * 3 / 4;

    internal JournalContent CreateContent() => journal.CreateContent();

    /// <summary>Appends a record of one account; the caller holds its gate. Room that it takes is reserved until it is applied.</summary>
    /// <exception cref="JournalException">The journal is full or has stopped; nothing was written.</exception>
    internal Operation Append(Account account, IReadOnlyList<Change> changes, JournalContent? content, long octets, int messages)
    {
        if (account.IsOver) throw Account.Over();
        long now = Now;
        JournalStep step = new(Participant, ChangeCodec.Kind, ChangeCodec.Write(account.Who, account.Tree.Names.Separator, now, changes));
        Lsn lsn = journal.Append([step], content);
        Operation operation = new(lsn, now, changes, content, new(journal, 1) { Lsn = lsn });
        account.Enqueue(operation, octets, messages);
        return operation;
    }

    /// <summary>As above, for what need not be durable before it is told.</summary>
    internal Operation AppendRelaxed(Account account, IReadOnlyList<Change> changes)
    {
        if (account.IsOver) throw Account.Over();
        long now = Now;
        JournalStep step = new(Participant, ChangeCodec.Kind, ChangeCodec.Write(account.Who, account.Tree.Names.Separator, now, changes));
        Lsn lsn = journal.AppendRelaxed([step]);
        Operation operation = new(lsn, now, changes, null, new(journal, 1) { Lsn = lsn }) { Durability = Durability.Durable };
        account.Enqueue(operation, 0, 0);
        return operation;
    }

    /// <summary>Appends one record of several accounts, and the attachment's step; the caller holds all their gates.</summary>
    internal (Lsn Lsn, RecordTicket Ticket, List<Operation> Operations) Append(
        IReadOnlyList<(Account Account, List<Change> Changes, long Octets, int Messages)> parts, JournalContent content, DeliveryAttachment? attachment)
    {
        foreach ((Account account, List<Change> _, long _, int _) in parts)
            if (account.IsOver) throw Account.Over(); // whoever takes its place would never hear of it
        long now = Now;
        List<JournalStep> steps = new(parts.Count + 1);
        foreach ((Account account, List<Change> changes, long _, int _) in parts)
            steps.Add(new(Participant, ChangeCodec.Kind, ChangeCodec.Write(account.Who, account.Tree.Names.Separator, now, changes)));
        if (attachment is not null) steps.Add(new(attachment.Participant, attachment.Kind, attachment.Payload));
        RecordTicket ticket = new(journal, steps.Count);
        Lsn lsn = attachment is null ? journal.Append(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(steps), content) : AppendAttached(steps, content);
        ticket.Lsn = lsn;
        List<Operation> operations = [];
        foreach ((Account account, List<Change> changes, long octets, int messages) in parts)
        {
            Operation operation = new(lsn, now, changes, content, ticket);
            account.Enqueue(operation, octets, messages);
            operations.Add(operation);
        }

        return (lsn, ticket, operations);
    }

    // Between taking its number and noting that, it may become durable already.
    private Lsn AppendAttached(List<JournalStep> steps, JournalContent content)
    {
        Interlocked.Increment(ref _appending);
        try
        {
            Lsn lsn = journal.Append(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(steps), content);
            _attached.TryAdd(lsn, true);
            return lsn;
        }
        finally
        {
            Interlocked.Decrement(ref _appending);
        }
    }

    /// <summary>What came with the store's part of a record is applied, or the record will never be.</summary>
    internal void Attached(Lsn record) => _attached.TryRemove(record, out _);

    /// <summary>Whether another participant's part of a record that the store wrote may not be applied yet: nobody may hold that record for the store alone.</summary>
    internal bool IsAttaching(JournalRecord record) =>
        record.Steps.Any(step => step.Participant != Participant) && (Volatile.Read(ref _appending) > 0 || _attached.ContainsKey(record.Lsn));

    /// <summary>After the ring was full: false when it stays so.</summary>
    internal ValueTask<bool> WhenRoomAsync() => journal.WhenRoomAsync(Patience, CancellationToken.None);

    internal ValueTask WhenDurableAsync(Lsn lsn) => journal.WhenDurableAsync(lsn);

    /// <summary>The names of so many messages as one record can carry; at least one part, be it empty.</summary>
    internal IEnumerable<List<(Uid Uid, string Base)>> InParts(List<(Uid Uid, string Base)> messages)
    {
        const int numbers = 24; // what stands beside a name at most
        List<(Uid Uid, string Base)> part = [];
        int room = NamesLimit;
        foreach ((Uid Uid, string Base) message in messages)
        {
            int octets = System.Text.Encoding.UTF8.GetByteCount(message.Base) + numbers;
            if (octets > room && part.Count > 0)
            {
                yield return part;
                (part, room) = ([], NamesLimit);
            }

            part.Add(message);
            room -= octets;
        }

        yield return part;
    }
}
