using Microsoft.Extensions.Logging;
using Posthorn.Core;
using Posthorn.Journal;
using Posthorn.Store.Changes;

namespace Posthorn.Store.Engine;

/// <summary>One delivery into any number of mailboxes of any number of accounts, as one record.</summary>
internal sealed class Delivery(Recorder recorder, MailReader reader, JournalContent content, DeliveryOrder order) : IDisposable
{
    private readonly IReadOnlyList<LocalDelivery> _deliveries = order.Deliveries;
    private readonly List<(EmailAddress Address, AccountLease Lease)> _leases = [];
    private readonly Dictionary<EmailAddress, Refusal> _refused = [];
    private readonly Result<StoredMessage>[] _outcomes = new Result<StoredMessage>[order.Deliveries.Count];
    private readonly List<(int Delivery, Operation Operation, int Change)> _placed = [];
    private readonly List<Account> _accounts = [];
    private readonly List<Account> _accountOf = [];
    private readonly List<(Account, MailboxName, uint)> _made = [];
    private DeliveryAttachment? _attachment;
    private bool _waited;

    /// <summary>The next account, in the order of addresses: gates are taken in that order.</summary>
    internal void Add(EmailAddress address, Result<AccountLease> lease)
    {
        if (lease.TryGet(out AccountLease? held, out Refusal? refusal)) _leases.Add((address, held));
        else _refused.Add(address, refusal);
    }

    internal async ValueTask<DeliveryReceipt> RunAsync(ILogger log, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        (EarlyFacts Facts, EmailId Email)[] kinds = Kinds();
        (Lsn Lsn, RecordTicket Ticket, List<Operation> Operations)? record;
        try
        {
            record = Append(kinds);
        }
        catch (JournalFullException) when (!_waited)
        {
            // A checkpoint makes room; senders are slowed down rather than sent away.
            if (!await recorder.WhenRoomAsync()) throw;
            _waited = true;
            Forget();
            return await RunAsync(log, cancel);
        }

        if (record is not { } written) return new(0, _outcomes);
        // The record is one: when it is durable, no cancellation and no account's trouble may undo it.
        try
        {
            await recorder.WhenDurableAsync(written.Lsn);
        }
        catch (JournalFlushFailedException)
        {
            recorder.Attached(written.Lsn);
            for (int i = 0; i < written.Operations.Count; i++) await FailAsync(_accounts[i], written.Operations[i]);
            throw;
        }

        for (int i = 0; i < written.Operations.Count; i++)
        {
            try
            {
                await _accounts[i].CompleteAsync(written.Operations[i]);
            }
            catch (IOException problem)
            {
                // It is in the journal and will be applied by whoever comes next; the sender must not send it again.
                log.ApplyFailed(problem, _accounts[i].Who.Address);
            }
        }

        foreach ((int delivery, Operation operation, int change) in _placed)
            if (operation.WasSkipped(change, -1)) _outcomes[delivery] = new Refusal(RefusalKind.Unavailable, "The mailbox is gone");
        if (_attachment is not null)
        {
            await _attachment.ApplyAsync(written.Lsn.Value, CancellationToken.None);
            recorder.Attached(written.Lsn);
            written.Ticket.PartDone();
        }

        return new(written.Lsn.Value, _outcomes);
    }

    public void Dispose()
    {
        foreach ((EmailAddress _, AccountLease lease) in _leases) lease.Dispose();
    }

    private ContentRange RangeOf(LocalDelivery delivery) => delivery.Range ?? new(0, content.Length);

    // It has not happened; what was reserved for it is free again.
    private static async ValueTask FailAsync(Account account, Operation operation)
    {
        try
        {
            await account.CompleteAsync(operation);
        }
        catch (IOException)
        {
            // As was said already.
        }
    }

    private void Forget()
    {
        _placed.Clear();
        _accounts.Clear();
        _accountOf.Clear();
        _made.Clear();
    }

    // Copies of the same bytes are read once; in one account they are the same message and share their EMAILID. In another they may belong to another conversation
    // there, and what has the same EMAILID must have the same THREADID (RFC 8474 section 5.2).
    private (EarlyFacts Facts, EmailId Email)[] Kinds()
    {
        (EarlyFacts Facts, EmailId Email)[] kinds = new (EarlyFacts, EmailId)[_deliveries.Count];
        int room = EarlyFacts.Room;
        for (int i = 0; i < _deliveries.Count; i++)
        {
            int same = -1;
            bool here = false;
            for (int j = 0; j < i && !here; j++)
            {
                if (RangeOf(_deliveries[j]) != RangeOf(_deliveries[i]) || !_deliveries[j].Prefix.Span.SequenceEqual(_deliveries[i].Prefix.Span)) continue;
                (same, here) = (j, _deliveries[j].Account.Address == _deliveries[i].Account.Address);
            }

            kinds[i] = same >= 0 ? kinds[same] : (reader.FactsOf(content, _deliveries[i].Prefix, RangeOf(_deliveries[i]), ref room), default);
            if (!here) kinds[i].Email = reader.Ids.Email();
        }

        return kinds;
    }

    private (Lsn, RecordTicket, List<Operation>)? Append((EarlyFacts Facts, EmailId Email)[] kinds)
    {
        int held = 0;
        try
        {
            foreach ((EmailAddress _, AccountLease lease) in _leases)
            {
                lease.Account.Gate.Enter();
                held++;
            }

            List<(Account, List<Change>, long, int)> parts = [];
            foreach ((EmailAddress address, AccountLease lease) in _leases) Plan(address, lease.Account, kinds, parts);
            for (int i = 0; i < _deliveries.Count; i++)
                if (_refused.TryGetValue(_deliveries[i].Account.Address, out Refusal? refusal)) _outcomes[i] = refusal;
            _attachment = order.Attachment?.For(_outcomes);
            if (parts.Count == 0 && _attachment is null) return null;
            (Lsn Lsn, RecordTicket Ticket, List<Operation> Operations) record = recorder.Append(parts, content, _attachment);
            for (int i = 0; i < _placed.Count; i++) _placed[i] = _placed[i] with { Operation = record.Operations[_accounts.IndexOf(_accountOf[i])] };
            foreach ((Account account, MailboxName name, uint next) in _made)
                if (account.Pending(name.Value) is { } box) box.NextUid = next;
            return record;
        }
        finally
        {
            while (--held >= 0) _leases[held].Lease.Account.Gate.Exit();
        }
    }

    private void Plan(EmailAddress address, Account account, (EarlyFacts Facts, EmailId Email)[] kinds, List<(Account, List<Change>, long, int)> parts)
    {
        if (account.IsOver)
        {
            _refused[address] = new(RefusalKind.Unavailable, "The mailbox is being repaired, try again in a moment");
            return;
        }

        List<Change> changes = [];
        Dictionary<MailboxName, Change.Create> made = [];
        Dictionary<MailboxName, uint> next = [];
        long octets = 0;
        int messages = 0;
        bool refused = false;
        for (int i = 0; i < _deliveries.Count; i++)
        {
            LocalDelivery delivery = _deliveries[i];
            if (delivery.Account.Address != address) continue;
            long size = kinds[i].Facts.WireLength;
            if (account.Room(octets + size, messages + 1) is { } full)
            {
                _outcomes[i] = full;
                refused = true;
                continue;
            }

            (MailboxId mailbox, UidValidity validity, Uid uid) = PlaceFor(account, delivery, changes, made, next);
            _outcomes[i] = new StoredMessage(mailbox, validity, uid, kinds[i].Email);
            _placed.Add((i, null!, changes.Count));
            _accountOf.Add(account);
            changes.Add(new Change.Store(mailbox, uid, kinds[i].Email, i)
            {
                Flags = delivery.Flags,
                Keywords = delivery.Keywords,
                Internal = recorder.Now / 1000,
                Zone = 0,
                Prefix = delivery.Prefix,
                Offset = RangeOf(delivery).Offset,
                Length = RangeOf(delivery).Length,
                LfOctets = kinds[i].Facts.LfOctets,
                Facts = kinds[i].Facts.Held,
            });
            octets += size;
            messages++;
        }

        foreach (FilterNote note in order.Notes)
            if (note.Account.Address == address && !(refused && note.OnlyIfDelivered)) changes.Add(new Change.Remember(note.Id, note.Until.ToUnixTimeMilliseconds()));
        if (changes.Count == 0) return;
        parts.Add((account, changes, octets, messages));
        _accounts.Add(account);
        foreach ((MailboxName name, uint uid) in next) _made.Add((account, name, uid));
    }

    // INBOX takes the place of a mailbox that is gone, unless it is to be made.
    private (MailboxId, UidValidity, Uid) PlaceFor(
        Account account, LocalDelivery delivery, List<Change> changes, Dictionary<MailboxName, Change.Create> made, Dictionary<MailboxName, uint> next)
    {
        if (account.Pending(delivery.Mailbox.Value) is { } box) return (box.Mailbox, box.Validity, new(box.NextUid++));
        if (!delivery.Create || !account.Tree.Names.MayBeMade(delivery.Mailbox) || account.Files.IsLeft(delivery.Mailbox))
        {
            Box inbox = account.Pending(MailboxName.Inbox.Value)!;
            return (inbox.Mailbox, inbox.Validity, new(inbox.NextUid++));
        }

        if (!made.TryGetValue(delivery.Mailbox, out Change.Create? create))
        {
            create = new(reader.Ids.Mailbox(), delivery.Mailbox, delivery.CreateUse, account.NextValidity());
            made.Add(delivery.Mailbox, create);
            next.Add(delivery.Mailbox, 1);
            changes.Add(create);
        }

        return (create.Mailbox, create.Validity, new(next[delivery.Mailbox]++));
    }
}
