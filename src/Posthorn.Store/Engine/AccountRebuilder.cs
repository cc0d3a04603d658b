using System.Globalization;
using Microsoft.Extensions.Logging;
using Posthorn.Core;
using Posthorn.Journal.Volume;
using Posthorn.Store.Catalogue;
using Posthorn.Store.Dovecot;
using Posthorn.Store.Maildir;

namespace Posthorn.Store.Engine;

/// <summary>Makes a catalogue from what lies in a Maildir: our own tree after the loss of its catalogue, or a tree of Dovecot's.</summary>
/// <remarks>
/// Sources: each folder's <c>dovecot-uidlist</c> (UIDVALIDITY, next UID, UIDs, GUIDs, POP3 UIDLs; the mailbox's own GUID is its MAILBOXID), the files' names and times,
/// <c>dovecot-keywords</c>, Dovecot's index (MODSEQ, next UID, keywords without a letter), <c>subscriptions</c>, and the account's file.
/// What the journal holds above the last checkpoint is replayed on top. Files that no list names get their UIDs afterwards, from the look at the folder.
/// A tree of Dovecot's whose index is whole keeps its MODSEQs: the highest of each folder becomes its floor, and what the index does not know of stands one above.
/// </remarks>
internal sealed class AccountRebuilder(AccountCatalogue catalogue, MaildirTree tree, MaildirStoreOptions options, TimeProvider time, ILogger log, EmailAddress who)
{
    private readonly Dictionary<string, long> _contents = new(StringComparer.Ordinal);
    private long _lastBox;

    /// <summary>The EMAILIDs of messages that lists name and whose files were not there.</summary>
    internal Dictionary<string, string> Orphans { get; } = [];

    /// <summary>Mailboxes whose folders are there without a list: what lies in them is their mail, whoever brought it.</summary>
    internal HashSet<MailboxId> Unlisted { get; } = [];

    internal sealed record Found(MailboxName Name, string Folder, UidList? List, FolderIndex? Index)
    {
        /// <summary>The index, when it is of these UIDs.</summary>
        internal IndexState? State { get; } = Index is { State: { } state } && (List is null || state.IsOf(List.Validity)) ? state : null;

        /// <summary>Whether the index is all that Dovecot's clients knew of the folder.</summary>
        internal bool IsExact => Index is { IsWhole: true } && State is not null && List is not null;

        internal long Highest => (long)Math.Min(Index?.State?.Highest ?? 0, long.MaxValue / 2);
    }

    /// <summary>Whether there is anything to make a catalogue of.</summary>
    internal static bool HasMail(MaildirTree tree) => tree.IsFolder(tree.Root) || tree.Exists($"{tree.OwnPath}/{AccountFile.FileName}") || tree.Directories().Any();

    /// <summary>Mailboxes whose folders lack directories, so that nothing could be written there.</summary>
    internal IEnumerable<MailboxId> Incomplete() => catalogue.Mailboxes()
        .Where(row => MailboxName.TryCreate(row.Name, tree.Names.Separator, out MailboxName name) && tree.Names.TryDirectory(name, out string directory) && !(tree.Exists($"{tree.Root}/{directory}/cur") && tree.Exists($"{tree.Root}/{directory}/new")))
        .Select(row => row.Object);

    internal void Run(long leapt, string marker, bool ours)
    {
        AccountFile? account = tree.ReadText($"{tree.OwnPath}/{AccountFile.FileName}") is { } text ? AccountFile.Parse(text, tree.Names.Separator) : null;
        List<Found> folders = ours ? [.. Folders().GroupBy(found => found.List?.Guid ?? "/" + found.Folder, StringComparer.Ordinal).Select(twins => new TwinFolders(tree, options.Ids).Join([.. twins]))] : Folders();
        uint validity = HighestValidity(account, folders);
        // Above all that any client may have heard, from us or from Dovecot.
        ModSeq above = new(Math.Max(leapt, folders.Max(found => (long?)found.Highest) + AccountOpener.Leap ?? AccountOpener.Leap));
        HashSet<MailboxId> taken = [];
        HashSet<MailboxName> names = [];
        long highest = 1, messages = 0;
        catalogue.Begin();
        foreach (Found found in folders)
        {
            // A folder of ours that cannot say which it is: the journal makes it, or it is looked at when all is replayed.
            if (ours && found.List?.Guid is null && found.Name != MailboxName.Inbox) continue;
            AccountFileMailbox? known = account?.Mailboxes.FirstOrDefault(box => found.List?.Guid is { } guid ? box.Mailbox.Value == guid : box.Name == found.Name);
            MailboxId mailbox = found.List?.Guid is { } own && taken.Add(new(own)) ? new(own) : known is not null && taken.Add(known.Mailbox) ? known.Mailbox : options.Ids.Mailbox();
            SpecialUse use = known?.Use ?? (ours ? SpecialUse.None : UseOf(found.Name));
            UidValidity valid = found.List is { IsRenumbered: true } ? new(++validity) : found.List?.Validity ?? known?.Validity ?? (found.State is { Validity: > 0 } state ? new(state.Validity) : new(++validity));
            Uid next = new(Math.Max(Math.Max(found.List?.UidNext.Value ?? 1, found.List is { IsRenumbered: true } ? 1 : known?.UidNext.Value ?? 1), found.State?.NextUid ?? 1));
            ModSeq floor = !ours && found.IsExact ? new(Math.Max(1, found.Highest)) : above;
            names.Add(found.Name);
            if (ours && found.List is null) Unlisted.Add(mailbox);
            MailboxRow row = TakeFolder(found, new(++_lastBox, mailbox, found.Name.Value, use, valid)
            {
                UidNext = next, Highest = floor, Floor = floor, FirstRecent = known?.FirstRecent ?? new(found.State?.FirstRecent ?? 1), Counts = default,
            }, exact: !ours && found.IsExact);
            (highest, messages) = (Math.Max(highest, row.Highest.Value), messages + row.Counts.Messages);
        }

        // Folders that are gone from the disk and not from the numbers: their directories are made again.
        foreach (AccountFileMailbox box in account?.Mailboxes ?? [])
        {
            if (taken.Contains(box.Mailbox) || !names.Add(box.Name)) continue;
            if (folders.Any(found => found.Name == box.Name)) Unlisted.Add(box.Mailbox);
            catalogue.PutMailbox(new(++_lastBox, box.Mailbox, box.Name.Value, box.Use, box.Validity)
            {
                UidNext = box.UidNext, Highest = above, Floor = above, FirstRecent = box.FirstRecent, Counts = default,
            });
            highest = Math.Max(highest, above.Value);
        }

        if (tree.ReadText($"{tree.Root}/{SubscriptionFile.FileName}") is { } subscriptions)
            foreach (string name in SubscriptionFile.Parse(subscriptions, tree.Names)) catalogue.Subscribe(name, subscribed: true);
        TakeAnnotations(highest);
        catalogue.SetMeta(MetaKey.Id, 0, marker);
        catalogue.SetMeta(MetaKey.ModSeq, highest, "");
        catalogue.SetMeta(MetaKey.Validity, validity, "");
        catalogue.Commit();
        if (!ours) log.TreeAdopted(who, folders.Count, messages);
    }

    private void TakeAnnotations(long modSeq)
    {
        if (tree.ReadText($"{tree.OwnPath}/{AnnotationFile.FileName}") is not { } text) return;
        Dictionary<MailboxId, long> boxes = catalogue.Mailboxes().ToDictionary(row => row.Object, row => row.Id);
        foreach ((MailboxId? mailbox, string user, string entry, byte[] value) in AnnotationFile.Parse(text))
            if (mailbox is null || boxes.ContainsKey(mailbox.Value)) catalogue.Annotations.Put(mailbox is { } id ? boxes[id] : AnnotationTable.Account, user, entry, value, modSeq);
    }

    private uint HighestValidity(AccountFile? account, List<Found> folders)
    {
        uint validity = Math.Max(account?.Validity ?? 0, (uint)time.GetUtcNow().ToUnixTimeSeconds());
        if (tree.ReadText(tree.Root + "/dovecot-uidvalidity") is { } counter && uint.TryParse(counter.Trim(), NumberStyles.HexNumber, CultureInfo.InvariantCulture, out uint theirs))
            validity = Math.Max(validity, theirs);
        return folders.Aggregate(validity, (all, found) => Math.Max(all, Math.Max(found.List?.Validity.Value ?? 0, found.State?.Validity ?? 0)));
    }

    private List<Found> Folders()
    {
        List<Found> folders = [];
        if (tree.IsFolder(tree.Root)) folders.Add(Look(MailboxName.Inbox, tree.Root));
        folders.AddRange(ForeignFolders.In(tree, log, who).Select(folder => Look(folder.Name, folder.Path)));
        return folders;
    }

    private Found Look(MailboxName name, string folder)
    {
        FolderIndex? index = FolderIndex.Read(tree, folder, options.DovecotIndex);
        foreach (string problem in index?.Problems ?? []) log.IndexLeftAside(who, folder, problem);
        UidList? list = tree.ReadText($"{folder}/{UidList.FileName}") is { } text ? UidList.Parse(text) : null;
        if (!(list?.UidNext.Value > UidList.MostNext) && !(index?.State?.NextUid > UidList.MostNext)) return new(name, folder, list, index);
        log.IndexLeftAside(who, folder, $"its next UID is above {UidList.MostNext}; the messages are numbered anew");
        return new(name, folder, list?.Renumbered(), null);
    }

    private SpecialUse UseOf(MailboxName name) => options.SpecialMailboxes.FirstOrDefault(special => special.Name == name.Value).Use;

    private MailboxRow TakeFolder(Found found, MailboxRow row, bool exact)
    {
        Dictionary<string, string> files = tree.FilesOf(found.Folder);
        SortedDictionary<int, string> letters = KeywordFile.Read(tree, found.Folder);
        foreach ((int number, string keyword) in letters) catalogue.PutLetter(row.Id, number, keyword);
        ModSeq changed = new(row.Highest.Value + 1);
        Counts counts = default;
        HashSet<uint> here = [];
        foreach (UidListEntry entry in found.List?.Entries ?? [])
        {
            if (!files.TryGetValue(entry.Base, out string? disk))
            {
                Orphans[entry.Base] = entry.EmailId.Value;
                continue;
            }

            if (Message(found.Folder, disk, entry, row.Highest) is not { } stored) continue;
            options.Rebuilding?.Invoke(who, 1);
            here.Add(entry.Uid.Value);
            (StoredRow named, bool stands) = WithFlags(stored, disk, letters, found);
            if (exact && !IsKnown(found.State!, named.Row))
            {
                named = named with { Row = named.Row with { ModSeq = changed } };
                row = row with { Highest = changed };
            }

            catalogue.PutMessage(row.Id, named);
            catalogue.PutFile(row.Id, entry.Uid, disk, entry.Base, dirty: !stands);
            catalogue.Lists.Put(row.Id, entry.Uid, entry.Kept);
            counts = counts.With(named.Row, 1);
        }

        foreach (IndexMessage gone in exact ? found.State!.Messages : [])
        {
            // Clients of Dovecot's still have it.
            if (here.Contains(gone.Uid)) continue;
            row = row with { Highest = changed, Tombstones = row.Tombstones + catalogue.Tombstones.Put(row.Id, changed, new(gone.Uid)) };
        }

        row = row with { Counts = counts };
        catalogue.PutMailbox(row);
        if (tree.ReadText($"{found.Folder}/{AclFile.FileName}") is { } acl)
            foreach (Sharing.AclEntry entry in AclFile.Parse(acl, who).Entries) catalogue.Acls.Put(row.Id, entry.Identifier, entry.Rights);
        if (found.List is not null) catalogue.Lists.PutMark(row.Id, FolderMark.Of(tree, found.Folder).ToString());
        return row;
    }

    private static bool IsKnown(IndexState state, in MessageRow row) =>
        state.Find(row.Uid.Value) is { } message && message.SystemFlags == row.Flags && state.KeywordsOf(message).Equals(row.Keywords);

    // The name says flags and keywords with letters; the index those without one, and what Dovecot had not brought into the name yet.
    private static (StoredRow Row, bool Stands) WithFlags(StoredRow stored, string disk, SortedDictionary<int, string> letters, Found found)
    {
        ReadOnlySpan<char> name = MaildirName.LettersOf(disk);
        SystemFlags flags = MaildirName.FlagsOf(name);
        KeywordSet keywords = KeywordFile.KeywordsOf(name, letters);
        bool stands = true;
        if (found.Index is { IsWhole: true } index && found.State?.Find(stored.Row.Uid.Value) is { } message)
        {
            KeywordSet more = found.State.IndexOnly(message, letters);
            stands = more.Count == 0;
            keywords = keywords.Union(more);
            if (index.Unwritten.Contains(message.Uid)) (flags, keywords, stands) = (message.SystemFlags, found.State.KeywordsOf(message), false);
        }

        return (stored with { Row = stored.Row with { Flags = flags, Keywords = keywords } }, stands);
    }

    private StoredRow? Message(string folder, string disk, UidListEntry entry, ModSeq modSeq)
    {
        try
        {
            using IVolumeFile file = tree.Volume.Open($"{folder}/{disk}", VolumeOpen.Read);
            VolumeStat stat = file.Stat();
            byte[] bytes = new byte[stat.Length];
            if (file.Read(0, bytes) < bytes.Length) return null;
            MessageFacts facts = MessageFacts.OfAny(bytes, options.Mime, log);
            EmailId email = entry.EmailId;
            if (!_contents.TryGetValue(email.Value, out long content))
            {
                (long record, int part) = OwnName.Parse(entry.Base) ?? default;
                content = catalogue.Contents.Add(email, catalogue.Contents.ThreadOf(facts.Sort, email), record, part, bytes.Length, facts);
                _contents.Add(email.Value, content);
            }

            MessageRow row = new(entry.Uid, facts.WireLength, stat.Modified.ToUnixTimeSeconds(), modSeq, SystemFlags.None, KeywordSet.Empty, 0);
            return new(row, content, stat.Modified.ToUnixTimeMilliseconds());
        }
        catch (VolumeException problem)
        {
            log.FileDelayed(problem, who);
            return null;
        }
    }
}
