using System.Globalization;
using Microsoft.Extensions.Logging;
using Posthorn.Core;
using Posthorn.Journal.Format;
using Posthorn.Journal.Volume;
using Posthorn.Store.Catalogue;
using Posthorn.Store.Changes;
using Posthorn.Store.Maildir;

namespace Posthorn.Store.Engine;

/// <summary>After an unclean end: makes sure that what records above the last checkpoint did to files is so on disk, wherever later records have brought it.</summary>
/// <remarks>Records come in their order, each after it was applied to the catalogue (now or before the end). Runs under the account's catalogue lock.</remarks>
internal sealed class FileMender(Account account, AccountCatalogue catalogue, MaildirTree tree, ILogger log)
{
    /// <summary>The number of files that had to be written or moved.</summary>
    internal int Mend(Operation operation)
    {
        int mended = 0;
        try
        {
            foreach (Change change in operation.Changes)
            {
                mended += change switch
                {
                    Change.Store store => Mend(operation, store),
                    Change.Place place => Mend(operation, place),
                    Change.Expunge gone => Mend(operation, gone),
                    Change.Create made => Mend(made),
                    Change.Rename renamed => Mend(renamed),
                    Change.Delete gone => Mend(operation, gone),
                    _ => 0,
                };
            }
        }
        catch (VolumeException problem)
        {
            log.FileDelayed(problem, account.Who.Address);
        }

        return mended;
    }

    private int Mend(Operation operation, Change.Store store)
    {
        // By the file's name if the catalogue was rebuilt and never saw the record's content.
        if (catalogue.Contents.OfRecord(operation.Lsn.Value, store.Index) is not { } content) return MendByName(operation, store);
        int mended = 0;
        foreach ((long mailbox, Uid uid) in catalogue.Contents.CopiesOf(content)) mended += MendCopy(operation, store, mailbox, uid);
        return mended;
    }

    private int MendByName(Operation operation, Change.Store store)
    {
        if (account.Published(store.Mailbox) is not { } box || !catalogue.TryGetFile(box.Id, store.Uid, out _)) return 0;
        return MendCopy(operation, store, box.Id, store.Uid);
    }

    private int MendCopy(Operation operation, Change.Store store, long mailbox, Uid uid)
    {
        if (account.PublishedById(mailbox) is not { } box || !catalogue.TryGetFile(mailbox, uid, out FileRow file) || !catalogue.TryGetMessage(mailbox, uid, out StoredRow row)) return 0;
        account.Files.BringBack(box.Name, box.Mailbox, box.Validity);
        using MessageBytes bytes = new(account.ContentOf(operation), store);
        string wanted = account.Files.WantedName(mailbox, box.Name, row.Row, file.Base, file.DiskName);
        string path = file.IsInFolder ? tree.PathOf(box.Name, file.DiskName) : tree.PathOf(box.Name, wanted);
        if (IsWhole(path, bytes))
        {
            // Written when the disk had refused it, or a removal was undone.
            if (!file.IsInFolder) catalogue.PutFile(mailbox, uid, wanted, file.Base, dirty: false);
            return 0;
        }

        if (tree.Find(tree.FolderPath(box.Name), file.Base) is { } other && IsWhole(tree.PathOf(box.Name, other), bytes))
        {
            // A rename was lost; it is done again when names follow.
            catalogue.PutFile(mailbox, uid, other, file.Base, dirty: true);
            account.NamesAreDirty();
            return 1;
        }

        account.Files.RemoveOthers(box.Name, file.Base, "");
        // A new file, never the damaged one: that may have other names.
        bool written = account.Files.TryWrite(tree.PathOf(box.Name, wanted), bytes, row.Row.InternalDate, DateTimeOffset.MinValue);
        catalogue.PutFile(mailbox, uid, written ? wanted : "", file.Base, dirty: !written);
        if (!written)
        {
            account.Delayed.WriteLater(operation.Lsn, store);
            account.NamesAreDirty();
        }

        return 1;
    }

    private bool IsWhole(string path, MessageBytes bytes)
    {
        if (!tree.Volume.TryStat(path, out VolumeStat stat) || stat.Length != bytes.Octets) return false;
        using IVolumeFile file = tree.Volume.Open(path, VolumeOpen.Read);
        byte[] buffer = new byte[Math.Min(128 * 1024, stat.Length)];
        uint found = 0;
        for (long at = 0; at < stat.Length;)
        {
            int got = file.Read(at, buffer);
            if (got <= 0) return false;
            found = Crc32C.Append(found, buffer.AsSpan(0, got));
            at += got;
        }

        return found == bytes.FileChecksum();
    }

    private int Mend(Operation operation, Change.Place place)
    {
        int mended = 0;
        Box? source = account.Published(place.Source);
        Box? target = account.Published(place.Target);
        if (source is not null) account.Files.BringBack(source.Name, source.Mailbox, source.Validity);
        if (target is not null) account.Files.BringBack(target.Name, target.Mailbox, target.Validity);
        // A mailbox that later records removed still has its folder somewhere.
        string? from = source is not null ? tree.FolderPath(source.Name) : tree.FindFolder(place.Source);
        string? into = target is not null ? tree.FolderPath(target.Name) : tree.FindFolder(place.Target);
        foreach (Pair pair in place.Pairs)
        {
            string prefix = string.Create(CultureInfo.InvariantCulture, $".J{operation.Lsn.Value:x}_{pair.Index:x}.");
            if (target is not null && catalogue.TryGetFile(target.Id, pair.Target, out FileRow file) && file.Base.Contains(prefix, StringComparison.Ordinal))
                mended += MendPlaced(from, pair, target, file);
            else if (into is not null && from is not null)
                mended += Redo(operation, place, pair, source, from, into);
            if (place.Move && source is not null) mended += RemoveLeft(source, place.Source, pair.Source, pair.SourceBase, operation);
        }

        return mended;
    }

    private int MendPlaced(string? from, Pair pair, Box target, FileRow file)
    {
        if (!catalogue.TryGetMessage(target.Id, file.Uid, out StoredRow row)) return 0;
        long octets = catalogue.Contents.Of(row.Content).Octets;
        if (file.IsInFolder && HasLength(tree.PathOf(target.Name, file.DiskName), octets)) return 0;
        if (tree.Find(tree.FolderPath(target.Name), file.Base) is { } moved && HasLength(tree.PathOf(target.Name, moved), octets))
        {
            catalogue.PutFile(target.Id, file.Uid, moved, file.Base, dirty: true);
            account.NamesAreDirty();
            return 1;
        }

        string? path = from is null ? null : PathIn(from, pair.SourceBase);
        // A later record may have moved the source on, and the crash undid the copying but not the moving.
        path ??= tree.FindExpunged(pair.SourceBase) ?? account.Files.LocateCopy(row.Content);
        string wanted = account.Files.WantedName(target.Id, target.Name, row.Row, file.Base, path ?? "");
        string place = tree.PathOf(target.Name, wanted);
        // Written from its own record's content, or lost by somebody else's hand.
        if (path is null || path == place || !HasLength(path, octets)) return 0;
        account.Files.RemoveOthers(target.Name, file.Base, ""); // the beginning of a copy that the disk refused
        account.Files.LinkOrCopy(path, place);
        catalogue.PutFile(target.Id, file.Uid, wanted, file.Base, dirty: false);
        return 1;
    }

    private bool HasLength(string path, long octets) => tree.Volume.TryStat(path, out VolumeStat stat) && stat.Length == octets;

    // Later records took the copy further: it must be where they will look for it.
    private int Redo(Operation operation, Change.Place place, Pair pair, Box? source, string from, string folder)
    {
        if (PathIn(from, pair.SourceBase) is not { } path || !tree.Volume.TryStat(path, out VolumeStat stat) || tree.FindOwn(folder, operation.Lsn.Value, pair.Index) is not null) return 0;
        long wire = MaildirName.SizeOf(pair.SourceBase, ",W=");
        string name = string.Create(CultureInfo.InvariantCulture,
            $"{folder}/new/{operation.Time / 1000}.J{operation.Lsn.Value:x}_{pair.Index:x}.{account.HostName},S={stat.Length},W={(wire < 0 ? stat.Length : wire)}");
        bool left = place.Move && (source is null || !catalogue.TryGetFile(source.Id, pair.Source, out _));
        if (left) account.Files.Move(path, name);
        else account.Files.LinkOrCopy(path, name);
        return 1;
    }

    // By the name, or by what our names say of themselves: sizes in a name may have been guessed.
    private string? PathIn(string folder, string baseName)
    {
        string? disk = tree.Find(folder, baseName);
        if (disk is null && OwnName.Parse(baseName) is { } own) disk = tree.FindOwn(folder, own.Record, own.Part);
        return disk is null ? null : $"{folder}/{disk}";
    }

    private int Mend(Operation operation, Change.Expunge gone)
    {
        if (account.Published(gone.Mailbox) is not { } box) return 0;
        account.Files.BringBack(box.Name, box.Mailbox, box.Validity);
        // Thousands may have gone by one record: their folder is listed once for all.
        int mended = 0;
        Dictionary<string, string> files = tree.FilesOf(tree.FolderPath(box.Name));
        Dictionary<(long, int), string> own = [];
        foreach ((string name, string disk) in files)
            if (OwnName.Parse(name) is { } ours) own[ours] = disk;
        foreach ((Uid uid, string baseName) in gone.Messages)
        {
            string? disk = files.GetValueOrDefault(baseName);
            if (disk is null && OwnName.Parse(baseName) is { } ours) disk = own.GetValueOrDefault(ours);
            if (disk is null || catalogue.TryGetFile(box.Id, uid, out _)) continue;
            account.Files.TakeAway($"{tree.FolderPath(box.Name)}/{disk}", tree.ExpungedName(operation.Time, gone.Mailbox, uid, baseName, MaildirName.SuffixOf(disk)));
            mended++;
        }

        return mended;
    }

    // A file whose message has left this mailbox must not be taken for a delivery of somebody else.
    private int RemoveLeft(Box box, MailboxId mailbox, Uid uid, string baseName, Operation operation)
    {
        if (catalogue.TryGetFile(box.Id, uid, out _) || PathIn(tree.FolderPath(box.Name), baseName) is not { } left) return 0;
        account.Files.TakeAway(left, tree.ExpungedName(operation.Time, mailbox, uid, baseName, MaildirName.SuffixOf(left)));
        return 1;
    }

    private int Mend(Change.Create made)
    {
        if (account.Published(made.Mailbox) is not { } box) return 0;
        account.Files.BringBack(box.Name, box.Mailbox, box.Validity);
        account.Files.MakeFolder(box.Name, box.Mailbox, box.Validity);
        return 0;
    }

    private int Mend(Change.Rename renamed)
    {
        if (account.Published(renamed.Mailbox) is { } box) account.Files.BringBack(box.Name, box.Mailbox, box.Validity);
        return 0;
    }

    private int Mend(Operation operation, Change.Delete gone)
    {
        if (account.Published(gone.Mailbox) is not null) return 0;
        bool taken = account.PublishedByName(gone.Name.Value) is { } other && other.Mailbox != gone.Mailbox && !account.Files.IsFolderOf(gone.Name, gone.Mailbox);
        if (!taken) account.Files.DiscardFolder(gone.Name, gone.Mailbox, operation, _ => true);
        account.Files.DiscardStrays(gone.Mailbox, operation);
        return 0;
    }
}
