using Microsoft.Extensions.Logging;
using Posthorn.Core;
using Posthorn.Journal.Volume;
using Posthorn.Store.Catalogue;
using Posthorn.Store.Changes;
using Posthorn.Store.Maildir;

namespace Posthorn.Store.Engine;

/// <summary>Finds what other programs did in a mailbox's folder: deliveries, flags in names, removals.</summary>
/// <remarks>
/// The directories' times say whether to look at all; a time younger than two seconds is not trusted, since another change may have the same.
/// Foreign is what differs from the name last seen on disk, never what differs from the wish. A removal counts when two full listings lack the file, two seconds apart.
/// </remarks>
internal sealed class FolderScanner(Recorder recorder, TimeProvider time, ILogger log)
{
    /// <summary>A time younger than this may belong to two changes: file systems count in ticks of some milliseconds, networks in seconds.</summary>
    private static readonly TimeSpan Grain = TimeSpan.FromSeconds(2);

    /// <summary>A folder that is listed so quickly is looked at whenever something is heard.</summary>
    private static readonly TimeSpan Quick = TimeSpan.FromMilliseconds(20);

    /// <summary>How many files of ours without a message are taken for left-overs. A crash leaves few that replay does not see to; more mean that what we know of the folder is wrong, and then a message that comes back is the lesser evil.</summary>
    private const int MostLeftOvers = 16;

    private sealed class Findings
    {
        internal List<(string Disk, DateTimeOffset Modified)> Arrived { get; } = [];
        internal List<(FlagChange Change, Uid Uid)> Flags { get; } = [];
        internal List<(Uid Uid, string Base)> Removed { get; } = [];

        /// <summary>Files that we know by another name.</summary>
        internal List<(FileRow File, string Disk)> Renamed { get; } = [];

        /// <summary>Files of ours that no message has.</summary>
        internal List<string> LeftOver { get; } = [];

        /// <summary>A file was seen a second time, under a later name: the first is forgotten.</summary>
        internal void Forget(string baseName)
        {
            Arrived.RemoveAll(file => MaildirName.BaseOf(file.Disk) == baseName);
            LeftOver.RemoveAll(disk => MaildirName.BaseOf(disk) == baseName);
        }
    }

    /// <summary>Looks at the folder if it may have changed, and takes in what is found.</summary>
    internal async ValueTask LookAsync(Account account, Box box, CancellationToken cancel, bool told = false)
    {
        FolderSight sight = box.Sight;
        DateTimeOffset now = time.GetUtcNow();
        // Looking at a large folder that changes all the time must not become the main work.
        if (now - sight.At < sight.Took * 50 && !(told && sight.Took < Quick))
        {
            sight.PutOff = true;
            return;
        }

        if (!account.Tree.TryTimes(box.Name, out DateTimeOffset newTime, out DateTimeOffset curTime)) return;
        if (sight.IsOf(newTime, curTime)) return;
        await sight.Turn.WaitAsync(cancel);
        try
        {
            long started = time.GetTimestamp();
            bool asBefore = !sight.AfterRecovery && sight.Missing.Count == 0 && IsAsKnown(account, box);
            sight.PutOff = true; // until all that is found is known
            if (!asBefore && !await TakeInAsync(account, box, now)) return;
            account.Tree.SweepTemporary(account.Tree.FolderPath(box.Name), now);
            sight.At = now;
            sight.PutOff = false;
            sight.Took = time.GetElapsedTime(started);
            (sight.NewTime, sight.CurTime) = IsSettled(now, newTime, curTime) ? (newTime, curTime) : default;
            sight.AfterRecovery = sight.IsUnlisted = false;
        }
        catch (VolumeException problem)
        {
            log.FileDelayed(problem, account.Who.Address);
        }
        catch (IOException problem) when (problem is not MailUnavailableException { MustReconnect: true })
        {
            // A journal or a catalogue that is full must not keep anybody from reading; what is found now is found again.
            log.TidyFailed(problem, account.Who.Address);
        }
        finally
        {
            sight.Turn.Release();
        }
    }

    private static bool IsSettled(DateTimeOffset now, DateTimeOffset newTime, DateTimeOffset curTime) => now - newTime > Grain && now - curTime > Grain;

    /// <summary>Notes for the next opening of the account which folders lie as the catalogue says. It is closed in order, and nobody uses it.</summary>
    /// <param name="account">Which.</param>
    /// <param name="most">In folders with more messages than this nobody looks now.</param>
    internal void NoteTimes(Account account, int most)
    {
        foreach (Box box in account.Mailboxes.All())
        {
            if (box.Version is null) continue; // nobody opened it: it is as it was noted before, or worth no look
            try
            {
                if (account.Tree.TryTimes(box.Name, out DateTimeOffset newTime, out DateTimeOffset curTime) && IsAsKnown(account, box, newTime, curTime, most))
                    account.Read(catalogue => catalogue.FolderTimes.Put(box.Id, newTime, curTime));
            }
            catch (VolumeException problem)
            {
                log.FileDelayed(problem, account.Who.Address); // it is looked at when it is opened
            }
        }
    }

    private bool IsAsKnown(Account account, Box box, DateTimeOffset newTime, DateTimeOffset curTime, int most)
    {
        if (box.Sight.IsOf(newTime, curTime)) return true;
        if (box.Sight is not { AfterRecovery: false, IsUnlisted: false, Missing.Count: 0 } || box.Counts.Messages > most) return false;
        return IsSettled(time.GetUtcNow(), newTime, curTime) && IsAsKnown(account, box);
    }

    // Most looks find nothing. To see that, names alone are compared, by their hashes, and nobody waits: what changes meanwhile only leads to the thorough look.
    private static bool IsAsKnown(Account account, Box box)
    {
        MaildirTree tree = account.Tree;
        if (!box.Exists || !tree.Exists(tree.OwnPath)) return false;
        HashSet<long> known = account.Read(catalogue => catalogue.DiskNames(box.Id));
        foreach (string part in (ReadOnlySpan<string>)["new", "cur"])
        {
            foreach (VolumeEntry entry in tree.Volume.List($"{tree.FolderPath(box.Name)}/{part}", times: false))
                if (entry.Name[0] != '.' && entry.Kind != VolumeKind.Directory && !known.Remove(AccountCatalogue.HashOf($"{part}/{entry.Name}"))) return false;
        }

        return known.Count == 0;
    }

    private Findings? Compare(Account account, AccountCatalogue catalogue, Box box, long now)
    {
        // What waits to be applied may have its files already, and what was found before may be among it: neither is news.
        if (account.IsStuck) return null;
        FolderSight sight = box.Sight;
        MaildirTree tree = account.Tree;
        if (!box.Exists || !tree.Exists(tree.OwnPath)) return null; // An unmounted volume must not look like a mass removal.
        string folder = tree.FolderPath(box.Name);
        Dictionary<string, FileRow> known = new(StringComparer.Ordinal);
        List<FileRow> files = catalogue.Files(box.Id);
        // A message whose file's row got lost: its file would be taken for somebody's delivery, or after a crash for what is left of a removal.
        if (files.Count < catalogue.Audit.MessageCount(box.Id)) throw catalogue.Damage($"{box.Name} has messages without a file's row.");
        foreach (FileRow file in files) known[file.Base] = file;
        Findings found = new();
        SortedDictionary<int, string>? letters = null;
        HashSet<string> seen = new(StringComparer.Ordinal);
        HashSet<string> others = [.. catalogue.Elsewhere().Select(file => tree.Root + file.Path)]; // of messages that were moved away
        foreach (string part in (ReadOnlySpan<string>)["new", "cur"])
        {
            foreach (VolumeEntry entry in tree.Volume.List($"{folder}/{part}", times: false))
            {
                if (entry.Name[0] == '.' || entry.Kind == VolumeKind.Directory) continue;
                string disk = $"{part}/{entry.Name}";
                string baseName = MaildirName.BaseOf(entry.Name);
                if (!seen.Add(baseName)) found.Forget(baseName); // moved from new/ to cur/ between the two listings
                // What the disk did not let us take away is nobody's delivery.
                if (others.Contains($"{folder}/{disk}") || account.Delayed.IsDiscarded($"{folder}/{disk}")) continue;
                if (!known.TryGetValue(baseName, out FileRow file)) Arrive(account, sight, folder, disk, found);
                else if (file.DiskName != disk && file.IsInFolder && catalogue.TryGetMessage(box.Id, file.Uid, out _))
                {
                    if (tree.Exists($"{folder}/{file.DiskName}"))
                    {
                        // A second file of that name: the crash undid its removal, and it may be torn. The one that we know is the message.
                        if (sight.AfterRecovery) account.Files.TakeAway($"{folder}/{disk}", tree.ExpungedName(now, box.Mailbox, default, baseName, MaildirName.SuffixOf(disk)));
                        continue;
                    }

                    letters ??= account.Files.KnownLetters(box.Id, box.Name);
                    Flags(file, disk, letters, found);
                    found.Renamed.Add((file, disk));
                }
            }
        }

        Dictionary<Uid, DateTimeOffset> missing = [];
        DateTimeOffset seenAt = DateTimeOffset.FromUnixTimeMilliseconds(now);
        foreach (FileRow file in known.Values)
        {
            if (seen.Contains(file.Base) || !file.IsInFolder) continue;
            // Another program may be moving it: two listings that follow each other at once prove little.
            DateTimeOffset since = sight.Missing.GetValueOrDefault(file.Uid, seenAt);
            if (seenAt - since >= Grain) found.Removed.Add((file.Uid, file.Base));
            else missing.Add(file.Uid, since);
        }

        sight.Missing = missing;
        TakeAway(account, box, folder, now, found);
        return found;
    }

    // Ours, and no message has it: its message was moved or removed, and the crash undid that on disk alone.
    private void TakeAway(Account account, Box box, string folder, long now, Findings found)
    {
        if (found.LeftOver.Count > MostLeftOvers)
        {
            foreach (string disk in found.LeftOver) Arrive(account, folder, disk, found);
            return;
        }

        foreach (string disk in found.LeftOver)
            account.Files.TakeAway($"{folder}/{disk}", account.Tree.ExpungedName(now, box.Mailbox, default, MaildirName.BaseOf(disk), MaildirName.SuffixOf(disk)));
        if (found.LeftOver.Count > 0) log.LeftOvers(account.Who.Address, found.LeftOver.Count, box.Name.Value);
    }

    private static void Arrive(Account account, FolderSight sight, string folder, string disk, Findings found)
    {
        if (sight.AfterRecovery && !sight.IsUnlisted && OwnName.Parse(MaildirName.BaseOf(disk)) is not null) found.LeftOver.Add(disk);
        else Arrive(account, folder, disk, found);
    }

    private static void Arrive(Account account, string folder, string disk, Findings found)
    {
        if (account.Tree.Volume.TryStat($"{folder}/{disk}", out VolumeStat stat) && stat.Kind == VolumeKind.File) found.Arrived.Add((disk, stat.Modified));
    }

    // What changed in the letters, not what they say: our own wishes may be ahead of the name.
    private static void Flags(FileRow file, string disk, SortedDictionary<int, string> letters, Findings found)
    {
        ReadOnlySpan<char> before = MaildirName.LettersOf(file.DiskName), after = MaildirName.LettersOf(disk);
        SystemFlags had = MaildirName.FlagsOf(before), has = MaildirName.FlagsOf(after);
        KeywordSet knew = KeywordFile.KeywordsOf(before, letters), knows = KeywordFile.KeywordsOf(after, letters);
        if ((has & ~had) != 0 || knows.Except(knew).Count > 0) found.Flags.Add((new(FlagOperation.Add, has & ~had, knows.Except(knew)), file.Uid));
        if ((had & ~has) != 0 || knew.Except(knows).Count > 0) found.Flags.Add((new(FlagOperation.Remove, had & ~has, knew.Except(knows)), file.Uid));
    }

    // False when that has to wait.
    private async ValueTask<bool> TakeInAsync(Account account, Box box, DateTimeOffset now)
    {
        if (account.Read(catalogue => Compare(account, catalogue, box, now.ToUnixTimeMilliseconds())) is not { } found) return false;
        List<Operation> operations = [];
        lock (account.Gate)
        {
            if (account.Pending(box.Name.Value) != box) return false;
            if (found.Arrived.Count > 0) operations.Add(recorder.Append(account, [AdoptionOf(account, box, found.Arrived)], null, 0, 0));
            if (found.Removed.Count > 0) operations.Add(recorder.Append(account, [new Change.Expunge(box.Mailbox, found.Removed)], null, 0, 0));
            foreach (IGrouping<FlagChange, (FlagChange Change, Uid Uid)> group in found.Flags.GroupBy(flag => flag.Change))
                operations.Add(recorder.AppendRelaxed(account, [new Change.Flag(box.Mailbox, group.Key, [.. group.Select(flag => flag.Uid)])]));
        }

        if (found.Renamed.Count > 0) account.Read(catalogue => NoteNames(catalogue, box, found));
        foreach (Operation operation in operations) await account.CompleteAsync(operation);
        if (found.Arrived.Count > 0) log.ForeignMail(account.Who.Address, found.Arrived.Count, box.Name.Value);
        if (found.Removed.Count > 0) log.ForeignRemoval(account.Who.Address, found.Removed.Count, box.Name.Value);
        return true;
    }

    // Not before what the names say is recorded: a name that is known says nothing a second time. Where ours has followed meanwhile, theirs is no more.
    private static bool NoteNames(AccountCatalogue catalogue, Box box, Findings found)
    {
        foreach ((FileRow before, string disk) in found.Renamed)
            if (catalogue.TryGetFile(box.Id, before.Uid, out FileRow file) && file.DiskName == before.DiskName) catalogue.PutFile(box.Id, file.Uid, disk, file.Base, file.Dirty);
        return true;
    }

    // UIDs in the order of dates: some clients take the highest for the newest.
    private static Change.Adopt AdoptionOf(Account account, Box box, List<(string Disk, DateTimeOffset Modified)> arrived)
    {
        SortedDictionary<int, string> letters = KeywordFile.Read(account.Tree, account.Tree.FolderPath(box.Name));
        List<Adopted> files = [];
        foreach ((string disk, DateTimeOffset modified) in arrived.OrderBy(file => file.Modified).ThenBy(file => file.Disk, StringComparer.Ordinal))
        {
            ReadOnlySpan<char> flags = MaildirName.LettersOf(disk);
            files.Add(new(disk, new(box.NextUid++), account.Ids.Email(), MaildirName.FlagsOf(flags), KeywordFile.KeywordsOf(flags, letters), modified.ToUnixTimeSeconds()));
        }

        return new(box.Mailbox, files);
    }
}
