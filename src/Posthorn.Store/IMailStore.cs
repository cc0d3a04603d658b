using Posthorn.Core;

namespace Posthorn.Store;

/// <summary>The mail of one account. One writer at a time; readers see the last committed change.</summary>
/// <remarks>
/// Every method that changes something is atomic and durable when its task completes, flag changes excepted. <c>Posthorn.Store.Contract</c> holds all implementations to that.
/// Long work reports how many more messages it has done, from any thread, and in the end as many as it was given.
/// </remarks>
public interface IMailStore : IAsyncDisposable
{
    MailAccount Account { get; }

    /// <summary>What parts the levels of a mailbox name.</summary>
    char Separator { get; }

    /// <summary>All mailboxes, and subscribed names without a mailbox; in order of name, INBOX first.</summary>
    ValueTask<IReadOnlyList<MailboxInfo>> ListAsync(CancellationToken cancel);

    /// <summary>Makes a mailbox; missing parents are not made (they list as <c>\NonExistent</c>).</summary>
    ValueTask<Result<MailboxInfo>> CreateAsync(MailboxName name, SpecialUse use, CancellationToken cancel);

    /// <summary>Removes a mailbox and its messages; children stay. INBOX cannot be removed.</summary>
    ValueTask<Result<Done>> DeleteAsync(MailboxName name, CancellationToken cancel);

    /// <summary>Renames a mailbox with its children, as one step. Renaming INBOX moves its messages into a new mailbox and leaves children alone (RFC 9051 section 6.3.6).</summary>
    ValueTask<Result<Done>> RenameAsync(MailboxName from, MailboxName target, CancellationToken cancel);

    /// <summary>Adds a name to the subscriptions or takes it off; the mailbox need not exist.</summary>
    ValueTask<Result<Done>> SubscribeAsync(MailboxName name, bool subscribed, CancellationToken cancel);

    /// <summary>Counts and numbers of a mailbox without opening it (RFC 9051 section 6.3.11).</summary>
    ValueTask<Result<MailboxStatus>> StatusAsync(MailboxName name, CancellationToken cancel);

    /// <summary>Opens a mailbox for a session; dispose it on CLOSE. Opening for writing takes the <c>\Recent</c> claim on its new messages (RFC 3501 section 2.3.2).</summary>
    ValueTask<Result<IMailbox>> OpenMailboxAsync(MailboxName name, bool readOnly, CancellationToken cancel);

    /// <summary>Appends messages to a mailbox, all or none (RFC 3502). The next call may start before this one's task completes; they then share a flush and keep their order.</summary>
    ValueTask<Result<AppendReceipt>> AppendAsync(MailboxName target, IReadOnlyList<NewMessage> messages, CancellationToken cancel);

    /// <summary>As <see cref="AppendAsync"/>, for a caller that has more to append before it needs the outcome: the messages have their places when it returns, and the flush is left to somebody else, so that the next can share it.</summary>
    ValueTask<Result<AppendReceipt>> AppendSoonAsync(MailboxName target, IReadOnlyList<NewMessage> messages, CancellationToken cancel) => AppendAsync(target, messages, cancel);

    /// <summary>Copies the messages that still exist, all or none, flags and dates kept (RFC 9051 section 6.4.7).</summary>
    ValueTask<Result<Placement>> CopyAsync(MailboxId source, IReadOnlyList<Uid> uids, MailboxName target, CancellationToken cancel, IProgress<int>? done = null);

    /// <summary>Moves the messages that still exist; the rest are skipped (RFC 6851 section 3.3).</summary>
    ValueTask<Result<Placement>> MoveAsync(MailboxId source, IReadOnlyList<Uid> uids, MailboxName target, CancellationToken cancel, IProgress<int>? done = null);

    /// <summary>Changes flags and keywords. Messages that <paramref name="unchangedSince"/> does not admit are left alone and named in the outcome (RFC 7162 section 3.1.3).</summary>
    ValueTask<Result<FlagOutcome>> ChangeFlagsAsync(MailboxId mailbox, IReadOnlyList<Uid> uids, FlagChange change, UnchangedSince? unchangedSince, CancellationToken cancel);

    /// <summary>Removes the messages that carry <c>\Deleted</c>: of <paramref name="only"/>, or all when it is null (RFC 4315). The UIDs removed.</summary>
    ValueTask<Result<IReadOnlyList<Uid>>> ExpungeAsync(MailboxId mailbox, IReadOnlyList<Uid>? only, CancellationToken cancel);

    /// <summary>The UIDs expunged after <paramref name="since"/>, in order and in ranges that do not touch (RFC 7162 section 3.2); every absent UID below UIDNEXT when that is no longer known.</summary>
    ValueTask<IReadOnlyList<UidRange>> ExpungedSinceAsync(MailboxId mailbox, ModSeq since, CancellationToken cancel);

    /// <summary>What is kept about messages, ready for the wire, in the order asked; messages that are gone are left out.</summary>
    IAsyncEnumerable<MessageSummary> SummariesAsync(MailboxId mailbox, IReadOnlyList<Uid> uids, SummaryFields fields, CancellationToken cancel);

    /// <summary>Opens a message's bytes, CRLF line ends. Works for a message expunged while <see cref="IMailbox"/> handles that have it are open.</summary>
    ValueTask<Result<IMessageContent>> OpenContentAsync(MailboxId mailbox, Uid uid, CancellationToken cancel);

    /// <summary>Of <paramref name="candidates"/> those whose text matches, in order; substring, decoded, ignoring case (RFC 9051 section 6.4.4).</summary>
    ValueTask<IReadOnlyList<Uid>> FindTextAsync(MailboxId mailbox, IReadOnlyList<Uid> candidates, TextCriterion criterion, CancellationToken cancel, IProgress<int>? done = null);

    /// <summary>Whether the account's filter remembers this (see <see cref="FilterNote"/>).</summary>
    ValueTask<bool> RemembersAsync(ReadOnlyMemory<byte> id, CancellationToken cancel);

    /// <summary>What the account uses and may use.</summary>
    ValueTask<QuotaState> QuotaAsync(CancellationToken cancel);

    /// <summary>A mailbox by name, as <see cref="ListAsync"/> has it; null when there is none.</summary>
    ValueTask<MailboxInfo?> FindAsync(MailboxName name, CancellationToken cancel);

    /// <summary>A mailbox by its id.</summary>
    ValueTask<MailboxInfo?> FindAsync(MailboxId mailbox, CancellationToken cancel);

    /// <summary>Gives somebody rights to a mailbox, or takes his entry off the list (RFC 4314 section 3.1).</summary>
    ValueTask<Result<Done>> ShareAsync(MailboxId mailbox, string identifier, Sharing.MailboxRights? rights, CancellationToken cancel);

    /// <summary>All annotations of a mailbox, or of the account when it is null, by name (RFC 5464).</summary>
    ValueTask<IReadOnlyList<Annotation>> AnnotationsAsync(MailboxId? mailbox, CancellationToken cancel);

    /// <summary>Annotations of any mailbox that were set or removed after <paramref name="since"/>; removed ones have no value. Those removed long ago may be missing.</summary>
    ValueTask<IReadOnlyList<Annotation>> AnnotationsSinceAsync(ModSeq since, CancellationToken cancel);

    /// <summary>Sets annotations, and removes those without a value; all or none. A mailbox may have at most so many. The MODSEQ of the change.</summary>
    ValueTask<Result<ModSeq>> AnnotateAsync(MailboxId? mailbox, IReadOnlyList<Annotation> annotations, int most, CancellationToken cancel);

    /// <summary>The account's MODSEQ counter: no change has a higher one.</summary>
    ModSeq HighestModSeq { get; }

    /// <summary>Grows with every change in the account. The change feed: compare, then <see cref="ListAsync"/> tells which mailboxes changed.</summary>
    long ChangeNumber { get; }

    /// <summary>Completes when <see cref="ChangeNumber"/> is above <paramref name="seen"/>.</summary>
    ValueTask WaitForChangeAsync(long seen, CancellationToken cancel);
}

/// <summary>An open mailbox. The feed of one mailbox: <see cref="Current"/> is always the newest committed state; a reader that is slow misses nothing, it compares two versions.</summary>
public interface IMailbox : IAsyncDisposable
{
    MailboxInfo Info { get; }

    /// <summary>The newest version; versions are immutable.</summary>
    MailboxVersion Current { get; }

    /// <summary>The first UID that was <c>\Recent</c> for this session when it opened the mailbox (RFC 3501 section 2.3.2).</summary>
    Uid FirstRecent { get; }

    /// <summary>UIDs from here on came after the mailbox was opened.</summary>
    Uid FirstNew { get; }

    /// <summary>
    /// This session is about to be told of the messages from <paramref name="from"/> up to and without <paramref name="next"/>: from the answer on they are <c>\Recent</c> for it.
    /// Of those that were told to a session that may write, no other is told so (RFC 3501 section 2.3.2).
    /// </summary>
    Uid ClaimRecent(Uid from, Uid next);

    /// <summary>False once the mailbox was deleted by somebody.</summary>
    bool Exists { get; }

    /// <summary>Whether it exists no longer in the eyes of this session only: what is known of it was made anew, and the client must select it again.</summary>
    bool IsReplaced => false;

    /// <summary>Whether its messages may have keywords that none has yet (RFC 9051 section 7.1, PERMANENTFLAGS with <c>\*</c>).</summary>
    bool TakesKeywords { get; }

    /// <summary>Completes when <see cref="Current"/> is no longer <paramref name="seen"/>, or the mailbox is gone.</summary>
    ValueTask WaitForChangeAsync(MailboxVersion seen, CancellationToken cancel);
}

/// <summary>A message's bytes. Reading is synchronous: local files, small steps.</summary>
public interface IMessageContent : IAsyncDisposable
{
    /// <summary>Octets, with CRLF line ends: RFC822.SIZE.</summary>
    long Length { get; }

    /// <summary>Reads from <paramref name="offset"/>; the number of octets read, 0 at the end.</summary>
    int Read(long offset, Span<byte> into);
}
