using System.Collections;
using Posthorn.Core;
using Posthorn.Pop3.Wire;
using Posthorn.Store;

namespace Posthorn.Pop3.Session;

/// <summary>INBOX as one session sees it: the messages that were there at login, numbered from 1, and which of them are marked as deleted.</summary>
/// <remarks>The open mailbox keeps what others remove readable, so no lock is needed that would keep other sessions out (RFC 1939 section 4).</remarks>
internal sealed class Maildrop : IAsyncDisposable
{
    private readonly IMailStore _store;
    private readonly IMailbox _box;
    private readonly MailboxVersion _version;
    private readonly BitArray _deleted;
    private readonly BitArray _retrieved;
    private Dictionary<Uid, string>? _uniqueIds;
    private HashSet<Uid>? _lostIds;

    private Maildrop(IMailStore store, IMailbox box)
    {
        (_store, _box, _version) = (store, box, box.Current);
        (_deleted, _retrieved) = (new(_version.Count), new(_version.Count));
        foreach (ReadOnlyMemory<MessageRow> chunk in _version.Chunks)
            foreach (ref readonly MessageRow row in chunk.Span) Octets += row.Size;
        Messages = _version.Count;
    }

    /// <summary>Messages that are not marked as deleted.</summary>
    public int Messages { get; private set; }

    /// <summary>Their octets.</summary>
    public long Octets { get; private set; }

    /// <summary>All message numbers, those of deleted messages too.</summary>
    public int Last => _version.Count;

    public int Retrieved { get; private set; }

    public int Removed { get; private set; }

    public static async ValueTask<Result<Maildrop>> OpenAsync(IMailStore store, CancellationToken cancel)
    {
        Result<IMailbox> opened = await store.OpenMailboxAsync(MailboxName.Inbox, readOnly: true, cancel);
        return opened.IsOk ? new Maildrop(store, opened.Value) : opened.Refusal;
    }

    public bool IsDeleted(int number) => _deleted[number - 1];

    public long SizeOf(int number) => _version[number - 1].Size;

    public Uid UidOf(int number) => _version[number - 1].Uid;

    /// <summary>Why a message cannot be spoken of; null when it can.</summary>
    public Reply? Check(int number) => number > Last ? Reply.NoMessage : IsDeleted(number) ? Reply.Deleted : null;

    public void Delete(int number)
    {
        _deleted[number - 1] = true;
        Messages--;
        Octets -= SizeOf(number);
    }

    public void UndeleteAll()
    {
        for (int number = 1; number <= Last; number++)
        {
            if (!IsDeleted(number)) continue;
            Messages++;
            Octets += SizeOf(number);
        }
        _deleted.SetAll(false);
    }

    public ValueTask<Result<IMessageContent>> OpenContentAsync(int number, CancellationToken cancel) => _store.OpenContentAsync(_box.Info.Id!.Value, UidOf(number), cancel);

    /// <summary>The whole message has gone out.</summary>
    public void WasRetrieved(int number)
    {
        _retrieved[number - 1] = true;
        Retrieved++;
    }

    /// <summary>The unique id of a message, after <see cref="LoadUniqueIdsAsync"/>: what it brought from another server, else made as Dovecot does by default, so that no client fetches all again after a move.</summary>
    public string UniqueIdOf(int number) => Pop3Uidl.Of(UidOf(number), _version.Validity, _uniqueIds?.GetValueOrDefault(UidOf(number)));

    /// <summary>Finds out, once, which messages have a unique id of their own. Most clients never ask.</summary>
    public async ValueTask LoadUniqueIdsAsync(CancellationToken cancel)
    {
        if (_uniqueIds is not null) return;
        Dictionary<Uid, string> found = [];
        HashSet<Uid> there = [];
        List<Uid> uids = new(_version.Count);
        foreach (ReadOnlyMemory<MessageRow> chunk in _version.Chunks)
            foreach (ref readonly MessageRow row in chunk.Span) uids.Add(row.Uid);
        await foreach (MessageSummary summary in _store.SummariesAsync(_box.Info.Id!.Value, uids, SummaryFields.Pop3Uidl, cancel))
        {
            if (summary.Pop3Uidl is { } own) found[summary.Uid] = own;
            there.Add(summary.Uid);
        }

        if (found.Count > 0) _lostIds = [.. uids.Where(uid => !there.Contains(uid))];
        _uniqueIds = found;
    }

    /// <summary>A message that another session removed before the ids were asked for, in a maildrop where some came from another server: whether it had one is not known any more, and a made-up one might name it anew.</summary>
    public bool HasLostUniqueId(int number) => _lostIds is not null && _lostIds.Contains(UidOf(number));

    /// <summary>Sets <c>\Seen</c> on what was retrieved.</summary>
    public async ValueTask MarkSeenAsync(CancellationToken cancel)
    {
        if (Retrieved == 0) return;
        List<Uid> seen = Chosen(_retrieved, row => (row.Flags & SystemFlags.Seen) == 0);
        if (seen.Count > 0) await _store.ChangeFlagsAsync(_box.Info.Id!.Value, seen, new(FlagOperation.Add, SystemFlags.Seen, KeywordSet.Empty), null, cancel);
        _retrieved.SetAll(false);
    }

    /// <summary>The UPDATE state: removes what is marked as deleted, and nothing else (RFC 1939 section 6).</summary>
    public async ValueTask<Result<Done>> UpdateAsync(CancellationToken cancel)
    {
        List<Uid> uids = Chosen(_deleted, _ => true);
        if (uids.Count == 0) return Done.It;
        MailboxId id = _box.Info.Id!.Value;
        Result<FlagOutcome> marked = await _store.ChangeFlagsAsync(id, uids, new(FlagOperation.Add, SystemFlags.Deleted, KeywordSet.Empty), null, cancel);
        if (!marked.IsOk) return marked.Refusal;
        Result<IReadOnlyList<Uid>> gone = await _store.ExpungeAsync(id, uids, cancel);
        if (!gone.IsOk) return gone.Refusal;
        Removed = uids.Count;
        return Done.It;
    }

    public ValueTask DisposeAsync() => _box.DisposeAsync();

    private List<Uid> Chosen(BitArray marks, Func<MessageRow, bool> also)
    {
        List<Uid> uids = [];
        for (int i = 0; i < marks.Length; i++)
            if (marks[i] && also(_version[i])) uids.Add(_version[i].Uid);
        return uids;
    }
}
