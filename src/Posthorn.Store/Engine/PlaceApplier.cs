using System.Globalization;
using Microsoft.Extensions.Logging;
using Posthorn.Core;
using Posthorn.Store.Catalogue;
using Posthorn.Store.Changes;
using Posthorn.Store.Maildir;

namespace Posthorn.Store.Engine;

/// <summary>Makes copies and moves come true, in the running server and on replay alike.</summary>
/// <remarks>As <see cref="ChangeApplier"/>, of which it is a part.</remarks>
internal sealed class PlaceApplier(Account account, AccountCatalogue catalogue, MaildirTree tree, MaildirStoreOptions options, MessageRows rows, ReplayedMailboxes replayed, ILogger log)
{
    private readonly FileKeeper _files = account.Files;

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

    internal bool Place(Operation operation, int index, Change.Place place, Draft draft, ModSeq modSeq)
    {
        if (replayed.Find(operation, place.Source, draft) is not { } source || replayed.Find(operation, place.Target, draft) is not { } target)
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
            // Outside replay a number above all earlier ones cannot be there.
            bool fresh = !account.IsReplaying && pair.Target >= target.UidNext;
            if (pair.Target >= target.UidNext) target.UidNext = new(pair.Target.Value + 1); // even if nothing comes of it: the number was given away
            StoredRow old = default;
            bool there = !fresh && catalogue.TryGetMessage(target.Box.Id, pair.Target, out old);
            bool known = catalogue.TryGetMessage(source.Box.Id, pair.Source, out StoredRow from);
            if (!known && !there)
            {
                if (account.IsReplaying && Recover(operation, place.Move, pair, () => _files.Locate(source.Name, new(pair.Source, "", pair.SourceBase, false)), target, modSeq))
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
                if (!made && account.IsReplaying) MakeLost(from.Content, target.Name, new(pair.Target, "", baseName, false), content.Octets);
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
                rows.Add(target, new(row, from.Content, operation.Time), where, baseName);
                changed = true;
            }

            if (!place.Move || !known) continue;
            source.Gone.Add((pair.Source, new(from.Content, "", 0, from.Row.Size)));
            rows.Remove(source, from, modSeq);
            changed = true;
        }

        return changed;
    }

    // The crash undid copies on disk, but not that their source was moved on and then removed: what lies out of sight has their bytes.
    private void MakeLost(long content, MailboxName box, FileRow moved, long octets)
    {
        if (tree.FindExpunged(moved.Base) is not { } away || !tree.Volume.TryStat(away, out Journal.Volume.VolumeStat stat) || stat.Length != octets) return;
        FileRow source = moved with { DiskName = away[tree.Root.Length..] };
        foreach ((long mailbox, Uid uid) in catalogue.Contents.CopiesOf(content).ToArray())
        {
            if (account.PublishedById(mailbox) is not { } holder || !catalogue.TryGetFile(mailbox, uid, out FileRow file) || file.DiskName.Length > 0 || !catalogue.TryGetMessage(mailbox, uid, out StoredRow row)) continue;
            _files.BringBack(holder.Name, holder.Mailbox, holder.Validity);
            string wanted = _files.WantedName(mailbox, holder.Name, row.Row, file.Base, "");
            if (_files.TryPlace(box, source, tree.PathOf(holder.Name, wanted), move: false, must: false)) catalogue.PutFile(mailbox, uid, wanted, file.Base, dirty: false);
        }
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

    /// <summary>As for copies that wait for their source to be found where it was moved to, when it was removed there: what lies out of sight has the bytes.</summary>
    internal bool CopyRemoved(string baseName, Draft draft, ModSeq modSeq)
    {
        bool changed = false;
        foreach (Awaiting one in _awaiting.Where(one => one.IsOf(baseName)).ToArray())
        {
            if (draft.Find(one.Target) is not { } target) continue;
            _files.BringBack(target.Name, one.Target, target.Box.Validity);
            if (!Recover(one.Operation, move: false, one.Pair, () => tree.FindExpunged(baseName), target, modSeq)) continue;
            _awaiting.Remove(one);
            changed = true;
        }

        return changed;
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
    internal void AwaitNoMore(MailboxId mailbox, Uid copy) => _awaiting.RemoveAll(one => one.Target == mailbox && one.Pair.Target == copy);

    // The catalogue was rebuilt, and the file had its new name already, or none that a list knows: what lies on disk is the message.
    private bool Recover(Operation operation, bool move, Pair pair, Func<string?> locate, BoxDraft target, ModSeq modSeq)
    {
        string folder = tree.FolderPath(target.Name);
        string? disk = tree.FindOwn(folder, operation.Lsn.Value, pair.Index);
        string? path = disk is not null ? $"{folder}/{disk}" : locate();
        if (path is null || _files.Read(path) is not { } bytes || !tree.Volume.TryStat(path, out Journal.Volume.VolumeStat stat)) return false;
        MessageFacts facts = MessageFacts.OfAny(bytes, options.Mime, log);
        string baseName = disk is null ? CopyName(operation, pair.Index, bytes.Length, facts.WireLength) : MaildirName.BaseOf(disk);
        SystemFlags flags = MaildirName.FlagsOf(MaildirName.LettersOf(path));
        if (disk is null)
        {
            disk = MaildirName.Format(baseName, flags == SystemFlags.None, flags, "", default);
            if (move && !path.StartsWith(tree.ExpungedPath, StringComparison.Ordinal)) _files.Move(path, $"{folder}/{disk}");
            else _files.LinkOrCopy(path, $"{folder}/{disk}");
        }

        KeywordSet keywords = KeywordFile.KeywordsOf(MaildirName.LettersOf(disk), catalogue.Letters(target.Box.Id));
        EmailId email = account.Orphans.TryGetValue(pair.SourceBase, out string? guid) ? new(guid) : options.Ids.Email();
        account.Orphans[baseName] = email.Value;
        (long record, int part) = OwnName.Parse(pair.SourceBase) ?? default;
        long content = catalogue.Contents.With(email) ?? catalogue.Contents.Add(email, catalogue.Contents.ThreadOf(facts.Sort, email), record, part, bytes.Length, facts);
        MessageRow row = new(pair.Target, facts.WireLength, stat.Modified.ToUnixTimeSeconds(), modSeq, flags, keywords, 0);
        rows.Add(target, new(row, content, operation.Time), disk, baseName);
        return true;
    }

    private string CopyName(Operation operation, int index, long octets, long wire) =>
        string.Create(CultureInfo.InvariantCulture, $"{operation.Time / 1000}.J{operation.Lsn.Value:x}_{index:x}.{account.HostName},S={octets},W={wire}");
}
