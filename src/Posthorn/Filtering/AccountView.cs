using Posthorn.Core;
using Posthorn.Sieve;
using Posthorn.Store;
using Posthorn.Transport.Filtering;

namespace Posthorn.Filtering;

/// <summary>A mailbox as scripts see it.</summary>
/// <param name="Use">Its special use, <c>\\Junk</c>, or null.</param>
internal sealed record KnownMailbox(string Name, string? Id, string? Use)
{
    public static KnownMailbox Of(MailboxInfo box) => new(box.Name.ToString(), box.Id?.Value, box.Use == SpecialUse.None ? null : "\\" + box.Use);
}

/// <summary>What the control socket tells of an account's mailboxes.</summary>
internal sealed record MailboxesReport(IReadOnlyList<KnownMailbox> Mailboxes);

/// <summary>An account as it is now, for scripts that are tried over it: its mailboxes, scripts and lists.</summary>
internal sealed class AccountView(MailAccount account, IReadOnlyList<KnownMailbox> mailboxes, SieveOptions options, ScriptLibrary library, ListFiles lists)
{
    private readonly HashSet<string> _names = [.. mailboxes.Select(box => box.Name)];

    public MailAccount Account => account;

    public bool Exists(MailboxName mailbox) => mailbox.IsInbox || _names.Contains(mailbox.ToString());

    /// <summary>The answer, or null for questions that are not about the account as it is.</summary>
    public async ValueTask<SieveAnswer?> AnswerAsync(SieveQuestion question, CancellationToken cancel) => question switch
    {
        SieveQuestion.MailboxExists q => new SieveAnswer.Truth(Exists(q.Mailbox)),
        SieveQuestion.MailboxIdExists q => new SieveAnswer.Truth(mailboxes.Any(box => box.Id == q.Id)),
        SieveQuestion.SpecialUseExists q => new SieveAnswer.Truth(mailboxes.Any(box => HasUse(box, q.Use) && (q.Mailbox is not { } name || box.Name == name.ToString()))),
        SieveQuestion.ExternalList q => lists.Find(account, q.Name, options),
        SieveQuestion.Include q => await library.IncludeAsync(account, q, options, cancel),
        _ => null,
    };

    /// <summary>Where a message is put that is filed so (RFC 9042 section 3, RFC 8579 section 4).</summary>
    public MailboxName PlaceOf(SieveTarget target)
    {
        string named = target.Mailbox.ToString();
        KnownMailbox? found = target.MailboxId is { } id ? mailboxes.FirstOrDefault(box => box.Id == id) : null;
        if (found is null && target.SpecialUse is { } use)
            found = mailboxes.FirstOrDefault(box => box.Name == named && HasUse(box, use)) ?? mailboxes.FirstOrDefault(box => HasUse(box, use));
        if (found is not null && MailboxName.TryCreate(found.Name, options.Language.MailboxSeparator, out MailboxName chosen)) return chosen;
        return target.Create || Exists(target.Mailbox) ? target.Mailbox : MailboxName.Inbox;
    }

    /// <summary>What the checker may know.</summary>
    public SieveCheckContext Check() => new() { MailboxExists = Exists, OwnerAddresses = [account.Address] };

    private static bool HasUse(KnownMailbox box, string use) => box.Use is { } has && has.Equals(use, StringComparison.OrdinalIgnoreCase);
}
