using Posthorn.Core;

namespace Posthorn.Store.Changes;

/// <summary>A change of one account as the journal keeps it. All numbers are in it, so that applying it again gives the same result.</summary>
/// <remarks>The kinds' numbers and the fields' order reach the disk (see <see cref="ChangeCodec"/>): never renumber, only add.</remarks>
internal abstract record Change
{
    /// <summary>A message comes into a mailbox. Its bytes are a range of the record's content behind a header of its own.</summary>
    internal sealed record Store(MailboxId Mailbox, Uid Uid, EmailId Email, int Index) : Change
    {
        internal required SystemFlags Flags { get; init; }
        internal required KeywordSet Keywords { get; init; }
        internal required long Internal { get; init; }
        internal required short Zone { get; init; }
        internal required ReadOnlyMemory<byte> Prefix { get; init; }
        internal required long Offset { get; init; }
        internal required long Length { get; init; }

        /// <summary>Octets of its file when that ends lines with LF; null when it is as it was received. It stands in the record, so that another setting changes nothing for it.</summary>
        internal long? LfOctets { get; init; }

        /// <summary>The conversation that it brings from another account with its EMAILID; null when it gets one here (RFC 8474 section 5.2).</summary>
        internal ThreadId? Thread { get; init; }

        /// <summary>What was found out about it before the record was written; replay finds it out again.</summary>
        internal MessageFacts? Facts { get; init; }

        internal bool HasLf => LfOctets is not null;

        /// <summary>Octets as they were received.</summary>
        internal long Received => Prefix.Length + Length;

        /// <summary>Octets of its file.</summary>
        internal long Octets => LfOctets ?? Received;
    }

    /// <summary>Messages are copied or moved from one mailbox to another.</summary>
    internal sealed record Place(MailboxId Source, MailboxId Target, bool Move, IReadOnlyList<Pair> Pairs) : Change;

    /// <summary>Messages go.</summary>
    internal sealed record Expunge(MailboxId Mailbox, IReadOnlyList<(Uid Uid, string Base)> Messages) : Change;

    /// <summary>Flags change.</summary>
    internal sealed record Flag(MailboxId Mailbox, FlagChange What, IReadOnlyList<Uid> Uids) : Change;

    /// <summary>A mailbox is made.</summary>
    internal sealed record Create(MailboxId Mailbox, MailboxName Name, SpecialUse Use, UidValidity Validity) : Change;

    /// <summary>A mailbox goes with all that is in it.</summary>
    internal sealed record Delete(MailboxId Mailbox, MailboxName Name) : Change;

    /// <summary>A mailbox gets another name.</summary>
    internal sealed record Rename(MailboxId Mailbox, MailboxName From, MailboxName Target) : Change;

    /// <summary>A name is subscribed, or no longer.</summary>
    internal sealed record Subscribe(MailboxName Name, bool Subscribed) : Change;

    /// <summary>A session claims what is recent.</summary>
    internal sealed record Claim(MailboxId Mailbox, Uid FirstUnclaimed) : Change;

    /// <summary>The filter remembers something until a time, milliseconds since 1970.</summary>
    internal sealed record Remember(ReadOnlyMemory<byte> Id, long Until) : Change;

    /// <summary>Files that others put into the Maildir get their numbers.</summary>
    internal sealed record Adopt(MailboxId Mailbox, IReadOnlyList<Adopted> Files) : Change;

    /// <summary>Annotations are set, or removed where the value is null. Without a mailbox they are the account's.</summary>
    internal sealed record Annotate(MailboxId? Mailbox, IReadOnlyList<(string User, string Entry, ReadOnlyMemory<byte>? Value)> Entries) : Change;

    /// <summary>Somebody gets rights to a mailbox, or loses his entry.</summary>
    internal sealed record Share(MailboxId Mailbox, string Identifier, Sharing.MailboxRights? Rights) : Change;

    /// <summary>Another server used the mailbox: its clients know UIDs below and MODSEQs up to these. What its list says of messages is kept.</summary>
    internal sealed record Heard(MailboxId Mailbox, Uid UidNext, ModSeq ModSeq, IReadOnlyList<(Uid Uid, string Fields)> Messages) : Change;

    /// <summary>A mailbox gets another UIDVALIDITY and its messages other UIDs, since two servers gave numbers to different messages.</summary>
    internal sealed record Renumber(MailboxId Mailbox, MailboxName Name, UidValidity Validity, Uid UidNext, IReadOnlyList<(Uid From, Uid To)> Uids) : Change;
}

/// <summary>One message of a copy: which, what it becomes, the base of its file's name, and the n of its new file's name.</summary>
internal readonly record struct Pair(Uid Source, Uid Target, string SourceBase, int Index);

/// <summary>A file of somebody else's: its name with <c>new/</c> or <c>cur/</c>, and what it becomes.</summary>
internal sealed record Adopted(string DiskName, Uid Uid, EmailId Email, SystemFlags Flags, KeywordSet Keywords, long Internal);
