using Microsoft.Extensions.Logging;
using Posthorn.Core;
using Posthorn.Journal;
using Posthorn.Store.Changes;

namespace Posthorn.Store.Engine;

/// <summary>Brings accounts to where the journal is: when the server starts, when an account is opened for which records wait, and when a damaged catalogue is made anew.</summary>
/// <remarks>Locking: see <see cref="Account"/>. An account is opened by one at a time (<see cref="AccountCache"/>), and the journal replays on one thread.</remarks>
internal sealed class StoreReplay(AccountOpener opener, AccountCache accounts, CheckpointKeeper keeper, Backlog? backlog, ILogger log)
{
    /// <summary>The journal; null while it replays.</summary>
    internal Journal.Journal? Journal { get; set; }

    /// <summary>Applies what a record says, unless the catalogue has it, and mends its files.</summary>
    internal async ValueTask ReplayAsync(JournalRecord record, CancellationToken cancel)
    {
        JournalContent? content = record.HasContent ? record.OpenContent() : null;
        try
        {
            foreach (JournalStep step in record.Steps)
            {
                if (step.Participant != Recorder.Participant) continue;
                AccountChanges changes = ChangeCodec.Read(step.Payload);
                if (record.IsHeld) keeper.NoteHeld(record.Lsn, changes.Account.Address);
                if (keeper.IsRepairing(changes.Account.Address)) continue; // gets all of the journal at its first opening
                if (keeper.IsPostponed(changes.Account.Address))
                {
                    Postpone(record.Lsn, step); // behind what waits already
                    continue;
                }

                Result<AccountLease> lease = await accounts.LeaseAsync(changes.Account, cancel);
                if (!lease.IsOk)
                {
                    // A volume that is not there must not stop the others: the record waits in the journal, and no checkpoint passes it.
                    Postpone(record.Lsn, step);
                    log.ReplayPostponed(changes.Account.Address, record.Lsn.Value);
                    continue;
                }

                using AccountLease held = lease.Value;
                keeper.Touch(changes.Account);
                try
                {
                    int mended = held.Account.Replay(new(record.Lsn, changes.Time, changes.Changes, content, null), held.Account.Mender());
                    if (mended > 0) log.FilesMended(changes.Account.Address, mended);
                }
                catch (Catalogue.CatalogueException problem) when (problem.IsDamage)
                {
                    // One account's damage must not keep the server from starting.
                    await RetireAsync(held.Account, isDamaged: true);
                }
                catch (Exception problem) when (IsOfTheAccount(problem))
                {
                    // Nor must a record that nobody can apply, or that its volume refuses.
                    accounts.Evict(held.Account);
                    held.Account.Abandon();
                    Postpone(record.Lsn, step);
                    log.ReplayFailed(problem, changes.Account.Address, record.Lsn.Value);
                }
            }
        }
        finally
        {
            if (content is not null) await content.DisposeAsync();
        }
    }

    private void Postpone(Lsn record, JournalStep step) => keeper.Postpone(record, ChangeCodec.Read(step.Payload.ToArray()));

    // Rather than of the catalogues' disk or the machine, which would be no better for the next account.
    private static bool IsOfTheAccount(Exception problem) => problem switch
    {
        Catalogue.CatalogueException catalogue => !catalogue.IsDamage && !catalogue.IsPassing,
        Posthorn.Journal.Volume.VolumeException => true,
        IOException or OperationCanceledException => false,
        _ => true,
    };

    /// <summary>
    /// A catalogue was found to be damaged, or the mail lies elsewhere now: whoever has the account open is sent away, and the next one who comes gets it with a catalogue made anew,
    /// or from its new place. What was on its way to the old one is in the journal.
    /// </summary>
    internal async ValueTask RetireAsync(Account account, bool isDamaged)
    {
        await account.VisitTurn.WaitAsync(CancellationToken.None);
        try
        {
            if (account.IsOver) return;
            if (isDamaged) log.Repairing(account.Who.Address);
            keeper.BeginRepair(account.Who.Address, isDamaged); // first: no checkpoint may pass what the new one needs
            keeper.BeginRepair(account.Who.Address, await account.RetireAsync());
            accounts.Evict(account);
        }
        finally
        {
            account.VisitTurn.Release();
        }
    }

    /// <summary>Opens an account with all that the journal has for it.</summary>
    internal Result<Account> Open(MailAccount who)
    {
        who = opener.Newest(who);
        Result<Account> opened = opener.Open(who, keeper.IsDamaged(who.Address), out bool remade);
        if (!opened.IsOk) return opened;
        // What the old place got and the new one did not: it was copied before, or names were about to follow.
        remade |= opened.Value.HasMoved || keeper.IsRepairing(who.Address);
        if (remade && (Journal is not null || keeper.IsRepairing(who.Address)) && !CatchUp(opened.Value)) return new Refusal(RefusalKind.Unavailable, "The mailbox is being repaired, try again in a moment");
        if (Journal is not null && keeper.IsPostponed(who.Address))
        {
            try
            {
                foreach ((Lsn lsn, AccountChanges changes) in keeper.PostponedOf(who.Address)) Replay(opened.Value, lsn, changes, Journal);
                foreach ((Lsn lsn, AccountChanges _) in keeper.PostponedOf(who.Address)) Journal.Applied(lsn);
                keeper.Caught(who.Address);
            }
            catch (Exception problem) when (IsOfTheAccount(problem))
            {
                opened.Value.Abandon();
                log.ReplayFailed(problem, who.Address, keeper.PostponedOf(who.Address)[0].Lsn.Value);
                return new Refusal(RefusalKind.Unavailable, "The mailbox is not whole now");
            }
            catch
            {
                opened.Value.Abandon();
                throw;
            }
        }

        (opened.Value.Journal, opened.Value.Backlog) = (Journal, Journal is null ? null : backlog);
        return opened;
    }

    private static void Replay(Account account, Lsn lsn, AccountChanges changes, Journal.Journal journal)
    {
        JournalContent? content = journal.OpenContent(lsn);
        try
        {
            account.Replay(new(lsn, changes.Time, changes.Changes, content, null), account.Mender());
        }
        finally
        {
            _ = content?.DisposeAsync().AsTask(); // completes at once
        }
    }

    // Applies what the journal has of an account to its new catalogue. False while the journal itself replays.
    private bool CatchUp(Account account)
    {
        EmailAddress address = account.Who.Address;
        bool isDamaged = !account.HasMoved && !keeper.IsRepairing(address) || keeper.IsDamaged(address);
        keeper.BeginRepair(address, isDamaged);
        try
        {
            if (Journal is not { } journal)
            {
                account.Abandon();
                return false;
            }

            foreach (JournalRecord record in journal.Read(journal.Settled))
            {
                foreach (JournalStep step in record.Steps)
                {
                    if (step.Participant != Recorder.Participant || ChangeCodec.Read(step.Payload) is not { } changes || changes.Account.Address != address) continue;
                    JournalContent? content = record.HasContent ? record.OpenContent() : null;
                    account.Replay(new(record.Lsn, changes.Time, changes.Changes, content, null), account.Mender());
                    if (content is not null) _ = content.DisposeAsync().AsTask(); // completes at once
                }
            }

            if (account.HasMoved) AccountOpener.NoteRoot(account);
            keeper.EndRepair(address);
            if (isDamaged) log.Repaired(address);
            return true;
        }
        catch (Posthorn.Journal.Volume.VolumeException problem)
        {
            account.Abandon();
            log.OpenFailed(problem, address);
            return false;
        }
        catch
        {
            account.Abandon();
            throw;
        }
    }
}
