using Posthorn.Core;
using Posthorn.Store.Catalogue;
using Posthorn.Store.Changes;

namespace Posthorn.Store.Engine;

/// <summary>Makes changes come true that take over another server's numbers. Everything may have been done before.</summary>
/// <remarks>Runs under the account's catalogue lock, inside a transaction.</remarks>
internal sealed class VisitApplier(Account account, AccountCatalogue catalogue)
{
    /// <summary>The highest MODSEQ of another server that a record speaks of: the record's own change stands above.</summary>
    internal static long Heard(Operation operation)
    {
        long highest = 0;
        foreach (Change change in operation.Changes)
            if (change is Change.Heard heard) highest = Math.Max(highest, heard.ModSeq.Value);
        return highest;
    }

    internal bool Hear(Change.Heard heard, Draft draft, ModSeq modSeq)
    {
        if (draft.Find(heard.Mailbox) is not { } box) return false;
        if (heard.UidNext > box.UidNext) box.UidNext = heard.UidNext;
        foreach ((Uid uid, string fields) in heard.Messages)
            if (catalogue.TryGetMessage(box.Box.Id, uid, out _)) catalogue.Lists.Put(box.Box.Id, uid, fields);
        box.Highest = modSeq;
        return true;
    }

    /// <summary>The mailbox gets a new number in the catalogue too, so that nothing old can be taken for something new.</summary>
    internal bool Renumber(Change.Renumber change, Draft draft, ModSeq modSeq)
    {
        if (draft.Find(change.Mailbox) is not { } old || old.Box.Validity == change.Validity) return false;
        draft.Validity = Math.Max(draft.Validity, change.Validity.Value);
        Box box = account.Emerging(change.Mailbox) is { } emerging && emerging.Validity == change.Validity ? emerging : new(change.Mailbox, old.Box.Use, change.Validity);
        (long former, box.Id, box.Name, box.Floor) = (old.Box.Id, account.Mailboxes.NextId(), old.Name, modSeq);
        BoxDraft added = draft.Add(box);
        added.Replaced = old.Box;
        (added.UidNext, added.Highest, added.FirstRecent) = (change.UidNext, modSeq, new(1));
        Dictionary<Uid, Uid> uids = change.Uids.ToDictionary(pair => pair.From, pair => pair.To);
        Dictionary<Uid, string> fields = catalogue.Lists.All(former);
        foreach ((int number, string name) in catalogue.Letters(former)) catalogue.PutLetter(box.Id, number, name);
        added.Acl = old.Acl;
        foreach (Sharing.AclEntry entry in old.Acl.Entries) catalogue.Acls.Put(box.Id, entry.Identifier, entry.Rights);
        foreach ((string user, string entry, byte[] value) in catalogue.Annotations.Of(former)) catalogue.Annotations.Put(box.Id, user, entry, value, modSeq.Value);
        foreach (StoredRow stored in (List<StoredRow>)[.. catalogue.Messages(former)])
        {
            // One that came in while this was on its way stands behind the others.
            if (!uids.TryGetValue(stored.Row.Uid, out Uid uid)) (uid, added.UidNext) = (added.UidNext, new(added.UidNext.Value + 1));
            MessageRow row = stored.Row with { Uid = uid, ModSeq = modSeq };
            catalogue.PutMessage(box.Id, stored with { Row = row });
            if (catalogue.TryGetFile(former, stored.Row.Uid, out FileRow file)) catalogue.PutFile(box.Id, uid, file.DiskName, file.Base, file.Dirty);
            catalogue.Lists.Put(box.Id, uid, fields.GetValueOrDefault(stored.Row.Uid, ""));
            added.Counts = added.Counts.With(row, 1);
        }

        catalogue.RemoveMailbox(former);
        catalogue.PutMailbox(added.ToRow());
        return true;
    }
}
