using Posthorn.Core;
using Posthorn.Journal;
using Posthorn.Store.Changes;
using Posthorn.Store.Sharing;

namespace Posthorn.Store.Engine;

/// <summary>Copies or moves messages between accounts, as one record: the destination's part first, so that a crash between the two never loses a message.</summary>
internal sealed class TransferRun(Recorder recorder, MailReader reader, SpaceGuard space, Account from, Account into, Transfer transfer)
{
    private static readonly Refusal NoMailbox = ChangeRunner.NoMailbox;
    private readonly List<(MessageRow Row, EmailId Email, ThreadId Thread, long Offset, long Length, EarlyFacts Facts)> _messages = [];
    private List<(Uid Uid, string Base)> _bases = [];
    private static readonly Refusal Nothing = new(RefusalKind.Expunged, "Another session has moved them");

    internal async ValueTask<Result<Placement>> RunAsync(CancellationToken cancel)
    {
        from.CatchUp();
        if (from.Published(transfer.Source) is not { } source || into.PublishedByName(transfer.Target.Value) is not { } target) return NoMailbox;
        await using JournalContent content = recorder.CreateContent();
        if (await ReadAsync(source, content, cancel) is { } trouble) return trouble;
        if (_messages.Count == 0) return new Placement(target.Mailbox, target.Validity, [], []);
        await content.CompleteAsync(cancel);
        Uid[] uids = [];
        Refusal? refusal = await new PairRecord(recorder, from, into).RunAsync(content, () => Plan(source, out uids));
        if (ReferenceEquals(refusal, Nothing)) return new Placement(target.Mailbox, target.Validity, [], []);
        return refusal is null ? new Placement(target.Mailbox, target.Validity, [.. _messages.Select(message => message.Row.Uid)], uids) : refusal;
    }

    private async ValueTask<Refusal?> ReadAsync(Box source, JournalContent content, CancellationToken cancel)
    {
        MailboxVersion version = from.VersionOf(source);
        HashSet<Uid> seen = [];
        Uid[] uids = [.. transfer.Uids.Where(uid => version.Contains(uid) && seen.Add(uid))];
        if (RoomFor(version, uids) is { } full) return full;
        Dictionary<Uid, (EmailId, ThreadId)> ids = reader.Summaries(from, transfer.Source, uids, 0, uids.Length, SummaryFields.Ids).ToDictionary(summary => summary.Uid, summary => (summary.EmailId, summary.ThreadId));
        byte[] buffer = new byte[64 * 1024];
        transfer.Done?.Report(transfer.Uids.Count - uids.Length);
        foreach (Uid uid in uids)
        {
            transfer.Done?.Report(1);
            Result<IMessageContent> opened = reader.Open(from, transfer.Source, uid);
            if (!opened.IsOk && opened.Refusal.Kind == RefusalKind.Expunged || !ids.TryGetValue(uid, out (EmailId Email, ThreadId Thread) id)) continue;
            if (!opened.IsOk) return opened.Refusal;
            await using IMessageContent bytes = opened.Value;
            long offset = content.Length;
            for (long at = 0; at < bytes.Length;)
            {
                int got = bytes.Read(at, buffer);
                if (got == 0) return new Refusal(RefusalKind.Unavailable, "A message cannot be read now");
                await content.WriteAsync(buffer.AsMemory(0, got), cancel);
                at += got;
            }

            _messages.Add((version[version.IndexOf(uid)], id.Email, id.Thread, offset, bytes.Length, default));
        }

        int room = EarlyFacts.Room;
        for (int i = 0; i < _messages.Count; i++)
            _messages[i] = _messages[i] with { Facts = reader.FactsOf(content, default, new(_messages[i].Offset, _messages[i].Length), ref room) };
        if (transfer.Move) _bases = MailReader.BasesOf(from, source, [.. _messages.Select(message => message.Row.Uid)]);
        return null;
    }

    // Before gigabytes are read for nothing; when it is decided it is asked again.
    private Refusal? RoomFor(MailboxVersion version, Uid[] uids)
    {
        long octets = uids.Sum(uid => version[version.IndexOf(uid)].Size);
        if (space.Check(into.Who, octets) is { } tight) return tight;
        if (transfer.Move && ReferenceEquals(from, into)) return null;
        lock (into.Gate) return into.Room(octets, uids.Length);
    }

    private Result<PairPlan> Plan(Box source, out Uid[] uids)
    {
        uids = [];
        if (into.Pending(transfer.Target.Value) is not { } target || from.Pending(source.Name.Value) != source) return NoMailbox;
        if (transfer.Move && !KeepThere(source)) return Nothing;
        long octets = _messages.Sum(message => message.Facts.WireLength);
        if (into.Room(octets, _messages.Count) is { } full && !(transfer.Move && ReferenceEquals(from, into))) return full;
        Uid[] given = [.. _messages.Select(_ => new Uid(target.NextUid++))];
        uids = given;
        List<Change> stores = [.. _messages.Select((message, i) => StoreOf(message, target.Mailbox, given[i], i))];
        return new PairPlan(stores, transfer.Move ? new Change.Expunge(transfer.Source, _bases) : null, octets);
    }

    // What another session has moved or removed while this one read it must not come a second time. False when nothing is left.
    private bool KeepThere(Box source)
    {
        HashSet<Uid> leaving = from.LeavingFrom(transfer.Source);
        _messages.RemoveAll(message => leaving.Contains(message.Row.Uid) || source.Version?.Contains(message.Row.Uid) == false);
        _bases.RemoveAll(message => leaving.Contains(message.Uid) || source.Version?.Contains(message.Uid) == false);
        return _messages.Count > 0;
    }

    private Change.Store StoreOf((MessageRow Row, EmailId Email, ThreadId Thread, long Offset, long Length, EarlyFacts Facts) message, MailboxId target, Uid uid, int index) =>
        new(target, uid, message.Email, index)
        {
            Flags = message.Row.Flags & FlagRights.Flags(transfer.Rights),
            Keywords = FlagRights.Keywords(transfer.Rights) ? message.Row.Keywords : KeywordSet.Empty,
            Internal = message.Row.Internal,
            Zone = message.Row.ZoneMinutes,
            Prefix = default,
            Offset = message.Offset,
            Length = message.Length,
            Thread = message.Thread, // what has the same EMAILID has the same THREADID (RFC 8474 section 5.2)
            LfOctets = message.Facts.LfOctets,
            Facts = message.Facts.Held,
        };
}
