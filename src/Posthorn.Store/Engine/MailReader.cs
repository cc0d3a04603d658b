using Microsoft.Extensions.Logging;
using Posthorn.Core;
using Posthorn.Journal;
using Posthorn.Journal.Volume;
using Posthorn.Store.Catalogue;
using Posthorn.Store.Maildir;
using Posthorn.Store.Changes;

namespace Posthorn.Store.Engine;

/// <summary>Reads what accounts hold: counts, summaries, bytes, text.</summary>
internal sealed class MailReader(MaildirStoreOptions options, ILogger log)
{
    private static readonly Refusal Gone = new(RefusalKind.Expunged, "The message was removed");
    private readonly SortKeyCache _keys = new(options.SortKeyMemory);

    /// <summary>Where new ids come from.</summary>
    internal NewIds Ids => options.Ids;

    /// <summary>Room for messages that are read as a whole.</summary>
    internal OctetGate WholeMessages { get; } = new(options.WholeMessageOctets);

    /// <summary>Searches by text.</summary>
    internal TextFinder Finder => field ??= new(options, this);

    /// <summary>What is kept about a message that is to come in, a part of the content behind header lines of its own.</summary>
    /// <param name="content">The message and others of its record.</param>
    /// <param name="prefix">Its own header lines.</param>
    /// <param name="range">Where it is.</param>
    /// <param name="room">Octets that what is known of this record's messages may still take until they are applied.</param>
    internal EarlyFacts FactsOf(JournalContent content, ReadOnlyMemory<byte> prefix, ContentRange range, ref int room)
    {
        using MessageBytes bytes = new(content, new Change.Store(default, default, default, 0)
        {
            Flags = default, Keywords = KeywordSet.Empty, Internal = 0, Zone = 0, Prefix = prefix, Offset = range.Offset, Length = range.Length,
        });
        MessageFacts facts = MessageFacts.OfAny(bytes.Whole, options.Mime, log);
        long? lfOctets = options.LineEndings == FileLineEndings.Lf ? LineEnds.LengthWithLf(bytes.Whole.Span) : null;
        if (facts.Size > room) return new(facts.WireLength, lfOctets, null);
        room -= facts.Size;
        return new(facts.WireLength, lfOctets, facts);
    }

    internal static Result<MailboxStatus> Status(Account account, MailboxName name)
    {
        if (account.PublishedByName(name.Value) is not { } box) return ChangeRunner.NoMailbox;
        MailboxInfo info = account.InfoOf(box);
        lock (account.Gate)
        {
            if (box.Version is null && box.FirstRecent < box.UidNext && box.FirstRecent.Value > 1) goto load;
            return new MailboxStatus(info, box.Validity, box.UidNext, box.Highest)
            {
                Messages = (int)box.Counts.Messages,
                Unseen = (int)box.Counts.Unseen,
                Deleted = (int)box.Counts.Deleted,
                Recent = RecentIn(box),
                Size = box.Counts.Octets,
                DeletedSize = box.Counts.DeletedOctets,
            };
        }

    load:
        account.VersionOf(box); // to count what is recent
        return Status(account, name);
    }

    /// <summary>The base names of messages' files, for those that are still there.</summary>
    internal static List<(Uid Uid, string Base)> BasesOf(Account account, Box box, IReadOnlyList<Uid> uids) => account.Read(catalogue =>
    {
        List<(Uid, string)> bases = new(uids.Count);
        foreach (Uid uid in uids)
            if (catalogue.TryGetFile(box.Id, uid, out FileRow file)) bases.Add((uid, file.Base));
        return bases;
    });

    internal static IReadOnlyList<UidRange> ExpungedSince(Account account, MailboxId mailbox, ModSeq since)
    {
        if (account.Published(mailbox) is not { } box) return [];
        if (since >= box.Floor) return account.Read(catalogue => UidRange.Of(catalogue.Tombstones.Since(box.Id, since, box.Tombstones)));
        // What was expunged before the floor is not known for sure any more.
        MailboxVersion version = account.VersionOf(box);
        return version.UidNext.Value == 1 ? [] : [.. UidRange.Absent(version, new(new(1), new(version.UidNext.Value - 1)))];
    }

    internal List<MessageSummary> Summaries(Account account, MailboxId mailbox, IReadOnlyList<Uid> uids, int start, int count, SummaryFields fields)
    {
        if (account.Published(mailbox) is not { } box) return [];
        Uid[] some = new Uid[count];
        for (int i = 0; i < count; i++) some[i] = uids[start + i];
        if (fields == SummaryFields.SortKeys) return SortKeysOf(account, box, some);
        return account.Read(catalogue =>
        {
            List<MessageSummary> summaries = new(count);
            catalogue.Scan.Summaries(box.Id, some, fields & ~SummaryFields.Pop3Uidl, summaries);
            if (!fields.HasFlag(SummaryFields.Pop3Uidl)) return summaries;
            for (int i = 0; i < summaries.Count; i++) summaries[i] = summaries[i] with { Pop3Uidl = UidListEntry.Pop3UidlOf(catalogue.Lists.Of(box.Id, summaries[i].Uid)) };
            return summaries;
        });
    }

    // They never change while a message has its UID, apart from foreign hands (Account.ForgetSortKeys).
    private List<MessageSummary> SortKeysOf(Account account, Box box, Uid[] uids)
    {
        MailboxVersion version = account.VersionOf(box);
        return account.Read(catalogue =>
        {
            SortKeyCache.Keys kept = SortKeyCache.Of(box);
            Uid[] unknown = [.. uids.Where(uid => kept.Find(uid) is null)];
            if (unknown.Length > 0)
            {
                List<MessageSummary> read = new(unknown.Length);
                catalogue.Scan.Summaries(box.Id, unknown, SummaryFields.SortKeys, read);
                foreach (MessageSummary summary in read) kept.Add(summary.Uid, summary.Sort!);
            }

            _keys.Note(box, kept);
            List<MessageSummary> summaries = new(uids.Length);
            foreach (Uid uid in uids)
                if (kept.Find(uid) is { } keys && version.IndexOf(uid) >= 0) summaries.Add(new(uid) { Sort = keys });
            return summaries;
        });
    }

    internal Result<IMessageContent> Open(Account account, MailboxId mailbox, Uid uid) => OpenNext(account, mailbox, uid) ?? OpenAny(account, mailbox, uid);

    // The usual case: the message after the last one that was read, in the file that the catalogue names.
    private static Result<IMessageContent>? OpenNext(Account account, MailboxId mailbox, Uid uid)
    {
        if (account.Published(mailbox) is not { } box) return null;
        (bool found, MessagePlace place) = account.Read(catalogue => (box.ReadAhead.TryFind(catalogue, box, account.ChangeNumber, uid, out MessagePlace next), next));
        if (!found) return null;
        try
        {
            IVolumeFile file = account.Tree.Volume.Open(account.Files.PathOf(box.Name, place.DiskName), VolumeOpen.Read);
            return FileContent.Of(file, place.Octets, place.Wire);
        }
        catch (VolumeException)
        {
            return null; // it has another name by now, or something is wrong that the long way finds out
        }
    }

    private Result<IMessageContent> OpenAny(Account account, MailboxId mailbox, Uid uid)
    {
        // A name may change between the look-up and the opening.
        for (int attempt = 0; attempt < 3; attempt++)
        {
            (string? path, ContentRow content, long wire) = account.Read(catalogue => Locate(account, catalogue, mailbox, uid));
            if (content.Id == 0) return Gone;
            try
            {
                if (path is null && account.Delayed.Open(content, wire) is { } recorded) return recorded;
                // A copy whose file is not made yet: any other's will do.
                path ??= account.Read(_ => account.Files.LocateCopy(content.Id));
                if (path is null) return Gone;
                IVolumeFile file = account.Tree.Volume.Open(path, VolumeOpen.Read);
                return FileContent.Of(file, content.Octets, wire);
            }
            catch (VolumeException problem) when (problem.Error == VolumeError.Missing)
            {
                continue;
            }
            catch (VolumeException problem)
            {
                log.FileDelayed(problem, account.Who.Address);
                return new Refusal(RefusalKind.Unavailable, "The message cannot be read now");
            }
        }

        return Gone;
    }

    /// <summary>Reads from the front until the end or until the span is full; the octets read.</summary>
    internal static int ReadAll(IMessageContent content, Span<byte> into)
    {
        if (into.Length > content.Length) into = into[..(int)content.Length];
        int length = 0;
        while (length < into.Length && content.Read(length, into[length..]) is > 0 and int got) length += got;
        return length;
    }

    private static int RecentIn(Box box)
    {
        if (box.FirstRecent >= box.UidNext) return 0;
        if (box.FirstRecent.Value <= 1 || box.Version is not { } version) return (int)box.Counts.Messages;
        int at = version.IndexOf(box.FirstRecent);
        return version.Count - (at < 0 ? ~at : at);
    }

    private static (string? Path, ContentRow Content, long Wire) Locate(Account account, AccountCatalogue catalogue, MailboxId mailbox, Uid uid)
    {
        if (account.Published(mailbox) is { } box && catalogue.TryGetMessage(box.Id, uid, out StoredRow row))
        {
            // Both rows come and go in one transaction: a message that is there must never be called removed because its file's row got lost.
            if (!catalogue.TryGetFile(box.Id, uid, out FileRow file)) throw catalogue.Damage("A message has no file's row.");
            return (file.DiskName.Length == 0 ? null : account.Files.Locate(box.Name, file), catalogue.Contents.Of(row.Content), row.Row.Size);
        }

        if (account.Mailboxes.GoneOf(mailbox, uid) is not { } gone) return default;
        if (gone.Path.Length > 0) return (account.Delayed.PathBefore(gone.Path) ?? gone.Path, new(gone.Content, default, default, 0, 0, gone.Octets), gone.Wire);
        // It was moved: any of its names will do.
        foreach ((long other, Uid copy) in catalogue.Contents.CopiesOf(gone.Content))
        {
            if (account.PublishedById(other) is { } target && catalogue.TryGetFile(other, copy, out FileRow moved) && account.Files.Locate(target.Name, moved) is { } path)
                return (path, catalogue.Contents.Of(gone.Content), gone.Wire);
        }

        return default;
    }
}
