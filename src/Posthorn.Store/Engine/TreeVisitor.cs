using Microsoft.Extensions.Logging;
using Posthorn.Core;
using Posthorn.Journal.Volume;
using Posthorn.Store.Catalogue;
using Posthorn.Store.Changes;
using Posthorn.Store.Dovecot;
using Posthorn.Store.Maildir;
using Posthorn.Store.Sharing;

namespace Posthorn.Store.Engine;

/// <summary>Finds what another server (Dovecot) did with an account's tree since we wrote it last, before anybody here sees the account.</summary>
/// <remarks>
/// A <c>dovecot-uidlist</c> or an index log that is not as we left it says that it was there. Its UIDs are taken where we gave none; where numbers meet that mean different
/// messages the mailbox gets a UIDVALIDITY above both. Its MODSEQs and next UID are passed over, since its clients may have heard them. Flags and removals are found by
/// <see cref="FolderScanner"/>, which looks at the names of the files.
/// </remarks>
internal sealed class TreeVisitor(Recorder recorder, MaildirStoreOptions options, ILogger log)
{
    /// <summary>What stands before one visit: the account's mailboxes, how their files were, and what there is now.</summary>
    private sealed record Scene(Account Account, Dictionary<long, (string List, string Handed)> Marks);

    /// <summary>Looks once for each opening of the account. What the disk refuses is tried again at the next.</summary>
    internal async ValueTask VisitAsync(Account account, CancellationToken cancel)
    {
        if (account.IsTreeKnown) return;
        await account.VisitTurn.WaitAsync(cancel);
        try
        {
            if (account.IsTreeKnown || !account.Tree.Exists(account.Tree.OwnPath)) return;
            Scene scene = new(account, account.Read(catalogue => catalogue.Lists.Marks()));
            // After a crash a directory may be one that was to go, or to be called otherwise: it says nothing of another server.
            if (account.EndedInOrder) await FoldersAsync(scene);
            foreach (Box box in account.Mailboxes.All()) await MailboxAsync(scene, box);
            if (account.EndedInOrder) await SubscriptionsAsync(account);
            account.IsTreeKnown = true;
        }
        catch (VolumeException problem)
        {
            log.FileDelayed(problem, account.Who.Address);
        }
        catch (IOException problem) when (problem is not MailUnavailableException { MustReconnect: true })
        {
            log.TidyFailed(problem, account.Who.Address); // a full journal must not keep anybody from reading
        }
        finally
        {
            account.VisitTurn.Release();
        }
    }

    // ---- Folders ----

    private async ValueTask FoldersAsync(Scene scene)
    {
        Account account = scene.Account;
        Dictionary<MailboxName, Box> boxes = account.Mailboxes.All().ToDictionary(box => box.Name);
        List<(MailboxName Name, string Path)> folders = ForeignFolders.In(account.Tree, log, account.Who.Address);
        HashSet<MailboxName> there = [MailboxName.Inbox, .. folders.Select(folder => folder.Name)];
        Dictionary<string, Box> missing = boxes.Values.Where(box => !there.Contains(box.Name) && !account.Tree.Exists(account.Tree.FolderPath(box.Name))).ToDictionary(box => box.Mailbox.Value);
        foreach ((MailboxName name, string path) in folders)
        {
            if (boxes.ContainsKey(name) || account.Delayed.IsDiscarded(path)) continue;
            UidList? list = account.Tree.ReadText($"{path}/{UidList.FileName}") is { } text ? UidList.Parse(text) : null;
            if (list?.UidNext.Value > UidList.MostNext) list = list.Renumbered();
            if (list?.Guid is { } guid && missing.Remove(guid, out Box? moved)) await RunAsync(account, [new Change.Rename(moved.Mailbox, moved.Name, name)], "renamed to", name.Value);
            else if (!account.EndedInOrder && list?.Guid is { } known && account.Published(new(known)) is not null)
            {
                // Ours: the crash undid a renaming on disk alone, and its replay made the folder once more. Its mail lies in the other one.
                account.Tree.Volume.Rename(path, account.Tree.DisplacedName(options.Ids.Text()));
            }
            else await NewFolderAsync(account, name, path, list);
        }

        if (missing.Count == 0 || account.Tree.ReadBytes($"{account.Tree.Root}/{MailboxLog.FileName}") is not { } bytes) return;
        HashSet<string> deleted = MailboxLog.Deleted(bytes);
        // Without such a witness a directory that is not there may be a volume that is not mounted.
        foreach (Box box in missing.Values.Where(box => deleted.Contains(box.Mailbox.Value)))
            await RunAsync(account, [new Change.Delete(box.Mailbox, box.Name)], "removed", box.Name.Value);
    }

    private async ValueTask NewFolderAsync(Account account, MailboxName name, string path, UidList? list)
    {
        MailboxId mailbox = list?.Guid is { } guid && account.Published(new(guid)) is null ? new(guid) : options.Ids.Mailbox();
        Dictionary<string, string> files = account.Tree.FilesOf(path);
        List<(UidListEntry Entry, string Disk)> arrived = [];
        foreach (UidListEntry entry in list?.Entries ?? [])
            if (files.TryGetValue(entry.Base, out string? disk)) arrived.Add((entry, disk));
        FolderIndex? index = FolderIndex.Read(account.Tree, path, options.DovecotIndex);
        IndexState? state = index is { IsWhole: true } && list is { IsRenumbered: false } && index.State!.IsOf(list.Validity) && index.State.NextUid <= UidList.MostNext ? index.State : null;
        List<Adopted> adopted = Adopt(account.Tree, path, arrived, state);
        Uid next = new(Math.Max(list?.UidNext.Value ?? 1, state?.NextUid ?? 1));
        string? rights = account.Tree.ReadText($"{path}/{AclFile.FileName}");
        Operation operation;
        lock (account.Gate)
        {
            if (account.Pending(name.Value) is not null) return;
            List<Change> changes = [new Change.Create(mailbox, name, SpecialUse.None, list is { IsRenumbered: false } ? list.Validity : account.NextValidity())];
            if (adopted.Count > 0) changes.Add(new Change.Adopt(mailbox, adopted));
            changes.Add(new Change.Heard(mailbox, next, new((long)(index?.State?.Highest ?? 0)), Kept(arrived)));
            if (rights is not null) changes.AddRange(Rights(mailbox, AclFile.Parse(rights, account.Who.Address).Entries));
            operation = recorder.Append(account, changes, null, 0, 0);
            account.Pending(name.Value)!.NextUid = next.Value;
        }

        await account.CompleteAsync(operation);
        log.FolderVisited(account.Who.Address, "made", name.Value);
        if (account.Published(mailbox) is { } box) account.Read(catalogue => SetMark(account, catalogue, box));
    }

    private async ValueTask RunAsync(Account account, IReadOnlyList<Change> changes, string what, string mailbox)
    {
        Operation operation;
        lock (account.Gate) operation = recorder.Append(account, changes, null, 0, 0);
        await account.CompleteAsync(operation);
        log.FolderVisited(account.Who.Address, what, mailbox);
    }

    // A file that is gone says that the mailbox is its owner's alone again.
    private async ValueTask RightsAsync(Account account, Box box, string folder)
    {
        MailboxAcl theirs = AclFile.Parse(account.Tree.ReadText($"{folder}/{AclFile.FileName}") ?? "", account.Who.Address);
        List<Change> changes = [.. box.Acl.Entries.Where(entry => theirs.Find(entry.Identifier) is null).Select(entry => new Change.Share(box.Mailbox, entry.Identifier, null)), .. Rights(box.Mailbox, theirs.Entries.Except(box.Acl.Entries))];
        if (changes.Count > 0) await RunAsync(account, changes, "changed the rights of", box.Name.Value);
    }

    private static IEnumerable<Change> Rights(MailboxId mailbox, IEnumerable<AclEntry> entries) => entries.Select(entry => new Change.Share(mailbox, entry.Identifier, entry.Rights));

    private async ValueTask SubscriptionsAsync(Account account)
    {
        if (account.Tree.ReadText($"{account.Tree.Root}/{SubscriptionFile.FileName}") is not { } text) return;
        HashSet<string> theirs = [.. SubscriptionFile.Parse(text, account.Tree.Names)], ours = [.. account.Mailboxes.Subscriptions()];
        List<Change> changes = [];
        foreach (string name in theirs.Except(ours).Concat(ours.Except(theirs)))
            if (MailboxName.TryCreate(name, account.Tree.Names.Separator, out MailboxName mailbox)) changes.Add(new Change.Subscribe(mailbox, theirs.Contains(name)));
        if (changes.Count > 0) await RunAsync(account, changes, "changed subscriptions, such as that of", ((Change.Subscribe)changes[0]).Name.Value);
    }

    // ---- Messages ----

    private async ValueTask MailboxAsync(Scene scene, Box box)
    {
        Account account = scene.Account;
        string folder = account.Tree.FolderPath(box.Name);
        FolderMark now = FolderMark.Of(account.Tree, folder);
        (string text, string handed) = scene.Marks.GetValueOrDefault(box.Id, ("", ""));
        FolderMark before = FolderMark.Parse(text);
        if (now == before)
        {
            if (account.EndedInOrder) box.ListStale = false;
            return;
        }

        // Not after a crash: a file that it undid would give rights back that were taken from somebody.
        if (account.EndedInOrder && before.Acl is not null && now.Acl != before.Acl) await RightsAsync(account, box, folder);
        if (now.Keywords != before.Keywords) account.Read(catalogue => TakeLetters(account, catalogue, box, folder));
        ListComparison list = now.List == before.List ? ListComparison.Same : account.Read(catalogue => ListComparison.Of(account.Tree, catalogue, box, account.EndedInOrder || now.Log != before.Log));
        FolderIndex? index = now.Log == before.Log ? null : FolderIndex.Read(account.Tree, folder, options.DovecotIndex);
        foreach (string problem in index?.Problems ?? []) log.IndexLeftAside(account.Who.Address, folder, problem);
        IndexState? state = index is { IsWhole: true } && index.State!.IsOf(list.Validity ?? box.Validity) ? index.State : null;
        if (state?.NextUid > UidList.MostNext) (list, state) = (ListComparison.Exhausted, null);
        List<Operation> operations = [];
        List<Change> changes = Plan(account, box, folder, list, index, state);
        if (changes.Count > 0)
            lock (account.Gate)
            {
                if (account.Pending(box.Name.Value) != box) return;
                operations.Add(recorder.Append(account, changes, null, 0, 0));
                Box pending = account.Pending(box.Name.Value)!;
                pending.NextUid = Math.Max(pending.NextUid, changes.OfType<Change.Heard>().Max(heard => heard.UidNext.Value));
            }

        if (state is not null && changes.OfType<Change.Renumber>().FirstOrDefault() is null) operations.AddRange(KeywordChanges(account, box, state, handed));
        foreach (Operation operation in operations) await account.CompleteAsync(operation);
        if (account.Published(box.Mailbox) is { } after) account.Read(catalogue => SetMark(account, catalogue, after));
    }

    private List<Change> Plan(Account account, Box box, string folder, ListComparison list, FolderIndex? index, IndexState? state)
    {
        long highest = (long)Math.Min(index?.State?.Highest ?? 0, long.MaxValue / 2);
        // An index that cannot be read was somewhere: further than any client can have come.
        if (index is { IsWhole: false }) highest = Math.Max(highest, account.ModSeq) + AccountOpener.Leap;
        uint next = Math.Max(list.Next.Value, state?.NextUid ?? 1);
        if (!list.IsForeign(box) && highest <= box.Highest.Value && next <= box.NextUid) return [];
        List<Change> changes = [];
        Dictionary<Uid, Uid>? renumbered = null;
        if (list.Clash || list.Validity is not null)
        {
            Change.Renumber renumber = RenumberingOf(account, box, list, next);
            renumbered = renumber.Uids.ToDictionary(pair => pair.From, pair => pair.To);
            changes.Add(renumber);
            next = renumber.UidNext.Value;
            log.Renumbered(account.Who.Address, box.Name.Value, renumber.Validity.Value);
        }

        HashSet<Uid> used = [.. renumbered?.Values ?? Enumerable.Empty<Uid>()];
        List<(UidListEntry Entry, string Disk)> arrived = [];
        foreach ((UidListEntry entry, string disk) in list.Arrived) arrived.Add((used.Add(entry.Uid) ? entry : entry with { Uid = new(next++) }, disk));
        arrived.Sort((one, other) => one.Entry.Uid.CompareTo(other.Entry.Uid));
        if (arrived.Count > 0) changes.Add(new Change.Adopt(box.Mailbox, Adopt(account.Tree, folder, arrived, state)));
        changes.Add(new Change.Heard(box.Mailbox, new(next), new(highest), Kept(arrived)));
        log.ServerVisited(account.Who.Address, box.Name.Value, next - 1, highest, arrived.Count);
        return changes;
    }

    // Under their own newer UIDVALIDITY their UIDs hold; after a clash ours do, and theirs where they are free.
    private static Change.Renumber RenumberingOf(Account account, Box box, ListComparison list, uint next)
    {
        Dictionary<string, Uid> theirs = new(StringComparer.Ordinal);
        if (list.Validity is not null && account.Tree.ReadText($"{account.Tree.FolderPath(box.Name)}/{UidList.FileName}") is { } text && UidList.Parse(text) is { } whole)
            foreach (UidListEntry entry in whole.Entries) theirs[entry.Base] = entry.Uid;
        List<FileRow> files = account.Read(catalogue => catalogue.Files(box.Id));
        List<(Uid From, Uid To)> uids = [];
        next = Math.Max(next, list.Validity is null ? box.NextUid : 1);
        foreach (FileRow file in files)
        {
            if (list.Validity is null) uids.Add((file.Uid, file.Uid));
            else uids.Add((file.Uid, theirs.TryGetValue(file.Base, out Uid uid) ? uid : new(next++)));
        }

        lock (account.Gate) return new(box.Mailbox, box.Name, list.Validity ?? account.NextValidity(), new(next), uids);
    }

    private static List<Adopted> Adopt(MaildirTree tree, string folder, List<(UidListEntry Entry, string Disk)> arrived, IndexState? state)
    {
        SortedDictionary<int, string> letters = KeywordFile.Read(tree, folder);
        List<Adopted> adopted = [];
        foreach ((UidListEntry entry, string disk) in arrived)
        {
            if (!tree.Volume.TryStat($"{folder}/{disk}", out VolumeStat stat)) continue;
            ReadOnlySpan<char> name = MaildirName.LettersOf(disk);
            KeywordSet keywords = KeywordFile.KeywordsOf(name, letters);
            if (state?.Find(entry.Uid.Value) is { } message) keywords = keywords.Union(state.IndexOnly(message, letters));
            adopted.Add(new(disk, entry.Uid, entry.EmailId, MaildirName.FlagsOf(name), keywords, stat.Modified.ToUnixTimeSeconds()));
        }

        return adopted;
    }

    private static List<(Uid, string)> Kept(List<(UidListEntry Entry, string Disk)> arrived) =>
        [.. arrived.Where(one => one.Entry.Kept.Length > 0).Select(one => (one.Entry.Uid, one.Entry.Kept))];

    // Keywords that have no letter. What is missing in the index was removed there only if the index was made from all that we knew.
    private List<Operation> KeywordChanges(Account account, Box box, IndexState state, string handed)
    {
        SortedDictionary<int, string> letters = KeywordFile.Read(account.Tree, account.Tree.FolderPath(box.Name));
        bool complete = handed == HandedOver(state.Id, box.Highest);
        List<(FlagChange Change, Uid Uid)> found = [];
        foreach (StoredRow stored in account.Read(catalogue => (List<StoredRow>)[.. catalogue.Messages(box.Id)]))
        {
            if (state.Find(stored.Row.Uid.Value) is not { } message) continue;
            KeywordSet theirs = state.IndexOnly(message, letters);
            KeywordSet ours = KeywordSet.Of(stored.Row.Keywords.Where(keyword => !letters.Any(pair => pair.Key < IndexState.Letters && string.Equals(pair.Value, keyword.Name, StringComparison.OrdinalIgnoreCase))));
            if (theirs.Except(ours) is { Count: > 0 } more) found.Add((new(FlagOperation.Add, SystemFlags.None, more), stored.Row.Uid));
            if (complete && ours.Except(theirs) is { Count: > 0 } fewer) found.Add((new(FlagOperation.Remove, SystemFlags.None, fewer), stored.Row.Uid));
        }

        List<Operation> operations = [];
        lock (account.Gate)
            foreach (IGrouping<FlagChange, (FlagChange Change, Uid Uid)> group in found.GroupBy(one => one.Change))
                operations.Add(recorder.AppendRelaxed(account, [new Change.Flag(box.Mailbox, group.Key, [.. group.Select(one => one.Uid)])]));
        return operations;
    }

    /// <summary>What is kept of an index that was made for Dovecot: its id, and the MODSEQ of the mailbox that it tells whole.</summary>
    internal static string HandedOver(uint index, ModSeq highest) => string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{index} {highest.Value}");

    private static bool TakeLetters(Account account, AccountCatalogue catalogue, Box box, string folder)
    {
        SortedDictionary<int, string> known = catalogue.Letters(box.Id);
        foreach ((int number, string name) in KeywordFile.Read(account.Tree, folder))
            if (known.GetValueOrDefault(number) != name) catalogue.PutLetter(box.Id, number, name);
        account.Files.Forget();
        return true;
    }

    private static bool SetMark(Account account, AccountCatalogue catalogue, Box box)
    {
        catalogue.Lists.PutMark(box.Id, FolderMark.Of(account.Tree, account.Tree.FolderPath(box.Name)).ToString());
        return true;
    }
}
