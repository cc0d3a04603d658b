using Posthorn.Core;
using Posthorn.Store.Catalogue;

namespace Posthorn.Store.Engine;

/// <summary>A message comes into a mailbox or leaves it: its rows, and what the mailbox counts.</summary>
/// <remarks>Runs under the account's catalogue lock, inside a transaction.</remarks>
internal sealed class MessageRows(Account account, AccountCatalogue catalogue)
{
    internal void Add(BoxDraft box, in StoredRow stored, string disk, string baseName)
    {
        MessageRow row = stored.Row;
        catalogue.PutMessage(box.Box.Id, stored);
        bool dirty = disk.Length == 0 || disk[0] == '/';
        catalogue.PutFile(box.Box.Id, row.Uid, disk, baseName, dirty);
        if (dirty) account.NamesAreDirty();
        if (row.Uid >= box.UidNext) box.UidNext = new(row.Uid.Value + 1);
        box.Highest = row.ModSeq;
        box.Counts = box.Counts.With(row, 1);
        box.Upserts[row.Uid] = row;
    }

    internal void Remove(BoxDraft box, in StoredRow stored, ModSeq modSeq)
    {
        Uid uid = stored.Row.Uid;
        catalogue.RemoveMessage(box.Box.Id, uid);
        box.Tombstones += catalogue.Tombstones.Put(box.Box.Id, modSeq, uid);
        box.Highest = modSeq;
        box.Counts = box.Counts.With(stored.Row, -1);
        box.Upserts.Remove(uid);
        box.Removed.Add(uid);
    }
}
