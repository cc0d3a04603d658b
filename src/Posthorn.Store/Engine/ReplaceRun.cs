using Posthorn.Core;
using Posthorn.Journal;
using Posthorn.Journal.Volume;
using Posthorn.Store.Changes;
using Posthorn.Store.Sharing;

namespace Posthorn.Store.Engine;

/// <summary>Puts a new message in the place of another, as one record.</summary>
internal sealed class ReplaceRun(StoreServices services, Account from, Account into, Replacement replacement)
{
    private static readonly Refusal NoMailbox = ChangeRunner.NoMailbox;
    private static readonly Refusal Gone = new(RefusalKind.Expunged, "The message to be replaced is gone");

    internal async ValueTask<Result<AppendReceipt>> RunAsync(CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        if (from.Published(replacement.Source) is not { } source) return NoMailbox;
        JournalContent content = ((JournalSink)replacement.Message.Content).Content;
        if (services.Space.Check(into.Who, content.Length) is { } tight) return tight;
        try { await content.CompleteAsync(cancel); }
        catch (VolumeException problem) when (problem.Error is VolumeError.NoSpace or VolumeError.ReadOnly) { return ChangeRunner.NoRoom; }
        int room = EarlyFacts.Room;
        EarlyFacts facts = services.Reader.FactsOf(content, default, new(0, content.Length), ref room);
        List<(Uid Uid, string Base)> old = MailReader.BasesOf(from, source, [replacement.Old]);
        if (old.Count == 0) return Gone;
        from.VersionOf(source);
        Box? target = null;
        Change.Store? stored = null;
        Refusal? refusal = await new PairRecord(services.Recorder, from, into).RunAsync(content, () =>
        {
            if (into.Pending(replacement.Target.Value) is not { } found || from.Pending(source.Name.Value) != source) return NoMailbox;
            int at = source.Version!.IndexOf(replacement.Old);
            if (at < 0) return Gone;
            Refusal? full = ReferenceEquals(from, into) ? into.RoomToReplace(facts.WireLength, source.Version[at].Size) : into.Room(facts.WireLength, 1);
            if (full is not null) return full;
            target = found;
            stored = StoreOf(found, facts, content.Length);
            return new PairPlan([stored], new Change.Expunge(replacement.Source, old), facts.WireLength);
        });
        if (refusal is not null) return refusal;
        return new AppendReceipt(target!.Mailbox, target.Validity, [new(target.Mailbox, target.Validity, stored!.Uid, stored.Email)]);
    }

    private Change.Store StoreOf(Box target, EarlyFacts facts, long length)
    {
        NewMessage message = replacement.Message;
        return new(target.Mailbox, new(target.NextUid++), services.Options.Ids.Email(), 0)
        {
            Flags = message.Flags,
            Keywords = message.Keywords,
            Internal = message.InternalDate.ToUnixTimeSeconds(),
            Zone = (short)message.InternalDate.TotalOffsetMinutes,
            Prefix = default,
            Offset = 0,
            Length = length,
            LfOctets = facts.LfOctets,
            Facts = facts.Held,
        };
    }
}
