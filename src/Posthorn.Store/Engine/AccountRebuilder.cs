using System.Globalization;
using Microsoft.Extensions.Logging;
using Posthorn.Core;
using Posthorn.Journal.Volume;
using Posthorn.Store.Catalogue;
using Posthorn.Store.Maildir;

namespace Posthorn.Store.Engine;

/// <summary>Makes a catalogue from what lies in a Maildir: our own tree after the loss of its catalogue, or a tree of Dovecot's.</summary>
/// <remarks>
/// Sources: each folder's <c>dovecot-uidlist</c> (UIDVALIDITY, next UID, UIDs, GUIDs; the mailbox's own GUID is its MAILBOXID), the files' names and times,
/// <c>dovecot-keywords</c>, <c>subscriptions</c>, and the account's file. What the journal holds above the last checkpoint is replayed on top.
/// Files that no list names get their UIDs afterwards, from the look at the folder.
/// </remarks>
internal sealed class AccountRebuilder(AccountCatalogue catalogue, MaildirTree tree, MaildirStoreOptions options, TimeProvider time, ILogger log, EmailAddress who)
{
    private readonly Dictionary<string, long> _contents = new(StringComparer.Ordinal);
    private long _lastBox;

    /// <summary>The EMAILIDs of messages that lists name and whose files were not there.</summary>
    internal Dictionary<string, string> Orphans { get; } = [];

    private sealed record Found(MailboxName Name, string Folder, UidList? List);

    /// <summary>Whether there is anything to make a catalogue of.</summary>
    internal static bool HasMail(MaildirTree tree) => tree.Exists(tree.Root + "/cur") || tree.Exists($"{tree.OwnPath}/{AccountFile.FileName}");

    internal void Run(long firstModSeq, string marker, bool ours)
    {
        AccountFile? account = tree.ReadText($"{tree.OwnPath}/{AccountFile.FileName}") is { } text ? AccountFile.Parse(text, tree.Names.Separator) : null;
        uint validity = Math.Max(account?.Validity ?? 0, (uint)time.GetUtcNow().ToUnixTimeSeconds());
        if (tree.ReadText(tree.Root + "/dovecot-uidvalidity") is { } counter && uint.TryParse(counter.Trim(), NumberStyles.HexNumber, CultureInfo.InvariantCulture, out uint theirs))
            validity = Math.Max(validity, theirs);
        List<Found> folders = Folders();
        validity = folders.Aggregate(validity, (all, found) => Math.Max(all, found.List?.Validity.Value ?? 0));
        ModSeq modSeq = new(firstModSeq);
        HashSet<MailboxId> taken = [];
        HashSet<MailboxName> names = [];
        catalogue.Begin();
        foreach (Found found in folders)
        {
            // A folder of ours that cannot say which it is: the journal makes it, or it is looked at when all is replayed.
            if (ours && found.List?.Guid is null && found.Name != MailboxName.Inbox) continue;
            if (ours && found.List?.Guid is { } twin && taken.Contains(new(twin)))
            {
                // A second folder of one mailbox, from a replay that was cut short.
                tree.Volume.Rename(found.Folder, $"{tree.OwnPath}/displaced-{NewIds.Text()}");
                continue;
            }

            AccountFileMailbox? known = account?.Mailboxes.FirstOrDefault(box => found.List?.Guid is { } guid ? box.Mailbox.Value == guid : box.Name == found.Name);
            MailboxId mailbox = found.List?.Guid is { } own && taken.Add(new(own)) ? new(own) : known is not null && taken.Add(known.Mailbox) ? known.Mailbox : NewIds.Mailbox();
            SpecialUse use = known?.Use ?? (ours ? SpecialUse.None : UseOf(found.Name));
            UidValidity valid = found.List?.Validity ?? known?.Validity ?? new(++validity);
            Uid next = new(Math.Max(found.List?.UidNext.Value ?? 1, known?.UidNext.Value ?? 1));
            names.Add(found.Name);
            TakeFolder(found, new(++_lastBox, mailbox, found.Name.Value, use, valid)
            {
                UidNext = next, Highest = modSeq, Floor = modSeq, FirstRecent = known?.FirstRecent ?? new(1), Counts = default,
            });
        }

        // Folders that are gone from the disk and not from the numbers: their directories are made again.
        foreach (AccountFileMailbox box in account?.Mailboxes ?? [])
        {
            if (taken.Contains(box.Mailbox) || !names.Add(box.Name)) continue;
            catalogue.PutMailbox(new(++_lastBox, box.Mailbox, box.Name.Value, box.Use, box.Validity)
            {
                UidNext = box.UidNext, Highest = modSeq, Floor = modSeq, FirstRecent = box.FirstRecent, Counts = default,
            });
        }

        if (tree.ReadText($"{tree.Root}/{SubscriptionFile.FileName}") is { } subscriptions)
            foreach (string name in SubscriptionFile.Parse(subscriptions, tree.Names.Separator)) catalogue.Subscribe(name, subscribed: true);
        catalogue.SetMeta(MetaKey.Id, 0, marker);
        catalogue.SetMeta(MetaKey.ModSeq, modSeq.Value, "");
        catalogue.SetMeta(MetaKey.Validity, validity, "");
        catalogue.Commit();
    }

    private List<Found> Folders()
    {
        List<Found> folders = [];
        if (tree.Exists(tree.Root + "/cur")) folders.Add(new(MailboxName.Inbox, tree.Root, ListOf(tree.Root)));
        HashSet<MailboxName> names = [MailboxName.Inbox];
        foreach (VolumeEntry entry in tree.Volume.List(tree.Root, times: false).OrderBy(entry => entry.Name, StringComparer.Ordinal))
        {
            string path = $"{tree.Root}/{entry.Name}";
            if (!tree.Names.TryMailbox(entry.Name, out MailboxName name) || !tree.Exists(path + "/cur") || !names.Add(name)) continue;
            folders.Add(new(name, path, ListOf(path)));
        }

        return folders;
    }

    private UidList? ListOf(string folder) => tree.ReadText($"{folder}/{UidList.FileName}") is { } text ? UidList.Parse(text) : null;

    private SpecialUse UseOf(MailboxName name) => options.SpecialMailboxes.FirstOrDefault(special => special.Name == name.Value).Use;

    private void TakeFolder(Found found, MailboxRow row)
    {
        Dictionary<string, string> files = [];
        foreach (string part in (ReadOnlySpan<string>)["new", "cur"])
        {
            if (!tree.Exists($"{found.Folder}/{part}")) continue;
            foreach (VolumeEntry entry in tree.Volume.List($"{found.Folder}/{part}", times: false))
                if (entry.Name[0] != '.') files[MaildirName.BaseOf(entry.Name)] = $"{part}/{entry.Name}";
        }

        SortedDictionary<int, string> letters = KeywordFile.Read(tree, found.Folder);
        foreach ((int number, string keyword) in letters) catalogue.PutLetter(row.Id, number, keyword);
        Counts counts = default;
        foreach (UidListEntry entry in found.List?.Entries ?? [])
        {
            if (!files.TryGetValue(entry.Base, out string? disk))
            {
                Orphans[entry.Base] = entry.Guid ?? entry.Base;
                continue;
            }

            if (Message(found.Folder, disk, entry, letters, row.Highest) is not { } stored) continue;
            catalogue.PutMessage(row.Id, stored);
            catalogue.PutFile(row.Id, entry.Uid, disk, entry.Base, dirty: false);
            counts = counts.With(stored.Row, 1);
        }

        catalogue.PutMailbox(row with { Counts = counts });
    }

    private StoredRow? Message(string folder, string disk, UidListEntry entry, SortedDictionary<int, string> letters, ModSeq modSeq)
    {
        try
        {
            using IVolumeFile file = tree.Volume.Open($"{folder}/{disk}", VolumeOpen.Read);
            VolumeStat stat = file.Stat();
            byte[] bytes = new byte[stat.Length];
            if (file.Read(0, bytes) < bytes.Length) return null;
            MessageFacts facts = MessageFacts.Of(bytes, options.Mime);
            string email = entry.Guid ?? (entry.Base.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_') ? entry.Base : NewIds.Text());
            if (!_contents.TryGetValue(email, out long content))
            {
                (long record, int part) = OwnName.Parse(entry.Base) ?? default;
                content = catalogue.AddContent(new(email), catalogue.ThreadOf(facts.Sort, new(email)), record, part, bytes.Length, facts);
                _contents.Add(email, content);
            }

            ReadOnlySpan<char> flags = MaildirName.LettersOf(disk);
            MessageRow row = new(entry.Uid, facts.WireLength, stat.Modified.ToUnixTimeSeconds(), modSeq, MaildirName.FlagsOf(flags), KeywordFile.KeywordsOf(flags, letters), 0);
            return new(row, content, stat.Modified.ToUnixTimeMilliseconds());
        }
        catch (VolumeException problem)
        {
            log.FileDelayed(problem, who);
            return null;
        }
    }
}
