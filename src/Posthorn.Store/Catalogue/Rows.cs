using Posthorn.Core;

namespace Posthorn.Store.Catalogue;

/// <summary>One row of <c>messages</c>.</summary>
internal readonly record struct StoredRow(MessageRow Row, long Content, long Saved);

/// <summary>One row of <c>files</c>: where a message lies; an empty disk name means that its file is still to be written.</summary>
internal readonly record struct FileRow(Uid Uid, string DiskName, string Base, bool Dirty)
{
    /// <summary>Whether it lies in its mailbox's folder, and neither is still to be written nor lies elsewhere in the tree.</summary>
    internal bool IsInFolder => DiskName is [not '/', ..];
}

/// <summary>One row of <c>contents</c> without what is ready for the wire.</summary>
internal readonly record struct ContentRow(long Id, EmailId Email, ThreadId Thread, long Record, int Part, long Octets);

/// <summary>One row of <c>mailboxes</c>.</summary>
internal sealed record MailboxRow(long Id, MailboxId Object, string Name, SpecialUse Use, UidValidity Validity)
{
    internal required Uid UidNext { get; init; }
    internal required ModSeq Highest { get; init; }
    internal required ModSeq Floor { get; init; }
    internal required Uid FirstRecent { get; init; }
    internal required Counts Counts { get; init; }

    /// <summary>Tombstones that it has.</summary>
    internal long Tombstones { get; init; }
}

/// <summary>Counters of a mailbox.</summary>
internal readonly record struct Counts(long Messages, long Unseen, long Deleted, long Octets, long DeletedOctets)
{
    internal Counts With(in MessageRow row, int sign) => new(
        Messages + sign,
        Unseen + ((row.Flags & SystemFlags.Seen) == 0 ? sign : 0),
        Deleted + ((row.Flags & SystemFlags.Deleted) != 0 ? sign : 0),
        Octets + sign * row.Size,
        DeletedOctets + ((row.Flags & SystemFlags.Deleted) != 0 ? sign * row.Size : 0));
}

/// <summary>The numbers of an account as a whole.</summary>
internal enum MetaKey
{
    /// <summary>The catalogue's own id, as in the Maildir's marker.</summary>
    Id = 1,
    /// <summary>The last record applied.</summary>
    Applied = 2,
    /// <summary>The account's MODSEQ counter.</summary>
    ModSeq = 3,
    /// <summary>The last UIDVALIDITY given.</summary>
    Validity = 4,
    /// <summary>The boot of the machine in which it was open last; empty when it was closed in order.</summary>
    OpenBoot = 5,
    /// <summary>Whether a rebuild is not finished.</summary>
    Rebuilding = 6,
    /// <summary>Changes whenever content numbers may mean something else than before: the word index is compared with the contents then.</summary>
    Generation = 7,
    /// <summary>The highest content number that was given, when its content is gone; numbers are never given twice.</summary>
    LastContent = 8,
    /// <summary>How many ends of the machine it has allowed for (<see cref="Engine.RunMarker"/>).</summary>
    Losses = 9,
    /// <summary>When the file of the filter's notes was changed last, as far as we know, and the user's name in it.</summary>
    NotesFile = 10,
    /// <summary>Where the mail lay when it was whole there last; empty before it was noted first.</summary>
    Root = 11,
}
