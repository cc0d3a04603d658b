using System.Globalization;
using Microsoft.Extensions.Logging;
using Posthorn.Core;
using Posthorn.Journal.Volume;
using Posthorn.Store.Catalogue;
using Posthorn.Store.Changes;
using Posthorn.Store.Maildir;

namespace Posthorn.Store.Engine;

/// <summary>Makes changes come true in catalogue and files, in the running server and on replay alike. Everything may have been done before, wholly or in part.</summary>
/// <remarks>Runs under the account's catalogue lock, inside a transaction.</remarks>
internal sealed class ChangeApplier(Account account, AccountCatalogue catalogue, MaildirTree tree, MaildirStoreOptions options, TimeProvider time, ILogger log)
{
    private static readonly Refusal FolderThere = new(RefusalKind.AlreadyExists, "Another program made a folder of that name");
    private readonly FileKeeper _files = account.Files;
    private readonly VisitApplier _visits = new(account, catalogue);
    private readonly MessageRows _rows = new(account, catalogue);
    private readonly ReplayedMailboxes _replayed = new(account, catalogue, tree, options);
    private PlaceApplier Places => field ??= new(account, catalogue, tree, options, _rows, _replayed, log);

    internal void Apply(Operation operation, Draft draft)
    {
        ModSeq modSeq = new(Math.Max(draft.ModSeq, VisitApplier.Heard(operation)) + 1);
        bool changed = false;
        for (int i = 0; i < operation.Changes.Count; i++)
        {
            changed |= operation.Changes[i] switch
            {
                Change.Store store => Store(operation, i, store, draft, modSeq),
                Change.Place place => Places.Place(operation, i, place, draft, modSeq),
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
        if (_replayed.Find(operation, store.Mailbox, draft) is not { } box)
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
        MessageFacts facts = store.Facts ?? MessageFacts.OfAny(bytes.Whole, options.Mime, log);
        string baseName = string.Create(CultureInfo.InvariantCulture, $"{prefixed},S={store.Octets},W={facts.WireLength}");
        long content = (fresh ? null : catalogue.Contents.OfRecord(operation.Lsn.Value, store.Index)) ?? ContentFor(operation, store, facts);
        MessageRow row = new(store.Uid, facts.WireLength, store.Internal, modSeq, store.Flags, store.Keywords, store.Zone);
        string disk = MaildirName.Format(baseName, store.Flags == SystemFlags.None && store.Keywords.Count == 0, store.Flags, _files.LettersOf(box, store.Keywords), default);
        if (account.IsReplaying) _files.RemoveOthers(box.Name, baseName, disk);
        bool written = _files.TryWrite(tree.PathOf(box.Name, disk), bytes, row.InternalDate, time.GetUtcNow());
        if (!written) account.Delayed.WriteLater(operation.Lsn, store);
        _rows.Add(box, new(row, content, operation.Time), written ? disk : "", baseName);
        return true;
    }

    // A rebuilt catalogue knows the message from its file, which may have been torn; the file is mended afterwards.
    private bool Refresh(Operation operation, Change.Store store, Draft draft, in StoredRow known, ModSeq modSeq)
    {
        using MessageBytes bytes = new(account.ContentOf(operation), store);
        MessageFacts facts = MessageFacts.OfAny(bytes.Whole, options.Mime, log);
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

    private bool Expunge(Operation operation, Change.Expunge gone, Draft draft, ModSeq modSeq)
    {
        if (draft.Find(gone.Mailbox) is not { } box) return false;
        if (account.IsReplaying) _files.BringBack(box.Name, gone.Mailbox, box.Box.Validity);
        PlaceWaiting(box, [.. gone.Messages.Select(message => message.Uid)], draft);
        bool changed = false;
        foreach ((Uid uid, string baseName) in gone.Messages)
        {
            Places.AwaitNoMore(gone.Mailbox, uid);
            if (!catalogue.TryGetMessage(box.Box.Id, uid, out StoredRow row))
            {
                changed |= Places.CopyRemoved(baseName, draft, modSeq);
                continue;
            }

            string path = "";
            if (catalogue.TryGetFile(box.Box.Id, uid, out FileRow file))
            {
                path = tree.ExpungedName(operation.Time, gone.Mailbox, uid, baseName, SuffixOf(box, row.Row, file));
                TakeAway(box.Name, file, path);
            }

            box.Gone.Add((uid, new(row.Content, path, catalogue.Contents.Of(row.Content).Octets, row.Row.Size)));
            _rows.Remove(box, row, modSeq);
            catalogue.Contents.Remove(row.Content);
            changed = true;
        }

        return changed;
    }

    // Its flags go with it, so that they come back with it.
    private string SuffixOf(BoxDraft box, in MessageRow row, FileRow file) =>
        MaildirName.SuffixOf(_files.WantedName(box.Box.Id, box.Name, row with { Flags = row.Flags & ~SystemFlags.Deleted }, file.Base, file.DiskName));

    private void TakeAway(MailboxName box, FileRow file, string target)
    {
        if (account.Behind.IsOn && !account.IsReplaying) account.Behind.Follow(() => _files.Discard(box, file, target));
        else _files.Discard(box, file, target);
    }

    private bool Flag(Change.Flag flag, Draft draft, ModSeq modSeq)
    {
        if (draft.Find(flag.Mailbox) is not { } box) return false;
        (Uid First, Uid Last)? dirty = null;
        foreach (Uid uid in flag.Uids)
        {
            if (!catalogue.TryGetMessage(box.Box.Id, uid, out StoredRow stored)) continue;
            MessageRow row = Flags.Apply(stored.Row, flag.What);
            if (row.Flags == stored.Row.Flags && row.Keywords.Equals(stored.Row.Keywords)) continue;
            row = row with { ModSeq = modSeq };
            catalogue.PutFlags(box.Box.Id, stored with { Row = row });
            box.Counts = box.Counts.With(stored.Row, -1).With(row, 1);
            box.Upserts[uid] = row;
            if (dirty is { } run && run.Last.Value + 1 == uid.Value) dirty = (run.First, uid);
            else
            {
                if (dirty is { } ended) catalogue.MarkDirty(box.Box.Id, ended.First, ended.Last);
                dirty = (uid, uid);
            }
        }

        if (dirty is not { } last) return false;
        catalogue.MarkDirty(box.Box.Id, last.First, last.Last);
        box.Highest = modSeq;
        account.NamesAreDirty();
        return true;
    }

    private bool Create(Operation operation, int index, Change.Create made, Draft draft, ModSeq modSeq)
    {
        draft.Validity = Math.Max(draft.Validity, made.Validity.Value);
        if (draft.Find(made.Mailbox) is { } known)
        {
            if (known.Name == _replayed.NameOf(made.Mailbox)) return GiveName(known, made.Name, draft);
            _files.BringBack(known.Name, made.Mailbox, made.Validity);
            return false;
        }

        if (!IsFree(made.Name, draft))
        {
            operation.Skip(index, -1);
            return false;
        }

        Box box = account.Emerging(made.Mailbox) ?? new(made.Mailbox, made.Use, made.Validity);
        box.Id = account.Mailboxes.NextId();
        box.Name = made.Name;
        BoxDraft added = draft.Add(box);
        added.Highest = modSeq;
        box.Load(MailboxVersion.Load([], made.Validity, new(1), modSeq, KeywordSet.Empty));
        catalogue.PutMailbox(added.ToRow());
        if (account.IsReplaying) _files.BringBack(made.Name, made.Mailbox, made.Validity);
        else if (_files.IsLeft(made.Name)) throw new VolumeException(VolumeError.Exists, "mkdir", tree.FolderPath(made.Name), "the folder of a mailbox that had this name stands there"); // planned before that was known
        _files.MakeFolder(made.Name, made.Mailbox, made.Validity);
        return true;
    }

    private bool Delete(Operation operation, int index, Change.Delete gone, Draft draft)
    {
        _replayed.Deleted(gone.Mailbox);
        if (draft.Find(gone.Mailbox) is not { } box)
        {
            operation.Skip(index, -1);
            return false;
        }

        BringOver(draft, box);
        PlaceWaiting(box, null, draft);
        _files.DiscardFolder(box.Name, gone.Mailbox, operation, MayRefuse); // the mailbox is gone all the same, and its name is free when the folder is
        catalogue.RemoveMailbox(box.Box.Id);
        box.IsDeleted = true;
        return true;
    }

    // A folder that the disk does not let go must not keep what comes behind its record waiting; a record that undoes this one follows. On replay that stands
    // there already, and a disk that is broken or full as a whole tells nothing of what it did before: then the account waits for its disk.
    private bool MayRefuse(VolumeException problem) => !account.IsReplaying || problem.IsLasting;

    private bool Rename(Operation operation, int index, Change.Rename renamed, Draft draft)
    {
        if (operation.Refusal is not null)
        {
            operation.Skip(index, -1);
            return false;
        }

        if (_replayed.Find(operation, renamed.Mailbox, draft) is not { } box || box.Name != renamed.Target && (!IsFree(renamed.Target, draft) || !account.IsReplaying && box.Name != renamed.From))
        {
            operation.Skip(index, -1);
            return false;
        }

        try
        {
            BringOver(draft, box);
            if (account.IsReplaying && box.Name != renamed.Target) _files.BringBack(box.Name, renamed.Mailbox, box.Box.Validity);
            return GiveName(box, renamed.Target, draft);
        }
        catch (VolumeException problem) when (MayRefuse(problem))
        {
            log.FolderStays(problem, account.Who.Address, box.Name.Value);
            operation.Refuse(index, problem.Error == VolumeError.Exists ? FolderThere : FileKeeper.Stays);
            GiveBackNames(operation, index, draft);
            return false;
        }
    }

    // A mailbox is renamed with all that are below it, or not at all.
    private void GiveBackNames(Operation operation, int index, Draft draft)
    {
        for (int i = index - 1; i >= 0; i--)
        {
            if (operation.Changes[i] is not Change.Rename done || operation.WasSkipped(i, -1) || draft.Find(done.Mailbox) is not { } box || box.Name != done.Target) continue;
            try
            {
                GiveName(box, done.From, draft);
            }
            catch (VolumeException problem)
            {
                log.FolderStays(problem, account.Who.Address, box.Name.Value);
            }
        }
    }

    private bool GiveName(BoxDraft box, MailboxName name, Draft draft)
    {
        if (box.Name != name && !IsFree(name, draft)) return false;
        _files.RenameFolder(box.Name, name, box.Box.Mailbox);
        if (box.Name == name) return false;
        box.Name = name;
        catalogue.PutMailbox(box.ToRow()); // now: the next change may want the name that is free
        return true;
    }

    // On replay a rebuilt catalogue may know a name from the disk that only a later record gives: whose it is steps aside until that comes.
    private bool IsFree(MailboxName name, Draft draft)
    {
        if (draft.FindName(name.Value) is not { } holder) return true;
        if (!account.IsReplaying || name.IsInbox || _replayed.NameOf(holder.Box.Mailbox) is not { } aside || holder.Name == aside) return false;
        _files.BringBack(holder.Name, holder.Box.Mailbox, holder.Box.Validity);
        return GiveName(holder, aside, draft);
    }


    // Before a folder goes or gets another name: what lies in it and belongs to another mailbox leaves it.
    private void BringOver(Draft draft, BoxDraft leaving)
    {
        List<(long, Uid, string)> away = catalogue.Elsewhere();
        if (away.Count > 0 && account.IsReplaying) _files.BringBack(leaving.Name, leaving.Box.Mailbox, leaving.Box.Validity);
        foreach ((long mailbox, Uid uid, string path) in away)
        {
            if (NameOf(mailbox, draft) is not { } target || !catalogue.TryGetFile(mailbox, uid, out FileRow file) || !tree.Exists(tree.Root + path)) continue;
            string disk = "cur/" + path[(path.LastIndexOf('/') + 1)..];
            disk = "cur/" + file.Base + disk[(disk.IndexOf(':', StringComparison.Ordinal) is var colon and >= 0 ? colon : disk.Length)..];
            _files.Move(tree.Root + path, tree.PathOf(target, disk));
            catalogue.PutFile(mailbox, uid, disk, file.Base, dirty: true);
        }
    }

    // Copies that a disk refused have no file yet: they get it before that of their source goes. When the disk still refuses, the source stays until it does not.
    private void PlaceWaiting(BoxDraft leaving, HashSet<Uid>? uids, Draft draft)
    {
        foreach ((long mailbox, Uid uid) in catalogue.Unplaced())
        {
            if (mailbox == leaving.Box.Id && uids?.Contains(uid) != false) continue; // it goes itself
            if (!catalogue.TryGetMessage(mailbox, uid, out StoredRow row) || !catalogue.TryGetFile(mailbox, uid, out FileRow file)) continue;
            if (!catalogue.Contents.CopiesOf(row.Content).Any(copy => copy.Mailbox == leaving.Box.Id && uids?.Contains(copy.Uid) != false)) continue;
            if (NameOf(mailbox, draft) is not { } name || account.Delayed.IsWaiting(catalogue.Contents.Of(row.Content)) || _files.LocateCopy(row.Content) is not { } source) continue;
            string disk = _files.WantedName(mailbox, name, row.Row, file.Base, "");
            if (tree.Exists(tree.PathOf(name, disk))) tree.Volume.Unlink(tree.PathOf(name, disk)); // the beginning of an earlier attempt
            _files.LinkOrCopy(source, tree.PathOf(name, disk));
            account.Delayed.Keep(tree.PathOf(name, disk));
            catalogue.PutFile(mailbox, uid, disk, file.Base, dirty: false);
        }
    }

    private MailboxName? NameOf(long mailbox, Draft draft) =>
        draft.Boxes.FirstOrDefault(box => box.Box.Id == mailbox) is { } box ? box.IsDeleted ? null : box.Name : account.PublishedById(mailbox)?.Name;

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
            box.Highest = modSeq; // RFC 7162 section 3.2
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
        HashSet<string> taken = catalogue.BasesAmong(box.Box.Id, [.. adopt.Files.Select(file => MaildirName.BaseOf(file.DiskName))]);
        foreach (Adopted file in adopt.Files)
        {
            if (file.Uid >= box.UidNext) box.UidNext = new(file.Uid.Value + 1); // even if its file is gone again: the number was given away
            if (catalogue.TryGetMessage(box.Box.Id, file.Uid, out _)) continue;
            string baseName = MaildirName.BaseOf(file.DiskName);
            if (!taken.Add(baseName)) continue; // a message has it: two that share a file would go together
            string? disk = tree.Exists(tree.PathOf(box.Name, file.DiskName)) ? file.DiskName : tree.Find(tree.FolderPath(box.Name), baseName);
            if (disk is null) continue; // It went again before it was taken in.
            if (_files.Read(tree.PathOf(box.Name, disk)) is not { } bytes) continue;
            MessageFacts facts = MessageFacts.OfAny(bytes, options.Mime, log);
            long content = catalogue.Contents.Add(file.Email, catalogue.Contents.ThreadOf(facts.Sort, file.Email), 0, 0, bytes.Length, facts);
            _rows.Add(box, new(new(file.Uid, facts.WireLength, file.Internal, modSeq, file.Flags, file.Keywords, 0), content, operation.Time), disk, baseName);
            changed = true;
        }

        return changed;
    }
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
