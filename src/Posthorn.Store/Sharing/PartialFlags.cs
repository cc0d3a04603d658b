using Posthorn.Core;

namespace Posthorn.Store.Sharing;

/// <summary>Changes those flags of a command that a user may change (RFC 4314 section 4: a STORE should not fail when one of them can be changed).</summary>
internal static class PartialFlags
{
    internal static async ValueTask<Result<FlagOutcome>> ChangeAsync(
        IMailStore store, MailboxInfo info, MailboxRights rights, IReadOnlyList<Uid> uids, FlagChange change, UnchangedSince? unchangedSince, CancellationToken cancel)
    {
        MailboxId mailbox = info.Id!.Value;
        SystemFlags allowed = FlagRights.Flags(rights);
        bool keywords = FlagRights.Keywords(rights);
        FlagChange may = new(change.Operation, change.Flags & allowed, keywords ? change.Keywords : KeywordSet.Empty);
        bool isEmpty = may.Flags == SystemFlags.None && may.Keywords.Count == 0;
        bool asksNothing = change.Flags == SystemFlags.None && change.Keywords.Count == 0;
        if (FlagRights.AreNone(rights) || isEmpty && !asksNothing) return new Refusal(RefusalKind.NoPermission, "You have not the right to change these flags");
        if (change.Operation != FlagOperation.Replace) return await store.ChangeFlagsAsync(mailbox, uids, may, unchangedSince, cancel);

        // What he may not change stays: so first away with what he may take away, then on with what he may set.
        KeywordSet known = KeywordSet.Empty;
        if (keywords)
        {
            Result<IMailbox> opened = await store.OpenMailboxAsync(info.Name, readOnly: true, cancel);
            if (!opened.IsOk) return opened.Refusal;
            await using IMailbox box = opened.Value;
            known = box.Current.Keywords.Except(may.Keywords);
        }

        UnchangedSince? whole = unchangedSince is null ? null : unchangedSince with { Known = null }; // replacing means all flags
        Result<FlagOutcome> taken = await store.ChangeFlagsAsync(mailbox, uids, new(FlagOperation.Remove, allowed & ~may.Flags, known), whole, cancel);
        if (!taken.IsOk || isEmpty) return taken;
        Result<FlagOutcome> set = await store.ChangeFlagsAsync(mailbox, taken.Value.Changed, may with { Operation = FlagOperation.Add }, null, cancel);
        return set.IsOk ? taken : set;
    }
}
