using Posthorn.Core;
using Posthorn.Store.Catalogue;
using Posthorn.Store.Changes;

namespace Posthorn.Store.Engine;

/// <summary>Reads and changes the annotations of one account.</summary>
internal sealed class AnnotationKeeper(Account account, ChangeRunner changes, Recorder recorder, AccountTurns turns, long maxOctets)
{
    private static readonly Refusal NoMailbox = ChangeRunner.NoMailbox;

    internal IReadOnlyList<Annotation> Of(MailboxId? mailbox)
    {
        if (NumberOf(mailbox) is not { } number) return [];
        return account.Read(catalogue => catalogue.Annotations.Of(number).ConvertAll(row => new Annotation(mailbox, row.User, row.Entry, row.Value)));
    }

    internal IReadOnlyList<Annotation> Since(ModSeq modSeq)
    {
        List<Annotation> found = [];
        foreach ((long number, string user, string entry, byte[]? value, long changed) in account.Read(catalogue => catalogue.Annotations.Since(modSeq.Value)))
        {
            MailboxId? mailbox = number == AnnotationTable.Account ? null : account.PublishedById(number)?.Mailbox;
            if (mailbox is null && number != AnnotationTable.Account) continue;
            found.Add(new(mailbox, user, entry, value is null ? (ReadOnlyMemory<byte>?)null : value, new(changed)));
        }

        return found;
    }

    /// <summary>Sets and removes, all or none; the MODSEQ of the change.</summary>
    internal async ValueTask<Result<ModSeq>> ChangeAsync(MailboxId? mailbox, IReadOnlyList<Annotation> wanted, int most, CancellationToken cancel)
    {
        // One at a time: the limit is counted before the record is written.
        using IDisposable? turn = await turns.EnterAsync(account.Who.Address, Timeout.InfiniteTimeSpan, cancel);
        if (NumberOf(mailbox) is not { } number) return NoMailbox;
        foreach (IGrouping<string, Annotation> own in wanted.GroupBy(each => each.User, StringComparer.Ordinal))
            if (Excess(number, own.Key, [.. own], most) is { } refusal) return refusal;
        Result<Operation> done = await changes.RunAsync(() =>
        {
            if (NumberOf(mailbox) is null) return NoMailbox;
            return recorder.Append(account, [new Change.Annotate(mailbox, [.. wanted.Select(each => (each.User, each.Entry, each.Value))])], null, 0, 0);
        });
        return done.IsOk ? done.Value.ModSeq : done.Refusal;
    }

    // Each user has a share of his own (what is shared is nobody's): on a shared mailbox nobody takes the room of the others.
    private Refusal? Excess(long number, string user, IReadOnlyList<Annotation> wanted, int most)
    {
        Dictionary<string, long> known = [];
        long elsewhere = account.Read(catalogue =>
        {
            foreach ((string owner, string entry, byte[] value) in catalogue.Annotations.Of(number))
                if (owner == user) known[entry] = entry.Length + value.Length;
            return catalogue.Annotations.OctetsOf(user) - known.Values.Sum();
        });
        (int count, long octets) = (known.Count, known.Values.Sum());
        foreach (Annotation each in wanted)
            if (each.Value is { } value) known[each.Entry] = each.Entry.Length + value.Length;
            else known.Remove(each.Entry);
        if (known.Count > most && known.Count > count) return new(RefusalKind.Limit, $"A mailbox can have {most} annotations");
        long wantedOctets = known.Values.Sum();
        return wantedOctets > octets && elsewhere + wantedOctets > maxOctets ? new(RefusalKind.Limit, $"The annotations of an account can have {maxOctets} octets") : null;
    }

    /// <summary>What a new mailbox that takes the place of another gets: the other's annotations (RFC 5464 section 4.1, the renaming of INBOX).</summary>
    internal static Change.Annotate? CopyOf(Account account, Box from, MailboxId target)
    {
        List<(string User, string Entry, byte[] Value)> rows = account.Read(catalogue => catalogue.Annotations.Of(from.Id));
        return rows.Count == 0 ? null : new(target, [.. rows.Select(row => (row.User, row.Entry, (ReadOnlyMemory<byte>?)row.Value))]);
    }

    private long? NumberOf(MailboxId? mailbox) => mailbox is { } id ? account.Published(id)?.Id : AnnotationTable.Account;
}
