using Posthorn.Core;
using Posthorn.Store;
using Posthorn.Store.Sharing;

namespace Posthorn.Testing.Stores;

/// <summary>The store of one account, in memory.</summary>
internal sealed class MemoryMailStore(MailAccount account, MemoryAccount memory) : IMailStore
{
    public MailAccount Account { get; } = account;

    public char Separator => memory.Separator;

    public long ChangeNumber => memory.ChangeNumber;

    public ValueTask<IReadOnlyList<MailboxInfo>> ListAsync(CancellationToken cancel) => Done(memory.List(), cancel);

    public ValueTask<bool> RemembersAsync(ReadOnlyMemory<byte> id, CancellationToken cancel) => Done(memory.Remembers(id), cancel);

    public ValueTask<Result<MailboxInfo>> CreateAsync(MailboxName name, SpecialUse use, CancellationToken cancel) => Done(memory.Create(name, use), cancel);

    public ValueTask<Result<Done>> DeleteAsync(MailboxName name, CancellationToken cancel) => Done(memory.Delete(name), cancel);

    public ValueTask<Result<Done>> RenameAsync(MailboxName from, MailboxName target, CancellationToken cancel) => Done(memory.Rename(from, target), cancel);

    public ValueTask<Result<Done>> SubscribeAsync(MailboxName name, bool subscribed, CancellationToken cancel) => Done(memory.Subscribe(name, subscribed), cancel);

    public ValueTask<Result<MailboxStatus>> StatusAsync(MailboxName name, CancellationToken cancel) => Done(memory.Status(name), cancel);

    public ValueTask<Result<IMailbox>> OpenMailboxAsync(MailboxName name, bool readOnly, CancellationToken cancel) => Done(memory.Open(name, readOnly), cancel);

    public ValueTask<Result<AppendReceipt>> AppendAsync(MailboxName target, IReadOnlyList<NewMessage> messages, CancellationToken cancel) =>
        Done(memory.Append(target, messages), cancel);

    public ValueTask<Result<Placement>> CopyAsync(MailboxId source, IReadOnlyList<Uid> uids, MailboxName target, CancellationToken cancel, IProgress<int>? done = null) =>
        Done(memory.Copy(source, uids, target, move: false), done, uids.Count, cancel);

    public ValueTask<Result<Placement>> MoveAsync(MailboxId source, IReadOnlyList<Uid> uids, MailboxName target, CancellationToken cancel, IProgress<int>? done = null) =>
        Done(memory.Copy(source, uids, target, move: true), done, uids.Count, cancel);

    public ValueTask<Result<FlagOutcome>> ChangeFlagsAsync(MailboxId mailbox, IReadOnlyList<Uid> uids, FlagChange change, UnchangedSince? unchangedSince, CancellationToken cancel) =>
        Done(memory.ChangeFlags(mailbox, uids, change, unchangedSince), cancel);

    public ValueTask<Result<IReadOnlyList<Uid>>> ExpungeAsync(MailboxId mailbox, IReadOnlyList<Uid>? only, CancellationToken cancel) =>
        Done(memory.Expunge(mailbox, only), cancel);

    public ValueTask<IReadOnlyList<UidRange>> ExpungedSinceAsync(MailboxId mailbox, ModSeq since, CancellationToken cancel) =>
        Done(memory.ExpungedSince(mailbox, since), cancel);

    public async IAsyncEnumerable<MessageSummary> SummariesAsync(
        MailboxId mailbox, IReadOnlyList<Uid> uids, SummaryFields fields, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancel)
    {
        foreach (Uid uid in uids)
            if (memory.Find(mailbox, uid) is { } entry) yield return await Done(entry.Message.Summarize(uid, fields, entry.Thread, entry.Saved), cancel);
    }

    public ValueTask<Result<IMessageContent>> OpenContentAsync(MailboxId mailbox, Uid uid, CancellationToken cancel) =>
        Done<Result<IMessageContent>>(memory.Find(mailbox, uid) is { } entry ? new MemoryContent(entry.Message.Wire) : new Refusal(RefusalKind.Expunged, "The message was removed"), cancel);

    public ValueTask<IReadOnlyList<Uid>> FindTextAsync(MailboxId mailbox, IReadOnlyList<Uid> candidates, TextCriterion criterion, CancellationToken cancel, IProgress<int>? done = null) =>
        Done<IReadOnlyList<Uid>>(memory.Search(mailbox, candidates, new(criterion, Mime.MimeLimits.Default)), done, candidates.Count, cancel);

    public ModSeq HighestModSeq => memory.HighestModSeq;

    public ValueTask<MailboxInfo?> FindAsync(MailboxName name, CancellationToken cancel) => Done(memory.List().FirstOrDefault(info => info.Name == name && info.Id is not null), cancel);

    public ValueTask<MailboxInfo?> FindAsync(MailboxId mailbox, CancellationToken cancel) => Done(memory.List().FirstOrDefault(info => info.Id == mailbox), cancel);

    public ValueTask<Result<Done>> ShareAsync(MailboxId mailbox, string identifier, MailboxRights? rights, CancellationToken cancel) => Done(memory.Share(mailbox, identifier, rights), cancel);

    public ValueTask<IReadOnlyList<Annotation>> AnnotationsAsync(MailboxId? mailbox, CancellationToken cancel) => Done(memory.Notes.Of(mailbox), cancel);

    public ValueTask<IReadOnlyList<Annotation>> AnnotationsSinceAsync(ModSeq since, CancellationToken cancel) => Done(memory.Notes.Since(since), cancel);

    public ValueTask<Result<ModSeq>> AnnotateAsync(MailboxId? mailbox, IReadOnlyList<Annotation> annotations, int most, CancellationToken cancel) =>
        Done(memory.Annotate(mailbox, annotations, most), cancel);

    public ValueTask<QuotaState> QuotaAsync(CancellationToken cancel) => Done(memory.Quota(), cancel);

    public async ValueTask WaitForChangeAsync(long seen, CancellationToken cancel) => await memory.ChangeAbove(seen).WaitAsync(cancel);

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private static ValueTask<T> Done<T>(T value, IProgress<int>? done, int messages, CancellationToken cancel)
    {
        done?.Report(messages);
        return Done(value, cancel);
    }

    private static ValueTask<T> Done<T>(T value, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        return ValueTask.FromResult(value);
    }
}
