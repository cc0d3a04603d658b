using Microsoft.Extensions.Logging;
using Posthorn.Core;
using Posthorn.Journal.Volume;
using Posthorn.Store.Catalogue;
using Posthorn.Store.Maildir;

namespace Posthorn.Store.Engine;

/// <summary>The file side of changes. What a disk refuses is left for the background: the record in the journal keeps it safe, and no checkpoint passes it.</summary>
/// <remarks>Runs under the account's catalogue lock.</remarks>
internal sealed class FileKeeper(Account account, AccountCatalogue catalogue, MaildirTree tree, ILogger log)
{
    private readonly Dictionary<long, SortedDictionary<int, string>> _letters = [];
    private readonly HashSet<(MailboxId, MailboxName)> _inPlace = [];
    private string? _lettersText;
    private KeywordSet _lettersOf = KeywordSet.Empty;
    private long _lettersBox;

    /// <summary>Writes a new message's file; false when the disk refused.</summary>
    internal bool TryWrite(string path, MessageBytes bytes, DateTimeOffset modified, DateTimeOffset now)
    {
        try
        {
            try
            {
                Write(path, bytes, modified, now);
            }
            catch (VolumeException problem) when (problem.Error == VolumeError.Missing && TryMakeWhole(path))
            {
                Write(path, bytes, modified, now);
            }

            account.Delayed.Keep(path);
            return true;
        }
        catch (VolumeException problem)
        {
            log.FileDelayed(problem, account.Who.Address);
            Scrap(path);
            return false;
        }
    }

    private void Write(string path, MessageBytes bytes, DateTimeOffset modified, DateTimeOffset now)
    {
        if (bytes.TryGetFile(out ReadOnlyMemory<byte> first, out ReadOnlyMemory<byte> rest))
            tree.Write(path, first.IsEmpty ? [rest] : [first, rest], modified, now);
        else tree.Write(path, bytes.ReadFile, bytes.Octets, modified);
    }

    // A backup may give a tree back without directories in which nothing lay: they are made when something is to lie there. Where files of messages should be lying in what is
    // missing, it is away, as a volume that is not mounted, and may come back.
    private bool TryMakeWhole(string path)
    {
        string directory = path[..path.LastIndexOf('/')];
        bool isOfFolder = directory.EndsWith("/new", StringComparison.Ordinal) || directory.EndsWith("/cur", StringComparison.Ordinal);
        if (!isOfFolder && directory != tree.ExpungedPath) return false;
        try
        {
            if (tree.Exists(directory) || !tree.Exists(tree.OwnPath)) return false;
            if (isOfFolder) return TryMakeWholeFolder(directory[..^4]);
            tree.MakeIfMissing(directory);
            return true;
        }
        catch (VolumeException)
        {
            return false; // what was to be done tells why
        }
    }

    private bool TryMakeWholeFolder(string folder)
    {
        if (account.Mailboxes.All().FirstOrDefault(box => tree.FolderPath(box.Name) == folder) is not { } box) return false;
        (bool hasNew, bool hasCur) = (tree.Exists(folder + "/new"), tree.Exists(folder + "/cur"));
        if (catalogue.Files(box.Id).Exists(file => !hasNew && file.DiskName.StartsWith("new/", StringComparison.Ordinal) || !hasCur && file.DiskName.StartsWith("cur/", StringComparison.Ordinal))) return false;
        if (!tree.Exists(folder)) MakeFolderNow(box.Name, box.Mailbox, box.Validity);
        else if (IsFolderOf(box.Name, box.Mailbox))
        {
            tree.MakeFolder(folder);
            tree.Volume.SyncDirectory(folder); // or what is moved there would go with a name that a crash takes back
        }
        else return false;
        return true;
    }

    // What was begun and not finished is no message. Where even its removal fails it must not be taken for one.
    private void Scrap(string path)
    {
        try
        {
            if (tree.Exists(path)) tree.Volume.Unlink(path);
        }
        catch (VolumeException)
        {
            account.Delayed.DiscardLater(path, $"{tree.ExpungedPath}/0.torn.0.{account.Ids.Text()}");
        }
    }

    private bool IsThere(string path) => tree.Exists(path) && !account.Delayed.IsDiscarded(path);

    /// <summary>On replay: removes what later records made of a file that is made again now.</summary>
    internal void RemoveOthers(MailboxName box, string baseName, string disk)
    {
        string folder = tree.FolderPath(box);
        while (tree.Exists(folder) && tree.FindOther(folder, baseName, disk) is { } other) tree.Volume.Unlink($"{folder}/{other}");
    }

    /// <summary>On replay: as above for a file that is placed again. Where its source is gone, what later records made of it is the message, and only its name is as it was.</summary>
    internal void BringBackName(MailboxName box, string baseName, string disk, MailboxName sourceBox, FileRow source)
    {
        string folder = tree.FolderPath(box);
        if (!IsThere($"{folder}/{disk}") && Locate(sourceBox, source) is null && tree.FindOther(folder, baseName, disk) is { } other) Move($"{folder}/{other}", $"{folder}/{disk}");
        else RemoveOthers(box, baseName, disk);
    }

    /// <summary>Gives a message's file a name in another folder, or moves it there; false when that could not be done.</summary>
    /// <exception cref="VolumeException">The disk refused, and <paramref name="must"/> was set: there is no other way to the bytes.</exception>
    internal bool TryPlace(MailboxName sourceBox, FileRow source, string target, bool move, bool must)
    {
        try
        {
            // In the usual case it lies where it is known to lie, and nothing is looked at.
            if (KnownPath(sourceBox, source) is not { } known || !TryGive(known, target, move))
            {
                string? path = Locate(sourceBox, source);
                if (path is null) return IsThere(target); // done before a crash
                Give(path, target, move);
            }

            account.Delayed.Keep(target);
            return true;
        }
        catch (VolumeException problem) when (!must)
        {
            log.FileDelayed(problem, account.Who.Address);
            return false;
        }
    }

    private string? KnownPath(MailboxName box, FileRow file) =>
        file.DiskName.Length > 0 && PathOf(box, file.DiskName) is var path && !account.Delayed.IsDiscarded(path) ? path : null;

    // False when there is no such file, or no place for it.
    private bool TryGive(string path, string target, bool move)
    {
        try
        {
            Give(path, target, move);
            return true;
        }
        catch (VolumeException problem) when (problem.Error == VolumeError.Missing)
        {
            return false;
        }
    }

    // After a crash only the old name may be left, too. Another file under the new name may be torn; the source was looked at already.
    private void Give(string path, string target, bool move)
    {
        if (move) Move(path, target);
        else Share(path, target);
    }

    // Nothing needs to be looked at in the usual case: the new name is free.
    private void Share(string path, string target)
    {
        try
        {
            LinkOrCopy(path, target);
        }
        catch (VolumeException problem) when (problem.Error == VolumeError.Exists)
        {
            if (tree.AreOneFile(path, target, out _)) return;
            tree.Volume.Unlink(target);
            LinkOrCopy(path, target);
        }
    }

    /// <summary>The path that a name in the catalogue stands for.</summary>
    internal string PathOf(MailboxName box, string diskName) => diskName[0] == '/' ? tree.Root + diskName : tree.PathOf(box, diskName);

    /// <summary>Where a message's file lies, looked up anew when it is not where it was.</summary>
    internal string? Locate(MailboxName box, FileRow file)
    {
        if (KnownPath(box, file) is { } path && tree.Exists(path)) return path;
        string folder = tree.FolderPath(box);
        return tree.Find(folder, file.Base) is { } disk && IsThere($"{folder}/{disk}") ? $"{folder}/{disk}" : tree.FindExpunged(file.Base);
    }

    /// <summary>As a row of <c>files</c> names what lies in another folder; empty when it lies nowhere.</summary>
    internal string Elsewhere(MailboxName box, FileRow file) =>
        Locate(box, file) is { } path && path.StartsWith(tree.Root + "/", StringComparison.Ordinal) ? path[tree.Root.Length..] : "";

    /// <summary>Where the file of any message with a content lies; null when none has one that is there.</summary>
    internal string? LocateCopy(long content)
    {
        foreach ((long mailbox, Uid uid) in catalogue.Contents.CopiesOf(content))
        {
            if (account.PublishedById(mailbox) is not { } box || !catalogue.TryGetFile(mailbox, uid, out FileRow file) || file.DiskName.Length == 0) continue;
            if (Locate(box.Name, file) is { } path) return path;
        }

        return null;
    }

    /// <summary>Takes an expunged message's file out of sight.</summary>
    internal void Discard(MailboxName box, FileRow file, string target)
    {
        string? path = null;
        try
        {
            path = Locate(box, file);
            if (path is null || path.StartsWith(tree.ExpungedPath + "/", StringComparison.Ordinal)) return;
            Move(path, target);
        }
        catch (VolumeException problem)
        {
            log.FileDelayed(problem, account.Who.Address);
            path ??= file.DiskName.Length > 0 ? PathOf(box, file.DiskName) : null;
            if (path is not null) account.Delayed.DiscardLater(path, target);
        }
    }

    internal static readonly Refusal Left = new(RefusalKind.Unavailable, "The folder of a mailbox that had this name cannot be moved away yet, try again later");

    internal static readonly Refusal Stays = new(RefusalKind.Unavailable, "The mailbox's folder cannot be moved now, nothing was changed");

    /// <summary>Whether a mailbox's folder cannot be moved, as far as that can be known without trying: a volume is mounted there, or it may not be written. Whether it leaves the root decides what is needed.</summary>
    internal bool IsFixed(MailboxName name, bool leaves)
    {
        try
        {
            string path = tree.FolderPath(name);
            if (!tree.Volume.TryStat(path, out VolumeStat folder)) return false;
            if (!tree.Volume.MayWrite(tree.Root)) return true;
            if (tree.Volume.TryReadLink(path, out _)) return false; // the link moves, not what it leads to
            return tree.Volume.TryStat(tree.Root, out VolumeStat root) && folder.Device != root.Device || leaves && !tree.Volume.MayWrite(path);
        }
        catch (VolumeException problem)
        {
            log.FolderStays(problem, account.Who.Address, name.Value);
            return true;
        }
    }

    /// <summary>Whether something else than a directory stands where a mailbox's folder would be.</summary>
    internal bool IsBlocked(MailboxName name)
    {
        try
        {
            return tree.Volume.TryStat(tree.FolderPath(name), out VolumeStat stat) && stat.Kind != VolumeKind.Directory;
        }
        catch (VolumeException)
        {
            return false; // then it is seen when the folder is made
        }
    }

    /// <summary>Makes a mailbox's folder. When the disk refuses, the mailbox is there without it: its messages are read from their records, and no checkpoint passes those until the background could make it.</summary>
    internal void MakeFolder(MailboxName name, MailboxId mailbox, UidValidity validity)
    {
        try
        {
            MakeFolderNow(name, mailbox, validity);
        }
        catch (VolumeException problem)
        {
            MakeFolderLater(problem, mailbox);
        }
    }

    private void MakeFolderLater(VolumeException problem, MailboxId mailbox)
    {
        log.FileDelayed(problem, account.Who.Address);
        account.Delayed.MakeLater(mailbox);
    }

    private void MakeFolderNow(MailboxName name, MailboxId mailbox, UidValidity validity)
    {
        string path = tree.FolderPath(name);
        tree.MakeFolder(path);
        // The list says whose folder it is, from its first moment on: synced, so that no crash takes one folder for another.
        if (tree.Exists($"{path}/{UidList.FileName}")) return;
        // Its own name, too: mail that is moved into a folder whose name is lost would be lost with it.
        tree.Volume.SyncDirectory(tree.Root);
        tree.Replace($"{path}/{UidList.FileName}", new UidList(validity, new(1), mailbox.Value, []).Format(), sync: true);
        tree.Volume.SyncDirectory(path);
    }

    /// <summary>Whether the folder of this name is this mailbox's, as its list says.</summary>
    internal bool IsFolderOf(MailboxName name, MailboxId mailbox)
    {
        string path = tree.FolderPath(name);
        if (!tree.Exists(path)) return false;
        return tree.ReadText($"{path}/{UidList.FileName}") is not { } text || UidList.Parse(text) is not { Guid: { } guid } || guid == mailbox.Value;
    }

    /// <summary>On replay: brings a mailbox's folder to the name that it has now. Later records that renamed or removed it before the crash do so again.</summary>
    internal void BringBack(MailboxName name, MailboxId mailbox, UidValidity validity)
    {
        if (name.IsInbox || !_inPlace.Add((mailbox, name))) return;
        string path = tree.FolderPath(name);
        string? owner = OwnerOf(path);
        if (owner == mailbox.Value) return;
        string? elsewhere = tree.FindFolder(mailbox);
        if ((elsewhere is not null || owner is not null) && tree.Exists(path))
        {
            RenameTree(path, tree.DisplacedName(account.Ids.Text()));
            _inPlace.Clear();
        }

        if (elsewhere is not null) RenameTree(elsewhere, path);
        MakeFolder(name, mailbox, validity);
    }

    /// <summary>Brings a mailbox's folder to another name.</summary>
    /// <exception cref="VolumeException">It cannot be moved, or something stands there: nothing has changed.</exception>
    internal void RenameFolder(MailboxName from, MailboxName target, MailboxId mailbox)
    {
        _inPlace.Clear();
        string old = tree.FolderPath(from), path = tree.FolderPath(target);
        if (from != target && !from.IsInbox && IsFolderOf(from, mailbox))
        {
            if (!tree.Exists(path)) RenameTree(old, path);
            else if (OwnerOf(old) == mailbox.Value && OwnerOf(path) == mailbox.Value)
            {
                // Replay, when a crash left it under both names: the old one may be another mailbox's in a moment.
                new TwinFolders(tree, account.Ids).BringOver(old, path);
                RenameTree(old, tree.DisplacedName(account.Ids.Text()));
            }
            // Another program's, of which nobody here has heard: what lies in it is not this mailbox's.
            else if (!account.IsReplaying) throw new VolumeException(VolumeError.Exists, "rename", path, "a folder without a mailbox stands there");
        }

        try
        {
            tree.MakeFolder(path);
        }
        catch (VolumeException problem)
        {
            MakeFolderLater(problem, mailbox);
        }
    }

    /// <summary>Whether a folder of that name is there that is not this mailbox's.</summary>
    internal bool IsTaken(MailboxName name, MailboxId mailbox)
    {
        try
        {
            return tree.FolderPath(name) is var path && tree.Exists(path) && OwnerOf(path) != mailbox.Value;
        }
        catch (VolumeException)
        {
            return false; // then it is seen when the folder is moved
        }
    }

    private string? OwnerOf(string folder) => tree.ReadText($"{folder}/{UidList.FileName}") is { } text ? UidList.Parse(text)?.Guid : null;

    internal void DiscardFolder(MailboxName name, MailboxId mailbox, Operation operation, Predicate<VolumeException> mayWait)
    {
        _inPlace.Clear();
        if (IsFolderOf(name, mailbox)) DiscardFolder(tree.FolderPath(name), mailbox, operation, mayWait);
    }

    /// <summary>Whether the folder of a removed mailbox still stands where another mailbox's would be.</summary>
    internal bool IsLeft(MailboxName name) => account.Delayed.IsDiscarded(tree.FolderPath(name));

    /// <summary>On replay: a power cut may have given a removed mailbox's folder back under a name that it had before.</summary>
    internal void DiscardStrays(MailboxId mailbox, Operation operation)
    {
        foreach ((string directory, _) in tree.Directories().ToArray())
        {
            string path = $"{tree.Root}/{directory}";
            if (tree.ReadText($"{path}/{UidList.FileName}") is { } text && UidList.Parse(text)?.Guid == mailbox.Value) DiscardFolder(path, mailbox, operation, _ => true);
        }
    }

    private void DiscardFolder(string path, MailboxId mailbox, Operation operation, Predicate<VolumeException> mayWait)
    {
        string target = tree.ExpungedName(operation.Time, mailbox, default, "folder", "");
        string free = target;
        try
        {
            // Replay may have made it once more after it was removed.
            for (int i = 1; tree.Exists(free); i++) free = string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{target}.{i}");
            RenameTree(path, free);
        }
        catch (VolumeException problem) when (mayWait(problem))
        {
            log.FileDelayed(problem, account.Who.Address);
            account.Delayed.DiscardLater(path, free);
        }
    }

    // What waits to be taken out of sight lies under the new name then.
    private void RenameTree(string path, string target)
    {
        tree.Volume.RenameNew(path, target);
        account.Delayed.Follow(path, target);
    }

    /// <summary>The name that a message's file should have, with <c>new/</c> or <c>cur/</c>. Letters of others that stand in a name that it has are kept.</summary>
    internal string WantedName(long mailbox, MailboxName name, in MessageRow row, string baseName, string found)
    {
        bool isNew = row.Flags == SystemFlags.None && row.Keywords.Count == 0;
        return MaildirName.Format(baseName, isNew, row.Flags, LettersOf(mailbox, name, row.Keywords), MaildirName.LettersOf(found));
    }

    /// <summary>The letters of keywords in a mailbox's file names; a keyword gets one when it is first used, while there are some left.</summary>
    internal string LettersOf(BoxDraft box, KeywordSet keywords) => keywords.Count == 0 ? "" : LettersOf(box.Box.Id, box.Name, keywords);

    internal string LettersOf(long box, MailboxName name, KeywordSet keywords)
    {
        if (keywords.Count == 0) return "";
        if (_lettersText is not null && _lettersBox == box && _lettersOf.Equals(keywords)) return _lettersText;
        if (!_letters.TryGetValue(box, out SortedDictionary<int, string>? letters)) _letters.Add(box, letters = catalogue.Letters(box));
        List<char> result = [];
        bool grown = false;
        foreach (Keyword keyword in keywords)
        {
            int number = NumberOf(letters, keyword);
            // Another program may have given letters, to this one or to others, since we looked last.
            if (number < 0 && !grown && TakeLetters(box, name, letters)) number = NumberOf(letters, keyword);
            if (number < 0)
            {
                // Those beyond the alphabet stand in the file of keywords, so that rebuilding knows their names, but in no file name.
                for (number = 0; letters.ContainsKey(number);) number++;
                letters.Add(number, keyword.Name);
                catalogue.PutLetter(box, number, keyword.Name);
                grown = true;
            }

            if (number < 26) result.Add((char)('a' + number));
        }

        if (grown) WriteKeywords(name, letters);
        (_lettersBox, _lettersOf, _lettersText) = (box, keywords, new([.. result]));
        return _lettersText;
    }

    private static int NumberOf(SortedDictionary<int, string> letters, Keyword keyword)
    {
        foreach ((int number, string name) in letters)
            if (string.Equals(name, keyword.Name, StringComparison.OrdinalIgnoreCase)) return number;
        return -1;
    }

    // What the folder's file says beyond what is known; where both say something else, names are written as we know them.
    private bool TakeLetters(long box, MailboxName name, SortedDictionary<int, string> letters)
    {
        bool taken = false;
        foreach ((int number, string keyword) in LettersOfFile(name))
        {
            if (!letters.TryAdd(number, keyword)) continue;
            catalogue.PutLetter(box, number, keyword);
            taken = true;
        }

        return taken;
    }

    private SortedDictionary<int, string> LettersOfFile(MailboxName name)
    {
        try
        {
            return KeywordFile.Read(tree, tree.FolderPath(name));
        }
        catch (VolumeException problem)
        {
            log.FileDelayed(problem, account.Who.Address);
            return [];
        }
    }

    /// <summary>The keywords that letters in a mailbox's file names mean, also such as another program has given since we looked last.</summary>
    internal SortedDictionary<int, string> KnownLetters(long box, MailboxName name)
    {
        SortedDictionary<int, string> letters = catalogue.Letters(box);
        foreach ((int number, string keyword) in LettersOfFile(name)) letters.TryAdd(number, keyword);
        return letters;
    }

    /// <summary>After a rollback: what was learned in the transaction is no longer true.</summary>
    internal void Forget()
    {
        _letters.Clear();
        _lettersText = null;
        _inPlace.Clear();
    }

    /// <summary>A whole file; null when it is not there or cannot be read.</summary>
    internal byte[]? Read(string path)
    {
        try
        {
            using IVolumeFile file = tree.Volume.Open(path, VolumeOpen.Read);
            byte[] bytes = new byte[file.Length];
            return file.Read(0, bytes) == bytes.Length ? bytes : null;
        }
        catch (VolumeException problem)
        {
            log.FileDelayed(problem, account.Who.Address);
            return null;
        }
    }

    /// <summary>Brings a file to another name; on another volume it is copied, and goes from its old place when the copy is durable.</summary>
    internal void Move(string path, string target)
    {
        try
        {
            try
            {
                tree.Move(path, target);
            }
            catch (VolumeException problem) when (problem.Error == VolumeError.Missing && TryMakeWhole(target))
            {
                tree.Move(path, target);
            }
        }
        catch (VolumeException problem) when (problem.Error == VolumeError.OtherVolume)
        {
            Share(path, target);
            tree.Volume.Unlink(path);
        }
    }

    /// <summary>Takes a file out of sight, whoever took the directory for that away.</summary>
    internal void TakeAway(string path, string target)
    {
        tree.MakeIfMissing(tree.ExpungedPath);
        Move(path, target);
    }

    internal void LinkOrCopy(string path, string target)
    {
        try
        {
            try
            {
                tree.Volume.Link(path, target);
            }
            catch (VolumeException problem) when (problem.Error == VolumeError.Missing && TryMakeWhole(target))
            {
                tree.Volume.Link(path, target);
            }
        }
        catch (VolumeException problem) when (problem.Error is VolumeError.OtherVolume or VolumeError.TooManyLinks or VolumeError.Permission or VolumeError.Invalid)
        {
            // No record has these bytes, and nothing compares them after a crash: they get their name when they are safe.
            string draft = MaildirTree.DraftOf(target);
            try
            {
                tree.MakeIfMissing(draft[..draft.LastIndexOf('/')]); // another program's folder may lack its tmp/
                using (IVolumeFile source = tree.Volume.Open(path, VolumeOpen.Read)) tree.Write(draft, (at, into) => source.Read(at, into.Span), source.Length, source.Stat().Modified);
                tree.SyncFile(draft);
                tree.Volume.Rename(draft, target);
            }
            catch (VolumeException)
            {
                Scrap(draft);
                throw;
            }
        }
    }

    private void WriteKeywords(MailboxName name, SortedDictionary<int, string> letters)
    {
        try
        {
            tree.Replace($"{tree.FolderPath(name)}/{KeywordFile.FileName}", string.Concat(letters.Select(pair => $"{pair.Key} {pair.Value}\n")), sync: false);
        }
        catch (VolumeException problem)
        {
            log.FileDelayed(problem, account.Who.Address);
        }
    }
}
