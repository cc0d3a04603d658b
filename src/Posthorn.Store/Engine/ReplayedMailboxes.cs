using Posthorn.Core;
using Posthorn.Store.Maildir;

namespace Posthorn.Store.Engine;

/// <summary>The mailboxes of which records speak, where a rebuilt catalogue does not know them: it was made of what lies on disk, which may be ahead of the records that are replayed on it.</summary>
/// <remarks>
/// A mailbox that is removed by a later record is gone from the disk, or lies among what was expunged. Mail that records bring into it and take further has to go through it all the same:
/// it is made under a name of its own, and the record that renames or removes it finds it. Runs under the account's catalogue lock.
/// </remarks>
internal sealed class ReplayedMailboxes(Account account, Catalogue.AccountCatalogue catalogue, MaildirTree tree, MaildirStoreOptions options)
{
    private readonly HashSet<MailboxId> _deleted = [];

    /// <summary>The name of a mailbox for as long as its own is not known, or is another's.</summary>
    internal MailboxName? NameOf(MailboxId mailbox) => MailboxName.TryCreate("Recovered-" + mailbox.Value, options.Separator, out MailboxName name) ? name : null;

    /// <summary>A record has removed it: what speaks of it later came too late then, too.</summary>
    internal void Deleted(MailboxId mailbox)
    {
        if (account.IsReplaying) _deleted.Add(mailbox);
    }

    /// <summary>A mailbox as the transaction has it; on replay it is made where it is not known. Null when it is gone.</summary>
    internal BoxDraft? Find(Operation operation, MailboxId mailbox, Draft draft)
    {
        if (draft.Find(mailbox) is { } known) return known;
        if (!account.IsReplaying || _deleted.Contains(mailbox) || NameOf(mailbox) is not { } name || draft.FindName(name.Value) is not null) return null;
        UidList? list = tree.FindFolder(mailbox) is { } folder && tree.ReadText($"{folder}/{UidList.FileName}") is { } text ? UidList.Parse(text) : null;
        draft.Validity = Math.Max(list?.Validity.Value ?? 0, Math.Max(draft.Validity + 1, (uint)(operation.Time / 1000)));
        Box box = account.Emerging(mailbox) ?? new(mailbox, SpecialUse.None, list?.Validity ?? new(draft.Validity));
        box.Id = account.Mailboxes.NextId();
        box.Name = name;
        BoxDraft made = draft.Add(box);
        made.Highest = new(draft.ModSeq);
        if (list is not null) made.UidNext = list.UidNext;
        box.Load(MailboxVersion.Load([], box.Validity, made.UidNext, made.Highest, KeywordSet.Empty));
        catalogue.PutMailbox(made.ToRow());
        account.Files.BringBack(name, mailbox, box.Validity);
        return made;
    }
}
