using System.Globalization;
using Posthorn.Core;
using Posthorn.Store.Catalogue;
using Posthorn.Store.Changes;
using Posthorn.Store.Maildir;

namespace Posthorn.Store.Engine;

/// <summary>Makes changes come true in catalogue and files, in the running server and on replay alike. Everything may have been done before, wholly or in part.</summary>
/// <remarks>Runs under the account's catalogue lock, inside a transaction.</remarks>
internal sealed class ChangeApplier(Account account, AccountCatalogue catalogue, MaildirTree tree, MaildirStoreOptions options, TimeProvider time)
{
    private readonly FileKeeper _files = account.Files;
    private readonly VisitApplier _visits = new(account, catalogue);

    // On replay over a rebuilt catalogue: copies whose source had been moved on already, until the record of that comes.
    private readonly List<Awaiting> _awaiting = [];

    /// <summary>A copy to make.</summary>
    /// <param name="Operation">Its record.</param>
    /// <param name="Index">Its change.</param>
    /// <param name="Target">Where it is to lie.</param>
    /// <param name="Pair">Source and copy.</param>
    /// <param name="Moved">The record and place of the last move of its source that could not be carried out either.</param>
    private sealed record Awaiting(Operation Operation, int Index, MailboxId Target, Pair Pair, (long Record, int Part)? Moved)
    {
        internal bool IsOf(string sourceBase) => Pair.SourceBase == sourceBase || Moved is not null && OwnName.Parse(sourceBase) == Moved;
    }

    internal void Apply(Operation operation, Draft draft)
    {
        ModSeq modSeq = new(Math.Max(draft.ModSeq, VisitApplier.Heard(operation)) + 1);
        bool changed = false;
        for (int i = 0; i < operation.Changes.Count; i++)
        {
            changed |= operation.Changes[i] switch
            {
                Change.Store store => Store(operation, i, store, draft, modSeq),
                Change.Place place => Place(operation, i, place, draft, modSeq),
                Change.Expunge gone => Expunge(operation, gone, draft, modSeq),
                Change.Flag flag => Flag(flag, draft, modSeq),
                Change.Create made => Create(operation, i, made, draft, modSeq),
                Change.Delete gone => Delete(operation, i, gone, draft),
                Change.Rename renamed => Rename(operation, i, renamed, draft),
                Change.Subscribe subscribe => Subscribe(subscribe, draft),
                Change.Claim claim => Claim(claim, draft),
                Change.Adopt adopt => Adopt(operation, adopt, draft, modSeq),
                Change.Remember note => Remember(operation, note, draft),
                Change.Annotate annotate => Annotate(annotate, draft, modSeq),
                Change.Share share => Share(share, draft, modSeq),
                Change.Heard heard => _visits.Hear(heard, draft, modSeq),
                Change.Renumber renumber => _visits.Renumber(renumber, draft, modSeq),
                _ => throw new System.Diagnostics.UnreachableException(),
            };
        }

        if (!changed) return;
        draft.ModSeq = modSeq.Value;
        draft.IsChanged = true;
        operation.ModSeq = modSeq;
    }

    private bool Store(Operation operation, int index, Change.Store store, Draft draft, ModSeq modSeq)
    {
        if (draft.Find(store.Mailbox) is not { } box)
        {
            operation.Skip(index, -1);
            return false;
        }

        if (account.IsReplaying) _files.BringBack(box.Name, store.Mailbox, box.Box.Validity);
        // Outside replay a number above all earlier ones cannot be there, nor what this record brought.
        bool fresh = !account.IsReplaying && store.Uid >= box.UidNext;
        if (!fresh && catalogue.TryGetMessage(box.Box.Id, store.Uid, out StoredRow known)) return Refresh(operation, store, draft, known, modSeq);
        string prefixed = $"{operation.Time / 1000}.J{operation.Lsn.Value:x}_{store.Index:x}.{account.HostName}";
        using MessageBytes bytes = new(account.ContentOf(operation), store);
        MessageFacts facts = store.Facts ?? MessageFacts.Of(bytes.Whole, options.Mime);
        string baseName = string.Create(CultureInfo.InvariantCulture, $"{prefixed},S={store.Octets},W={facts.WireLength}");
        long content = (fresh ? null : catalogue.Contents.OfRecord(operation.Lsn.Value, store.Index)) ?? ContentFor(operation, store, facts);
        MessageRow row = new(store.Uid, facts.WireLength, store.Internal, modSeq, store.Flags, store.Keywords, store.Zone);
        string disk = MaildirName.Format(baseName, store.Flags == SystemFlags.None && store.Keywords.Count == 0, store.Flags, _files.LettersOf(box, store.Keywords), default);
        if (account.IsReplaying) _files.RemoveOthers(box.Name, baseName, disk);
        bool written = _files.TryWrite(tree.PathOf(box.Name, disk), bytes, row.InternalDate, time.GetUtcNow());
        if (!written) account.Delayed.WriteLater(operation.Lsn, store);
        Add(box, new(row, content, operation.Time), written ? disk : "", baseName);
        return true;
    }

    // A rebuilt catalogue knows the message from its file, which may have been torn; the file is mended afterwards.
    private bool Refresh(Operation operation, Change.Store store, Draft draft, in StoredRow known, ModSeq modSeq)
    {
        using MessageBytes bytes = new(account.ContentOf(operation), store);
        MessageFacts facts = MessageFacts.Of(bytes.Whole, options.Mime);
        account.ForgetSortKeys();
        catalogue.Contents.Refresh(known.Content, operation.Lsn.Value, store.Index, store.Octets, facts);
        bool changed = false;
        foreach ((long mailbox, Uid uid) in catalogue.Contents.CopiesOf(known.Content))
        {
            if (account.PublishedById(mailbox) is not { } owner || draft.Find(owner.Mailbox) is not { } box || !catalogue.TryGetMessage(mailbox, uid, out StoredRow stored)) continue;
            if (stored.Row.Size == facts.WireLength) continue; // a copy of it may be torn where it is whole
            MessageRow row = stored.Row with { Size = facts.WireLength, ModSeq = modSeq };
            catalogue.PutMessage(mailbox, stored with { Row = row });
            box.Counts = box.Counts.With(stored.Row, -1).With(row, 1);
            box.Upserts[uid] = row;
            box.Highest = modSeq;
            changed = true;
        }

        return changed;
    }

    // Deliveries of one record with the same header of their own share their content row, as they share their EMAILID.
    private long ContentFor(Operation operation, Change.Store store, MessageFacts facts)
    {
        foreach (Change other in operation.Changes)
        {
            if (ReferenceEquals(other, store)) break;
            if (other is Change.Store earlier && earlier.Email == store.Email && catalogue.Contents.OfRecord(operation.Lsn.Value, earlier.Index) is { } known) return known;
        }

        return catalogue.Contents.Add(store.Email, catalogue.Contents.ThreadOf(facts.Sort, store.Email), operation.Lsn.Value, store.Index, store.Octets, facts);
    }

    private bool Place(Operation operation, int index, Change.Place place, Draft draft, ModSeq modSeq)
    {
        if (draft.Find(place.Source) is not { } source || draft.Find(place.Target) is not { } target)
        {
            operation.Skip(index, -1);
            return false;
        }

        if (account.IsReplaying)
        {
            _files.BringBack(source.Name, place.Source, source.Box.Validity);
            _files.BringBack(target.Name, place.Target, target.Box.Validity);
        }

        bool changed = false;
        for (int i = 0; i < place.Pairs.Count; i++)
        {
            Pair pair = place.Pairs[i];
            if (pair.Target >= target.UidNext) target.UidNext = new(pair.Target.Value + 1); // even if nothing comes of it: the number was given away
            bool there = catalogue.TryGetMessage(target.Box.Id, pair.Target, out StoredRow old);
            bool known = catalogue.TryGetMessage(source.Box.Id, pair.Source, out StoredRow from);
            if (!known && !there)
            {
                if (account.IsReplaying && Recover(operation, place, pair, source, target, modSeq))
                {
                    changed = true;
                    CopyToAwaiting(place.Target, pair, target, draft, modSeq);
                    if (place.Move) AwaitNoMore(place.Source, pair.Source);
                    continue;
                }

                if (account.IsReplaying) Await(operation, index, place, pair);
                operation.Skip(index, i);
                continue;
            }

            if (there && !known && _awaiting.Count > 0)
            {
                CopyToAwaiting(place.Target, pair, target, draft, modSeq);
                if (place.Move) AwaitNoMore(place.Source, pair.Source);
            }

            if (there && known && old.Content != from.Content)
            {
                // A rebuilt catalogue knows the copy from its file, which may have been torn: the source is the better one.
                if (catalogue.TryGetFile(target.Box.Id, pair.Target, out FileRow torn) && _files.Locate(target.Name, torn) is { } path) tree.Volume.Unlink(path);
                catalogue.RemoveMessage(target.Box.Id, pair.Target);
                catalogue.Contents.Remove(old.Content);
                target.Counts = target.Counts.With(old.Row, -1);
                there = false;
            }

            if (!there)
            {
                _ = catalogue.TryGetFile(source.Box.Id, pair.Source, out FileRow file);
                ContentRow content = catalogue.Contents.Of(from.Content);
                string baseName = CopyName(operation, pair.Index, content.Octets, from.Row.Size);
                MessageRow row = from.Row with { Uid = pair.Target, ModSeq = modSeq };
                bool isNew = row.Flags == SystemFlags.None && row.Keywords.Count == 0;
                string disk = MaildirName.Format(baseName, isNew, row.Flags, _files.LettersOf(target, row.Keywords), MaildirName.LettersOf(file.DiskName));
                if (account.IsReplaying) _files.BringBackName(target.Name, baseName, disk, source.Name, file);
                // Nothing else has the bytes of a message that came in by somebody else's hand: a copy of it is made now or later, never given up.
                bool alone = content.Record == 0 && catalogue.Contents.CopiesOf(content.Id).Count < 2;
                bool made = _files.TryPlace(source.Name, file, tree.PathOf(target.Name, disk), place.Move, must: alone && !place.Move);
                bool gone = !made && alone && _files.Locate(source.Name, file) is null;
                if (gone && !account.IsReplaying)
                {
                    // Somebody took the file away.
                    operation.Skip(index, i);
                    continue;
                }

                // On replay later records took it further: they find it there. If none did, the next look at the folder says that it is missing.
                // What could not be moved is the message still, where it lies.
                string where = made || gone ? disk : place.Move ? _files.Elsewhere(source.Name, file) : "";
                Add(target, new(row, from.Content, operation.Time), where, baseName);
                changed = true;
            }

            if (!place.Move || !known) continue;
            source.Gone.Add((pair.Source, new(from.Content, "", 0, from.Row.Size)));
            Remove(source, from, modSeq);
            changed = true;
        }

        return changed;
    }

    // The crash undid copies on disk, but not the moving of their source afterwards, which was found again now.
    private void CopyToAwaiting(MailboxId moved, Pair pair, BoxDraft target, Draft draft, ModSeq modSeq)
    {
        if (_awaiting.Count == 0 || !catalogue.TryGetFile(target.Box.Id, pair.Target, out FileRow file)) return;
        foreach (Awaiting one in _awaiting.Where(one => one.IsOf(pair.SourceBase)).ToArray())
        {
            _awaiting.Remove(one);
            Place(one.Operation, one.Index, new(moved, one.Target, Move: false, [one.Pair with { Source = pair.Target, SourceBase = file.Base }]), draft, modSeq);
        }
    }

    // Neither source nor copy is there. A copy waits for its source; when that moved on, and on again, for the last of these moves.
    private void Await(Operation operation, int index, Change.Place place, Pair pair)
    {
        int copy = _awaiting.FindIndex(one => one.Target == place.Source && one.Pair.Target == pair.Source);
        if (copy >= 0)
        {
            // A copy that waits goes further, or is copied itself: what is to be made is that, from the same source.
            Awaiting further = _awaiting[copy] with { Operation = operation, Index = index, Target = place.Target, Pair = _awaiting[copy].Pair with { Target = pair.Target, Index = pair.Index } };
            if (place.Move) _awaiting[copy] = further;
            else _awaiting.Add(further);
            return;
        }

        if (!place.Move) _awaiting.Add(new(operation, index, place.Target, pair, null));
        else
            for (int i = 0; i < _awaiting.Count; i++)
                if (_awaiting[i].IsOf(pair.SourceBase)) _awaiting[i] = _awaiting[i] with { Moved = (operation.Lsn.Value, pair.Index) };
    }

    // A copy that waits has left its mailbox: it must not be made there any more.
    private void AwaitNoMore(MailboxId mailbox, Uid copy) => _awaiting.RemoveAll(one => one.Target == mailbox && one.Pair.Target == copy);

    // The catalogue was rebuilt, and the file had its new name already, or none that a list knows: what lies on disk is the message.
    private bool Recover(Operation operation, Change.Place place, Pair pair, BoxDraft source, BoxDraft target, ModSeq modSeq)
    {
        string folder = tree.FolderPath(target.Name);
        string? disk = tree.FindOwn(folder, operation.Lsn.Value, pair.Index);
        string? path = disk is not null ? $"{folder}/{disk}" : _files.Locate(source.Name, new(pair.Source, "", pair.SourceBase, false));
        if (path is null || _files.Read(path) is not { } bytes || !tree.Volume.TryStat(path, out Journal.Volume.VolumeStat stat)) return false;
        MessageFacts facts = MessageFacts.Of(bytes, options.Mime);
        string baseName = disk is null ? CopyName(operation, pair.Index, bytes.Length, facts.WireLength) : MaildirName.BaseOf(disk);
        SystemFlags flags = MaildirName.FlagsOf(MaildirName.LettersOf(path));
        if (disk is null)
        {
            disk = MaildirName.Format(baseName, flags == SystemFlags.None, flags, "", default);
            if (place.Move && !path.StartsWith(tree.ExpungedPath, StringComparison.Ordinal)) tree.Volume.Rename(path, $"{folder}/{disk}");
            else _files.LinkOrCopy(path, $"{folder}/{disk}");
        }

        KeywordSet keywords = KeywordFile.KeywordsOf(MaildirName.LettersOf(disk), catalogue.Letters(target.Box.Id));
        EmailId email = account.Orphans.TryGetValue(pair.SourceBase, out string? guid) ? new(guid) : options.Ids.Email();
        account.Orphans[baseName] = email.Value;
        (long record, int part) = OwnName.Parse(pair.SourceBase) ?? default;
        long content = catalogue.Contents.With(email) ?? catalogue.Contents.Add(email, catalogue.Contents.ThreadOf(facts.Sort, email), record, part, bytes.Length, facts);
        MessageRow row = new(pair.Target, facts.WireLength, stat.Modified.ToUnixTimeSeconds(), modSeq, flags, keywords, 0);
        Add(target, new(row, content, operation.Time), disk, baseName);
        return true;
    }

    private bool Expunge(Operation operation, Change.Expunge gone, Draft draft, ModSeq modSeq)
    {
        if (draft.Find(gone.Mailbox) is not { } box) return false;
        if (account.IsReplaying) _files.BringBack(box.Name, gone.Mailbox, box.Box.Validity);
        bool changed = false;
        foreach ((Uid uid, string baseName) in gone.Messages)
        {
            if (_awaiting.Count > 0) AwaitNoMore(gone.Mailbox, uid);
            if (!catalogue.TryGetMessage(box.Box.Id, uid, out StoredRow row)) continue;
            string path = "";
            if (catalogue.TryGetFile(box.Box.Id, uid, out FileRow file))
            {
                path = tree.ExpungedName(operation.Time, gone.Mailbox, uid, baseName);
                _files.Discard(box.Name, file, path);
            }

            box.Gone.Add((uid, new(row.Content, path, catalogue.Contents.Of(row.Content).Octets, row.Row.Size)));
            Remove(box, row, modSeq);
            catalogue.Contents.Remove(row.Content);
            changed = true;
        }

        return changed;
    }

    private bool Flag(Change.Flag flag, Draft draft, ModSeq modSeq)
    {
        if (draft.Find(flag.Mailbox) is not { } box) return false;
        bool changed = false;
        foreach (Uid uid in flag.Uids)
        {
            if (!catalogue.TryGetMessage(box.Box.Id, uid, out StoredRow stored)) continue;
            MessageRow row = Flags.Apply(stored.Row, flag.What);
            if (row.Flags == stored.Row.Flags && row.Keywords.Equals(stored.Row.Keywords)) continue;
            row = row with { ModSeq = modSeq };
            catalogue.PutMessage(box.Box.Id, stored with { Row = row });
            catalogue.MarkDirty(box.Box.Id, uid);
            box.Counts = box.Counts.With(stored.Row, -1).With(row, 1);
            box.Upserts[uid] = row;
            changed = true;
        }

        if (!changed) return false;
        box.Highest = modSeq;
        account.NamesAreDirty();
        return true;
    }

    private bool Create(Operation operation, int index, Change.Create made, Draft draft, ModSeq modSeq)
    {
        draft.Validity = Math.Max(draft.Validity, made.Validity.Value);
        if (draft.Find(made.Mailbox) is { } known)
        {
            _files.BringBack(known.Name, made.Mailbox, made.Validity);
            return false;
        }

        if (draft.HasName(made.Name.Value))
        {
            operation.Skip(index, -1);
            return false;
        }

        Box box = account.Emerging(made.Mailbox) ?? new(made.Mailbox, made.Use, made.Validity);
        box.Id = account.NextBoxId();
        box.Name = made.Name;
        BoxDraft added = draft.Add(box);
        added.Highest = modSeq;
        box.Load(MailboxVersion.Load([], made.Validity, new(1), modSeq, KeywordSet.Empty));
        catalogue.PutMailbox(added.ToRow());
        if (account.IsReplaying) _files.BringBack(made.Name, made.Mailbox, made.Validity);
        _files.MakeFolder(made.Name, made.Mailbox, made.Validity);
        return true;
    }

    private bool Delete(Operation operation, int index, Change.Delete gone, Draft draft)
    {
        if (draft.Find(gone.Mailbox) is not { } box)
        {
            operation.Skip(index, -1);
            return false;
        }

        BringOver(draft, box);
        _files.DiscardFolder(box.Name, gone.Mailbox, operation);
        catalogue.RemoveMailbox(box.Box.Id);
        box.IsDeleted = true;
        return true;
    }

    private bool Rename(Operation operation, int index, Change.Rename renamed, Draft draft)
    {
        if (draft.Find(renamed.Mailbox) is not { } box || box.Name != renamed.Target && draft.HasName(renamed.Target.Value))
        {
            operation.Skip(index, -1);
            return false;
        }

        BringOver(draft, box);
        if (account.IsReplaying && box.Name != renamed.Target) _files.BringBack(box.Name, renamed.Mailbox, box.Box.Validity);
        _files.RenameFolder(box.Name, renamed.Target, renamed.Mailbox);
        if (box.Name == renamed.Target) return false;
        box.Name = renamed.Target;
        catalogue.PutMailbox(box.ToRow()); // now: the next change may want the name that is free
        return true;
    }

    // Before a folder goes or gets another name: what lies in it and belongs to another mailbox leaves it.
    private void BringOver(Draft draft, BoxDraft leaving)
    {
        List<(long, Uid, string)> away = catalogue.Elsewhere();
        if (away.Count > 0 && account.IsReplaying) _files.BringBack(leaving.Name, leaving.Box.Mailbox, leaving.Box.Validity);
        foreach ((long mailbox, Uid uid, string path) in away)
        {
            MailboxName? name = draft.Boxes.FirstOrDefault(box => box.Box.Id == mailbox) is { } box ? box.Name : account.PublishedById(mailbox)?.Name;
            if (name is not { } target || !catalogue.TryGetFile(mailbox, uid, out FileRow file) || !tree.Exists(tree.Root + path)) continue;
            string disk = "cur/" + path[(path.LastIndexOf('/') + 1)..];
            disk = "cur/" + file.Base + disk[(disk.IndexOf(':', StringComparison.Ordinal) is var colon and >= 0 ? colon : disk.Length)..];
            _files.Move(tree.Root + path, tree.PathOf(target, disk));
            catalogue.PutFile(mailbox, uid, disk, file.Base, dirty: true);
        }
    }

    private bool Subscribe(Change.Subscribe subscribe, Draft draft)
    {
        catalogue.Subscribe(subscribe.Name.Value, subscribe.Subscribed);
        draft.Subscriptions[subscribe.Name.Value] = subscribe.Subscribed;
        return true;
    }

    // No client sees it, so it is no change of the account.
    private bool Remember(Operation operation, Change.Remember note, Draft draft)
    {
        catalogue.Notes.Remember(note.Id.Span, note.Until);
        catalogue.Notes.Forget(operation.Time, options.FilterNotes);
        draft.HasNotes = true;
        return false;
    }

    private bool Annotate(Change.Annotate annotate, Draft draft, ModSeq modSeq)
    {
        long mailbox = AnnotationTable.Account;
        if (annotate.Mailbox is { } named)
        {
            if (draft.Find(named) is not { } box) return false;
            mailbox = box.Box.Id;
        }

        foreach ((string user, string entry, ReadOnlyMemory<byte>? value) in annotate.Entries) catalogue.Annotations.Put(mailbox, user, entry, value, modSeq.Value);
        return true;
    }

    // The list changes nothing of the mailbox itself: its MODSEQ stays.
    private bool Share(Change.Share share, Draft draft, ModSeq modSeq)
    {
        if (draft.Find(share.Mailbox) is not { } box) return false;
        catalogue.Acls.Put(box.Box.Id, share.Identifier, share.Rights);
        box.Acl = box.Acl.With(share.Identifier, share.Rights);
        draft.AclChanged = modSeq;
        return true;
    }

    private static bool Claim(Change.Claim claim, Draft draft)
    {
        if (draft.Find(claim.Mailbox) is { } box && claim.FirstUnclaimed > box.FirstRecent) box.FirstRecent = claim.FirstUnclaimed;
        return false;
    }

    private bool Adopt(Operation operation, Change.Adopt adopt, Draft draft, ModSeq modSeq)
    {
        if (draft.Find(adopt.Mailbox) is not { } box) return false;
        if (account.IsReplaying) _files.BringBack(box.Name, adopt.Mailbox, box.Box.Validity);
        bool changed = false;
        foreach (Adopted file in adopt.Files)
        {
            if (file.Uid >= box.UidNext) box.UidNext = new(file.Uid.Value + 1); // even if its file is gone again: the number was given away
            if (catalogue.TryGetMessage(box.Box.Id, file.Uid, out _)) continue;
            string baseName = MaildirName.BaseOf(file.DiskName);
            string? disk = tree.Exists(tree.PathOf(box.Name, file.DiskName)) ? file.DiskName : tree.Find(tree.FolderPath(box.Name), baseName);
            if (disk is null) continue; // It went again before it was taken in.
            if (_files.Read(tree.PathOf(box.Name, disk)) is not { } bytes) continue;
            MessageFacts facts = MessageFacts.Of(bytes, options.Mime);
            long content = catalogue.Contents.Add(file.Email, catalogue.Contents.ThreadOf(facts.Sort, file.Email), 0, 0, bytes.Length, facts);
            Add(box, new(new(file.Uid, facts.WireLength, file.Internal, modSeq, file.Flags, file.Keywords, 0), content, operation.Time), disk, baseName);
            changed = true;
        }

        return changed;
    }

    private void Add(BoxDraft box, in StoredRow stored, string disk, string baseName)
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

    private void Remove(BoxDraft box, in StoredRow stored, ModSeq modSeq)
    {
        Uid uid = stored.Row.Uid;
        catalogue.RemoveMessage(box.Box.Id, uid);
        box.Tombstones += catalogue.PutTombstone(box.Box.Id, modSeq, uid);
        box.Highest = modSeq;
        box.Counts = box.Counts.With(stored.Row, -1);
        box.Upserts.Remove(uid);
        box.Removed.Add(uid);
    }

    private string CopyName(Operation operation, int index, long octets, long wire) =>
        string.Create(CultureInfo.InvariantCulture, $"{operation.Time / 1000}.J{operation.Lsn.Value:x}_{index:x}.{account.HostName},S={octets},W={wire}");
}

/// <summary>How flags change.</summary>
internal static class Flags
{
    internal static MessageRow Apply(in MessageRow row, FlagChange change) => change.Operation switch
    {
        FlagOperation.Replace => row with { Flags = change.Flags, Keywords = change.Keywords },
        FlagOperation.Add => row with { Flags = row.Flags | change.Flags, Keywords = row.Keywords.Union(change.Keywords) },
        FlagOperation.Remove => row with { Flags = row.Flags & ~change.Flags, Keywords = row.Keywords.Except(change.Keywords) },
        _ => throw new System.Diagnostics.UnreachableException(),
    };
}
