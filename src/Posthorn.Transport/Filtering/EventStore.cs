using Posthorn.Core;
using Posthorn.Store;
using Posthorn.Store.Sharing;

namespace Posthorn.Transport.Filtering;

/// <summary>One account's store that runs scripts when a message was appended, copied, moved or flagged. All else goes straight through.</summary>
internal sealed class EventStore(IMailStore inner, EventScripts scripts) : IMailStore
{
    public MailAccount Account => inner.Account;
    public char Separator => inner.Separator;
    public long ChangeNumber => inner.ChangeNumber;

    public async ValueTask<Result<AppendReceipt>> AppendAsync(MailboxName target, IReadOnlyList<NewMessage> messages, CancellationToken cancel)
    {
        Result<AppendReceipt> receipt = await inner.AppendAsync(target, messages, cancel);
        if (receipt.IsOk) await AppendedAsync(receipt.Value, cancel);
        return receipt;
    }

    // Scripts need the outcome at once; without any the appends may share a flush.
    public ValueTask<Result<AppendReceipt>> AppendSoonAsync(MailboxName target, IReadOnlyList<NewMessage> messages, CancellationToken cancel) =>
        scripts.IsEmpty ? inner.AppendSoonAsync(target, messages, cancel) : AppendAsync(target, messages, cancel);

    public async ValueTask<Result<Placement>> CopyAsync(MailboxId source, IReadOnlyList<Uid> uids, MailboxName target, CancellationToken cancel, IProgress<int>? done = null)
    {
        Result<Placement> placed = await inner.CopyAsync(source, uids, target, cancel, done);
        if (placed.IsOk) await TellAsync("COPY", placed.Value.Target, source, placed.Value.Targets, [], cancel);
        return placed;
    }

    public async ValueTask<Result<Placement>> MoveAsync(MailboxId source, IReadOnlyList<Uid> uids, MailboxName target, CancellationToken cancel, IProgress<int>? done = null)
    {
        Result<Placement> placed = await inner.MoveAsync(source, uids, target, cancel, done);
        if (placed.IsOk) await TellAsync("COPY", placed.Value.Target, source, placed.Value.Targets, [], cancel);
        return placed;
    }

    public async ValueTask<Result<FlagOutcome>> ChangeFlagsAsync(MailboxId mailbox, IReadOnlyList<Uid> uids, FlagChange change, UnchangedSince? unchangedSince, CancellationToken cancel)
    {
        Result<FlagOutcome> outcome = await inner.ChangeFlagsAsync(mailbox, uids, change, unchangedSince, cancel);
        if (outcome.IsOk) await TellAsync("FLAG", mailbox, null, outcome.Value.Changed, FlagWords.Write(change.Flags, change.Keywords), cancel);
        return outcome;
    }

    public ValueTask<IReadOnlyList<MailboxInfo>> ListAsync(CancellationToken cancel) => inner.ListAsync(cancel);
    public ValueTask<Result<MailboxInfo>> CreateAsync(MailboxName name, SpecialUse use, CancellationToken cancel) => inner.CreateAsync(name, use, cancel);
    public ValueTask<Result<Done>> DeleteAsync(MailboxName name, CancellationToken cancel) => inner.DeleteAsync(name, cancel);
    public ValueTask<Result<Done>> RenameAsync(MailboxName from, MailboxName target, CancellationToken cancel) => inner.RenameAsync(from, target, cancel);
    public ValueTask<Result<Done>> SubscribeAsync(MailboxName name, bool subscribed, CancellationToken cancel) => inner.SubscribeAsync(name, subscribed, cancel);
    public ValueTask<Result<MailboxStatus>> StatusAsync(MailboxName name, CancellationToken cancel) => inner.StatusAsync(name, cancel);
    public ValueTask<Result<IMailbox>> OpenMailboxAsync(MailboxName name, bool readOnly, CancellationToken cancel) => inner.OpenMailboxAsync(name, readOnly, cancel);
    public ValueTask<Result<IReadOnlyList<Uid>>> ExpungeAsync(MailboxId mailbox, IReadOnlyList<Uid>? only, CancellationToken cancel) => inner.ExpungeAsync(mailbox, only, cancel);
    public ValueTask<IReadOnlyList<UidRange>> ExpungedSinceAsync(MailboxId mailbox, ModSeq since, CancellationToken cancel) => inner.ExpungedSinceAsync(mailbox, since, cancel);
    public IAsyncEnumerable<MessageSummary> SummariesAsync(MailboxId mailbox, IReadOnlyList<Uid> uids, SummaryFields fields, CancellationToken cancel) => inner.SummariesAsync(mailbox, uids, fields, cancel);
    public ValueTask<Result<IMessageContent>> OpenContentAsync(MailboxId mailbox, Uid uid, CancellationToken cancel) => inner.OpenContentAsync(mailbox, uid, cancel);
    public ValueTask<IReadOnlyList<Uid>> FindTextAsync(MailboxId mailbox, IReadOnlyList<Uid> candidates, TextCriterion criterion, CancellationToken cancel, IProgress<int>? done = null) => inner.FindTextAsync(mailbox, candidates, criterion, cancel, done);
    public ValueTask<bool> RemembersAsync(ReadOnlyMemory<byte> id, CancellationToken cancel) => inner.RemembersAsync(id, cancel);
    public ModSeq HighestModSeq => inner.HighestModSeq;
    public ValueTask<MailboxInfo?> FindAsync(MailboxName name, CancellationToken cancel) => inner.FindAsync(name, cancel);
    public ValueTask<MailboxInfo?> FindAsync(MailboxId mailbox, CancellationToken cancel) => inner.FindAsync(mailbox, cancel);
    public ValueTask<Result<Done>> ShareAsync(MailboxId mailbox, string identifier, MailboxRights? rights, CancellationToken cancel) => inner.ShareAsync(mailbox, identifier, rights, cancel);
    public ValueTask<IReadOnlyList<Annotation>> AnnotationsAsync(MailboxId? mailbox, CancellationToken cancel) => inner.AnnotationsAsync(mailbox, cancel);
    public ValueTask<IReadOnlyList<Annotation>> AnnotationsSinceAsync(ModSeq since, CancellationToken cancel) => inner.AnnotationsSinceAsync(since, cancel);
    public ValueTask<Result<ModSeq>> AnnotateAsync(MailboxId? mailbox, IReadOnlyList<Annotation> annotations, int most, CancellationToken cancel) => inner.AnnotateAsync(mailbox, annotations, most, cancel);
    public ValueTask<QuotaState> QuotaAsync(CancellationToken cancel) => inner.QuotaAsync(cancel);
    public ValueTask WaitForChangeAsync(long seen, CancellationToken cancel) => inner.WaitForChangeAsync(seen, cancel);
    public ValueTask DisposeAsync() => inner.DisposeAsync();

    /// <summary>Messages were appended.</summary>
    public ValueTask AppendedAsync(AppendReceipt receipt, CancellationToken cancel) =>
        TellAsync("APPEND", receipt.Mailbox, null, [.. receipt.Messages.Select(message => message.Uid)], [], cancel);

    /// <summary>Messages came from another account.</summary>
    public ValueTask ArrivedAsync(Placement placed, CancellationToken cancel) => TellAsync("COPY", placed.Target, null, placed.Targets, [], cancel);

    private async ValueTask TellAsync(string cause, MailboxId mailbox, MailboxId? source, IReadOnlyList<Uid> uids, IReadOnlyList<string> changed, CancellationToken cancel)
    {
        if (scripts.IsEmpty || uids.Count == 0) return;
        IReadOnlyList<MailboxInfo> mailboxes = await inner.ListAsync(cancel);
        if (mailboxes.FirstOrDefault(box => box.Id == mailbox) is not { } where) return;
        MailboxName? from = source is { } id && mailboxes.FirstOrDefault(box => box.Id == id) is { } box ? box.Name : null;
        await scripts.RunAsync(inner, new(cause, where, from, changed), uids, cancel);
    }
}
