using Posthorn.Core;
using Posthorn.Journal;
using Posthorn.Journal.Volume;
using Posthorn.Store.Changes;

namespace Posthorn.Store.Engine;

/// <summary>What one record does to two accounts, which may be the same: messages come into one and go from the other.</summary>
/// <param name="Into">What comes.</param>
/// <param name="Gone">What goes; null for nothing.</param>
/// <param name="Octets">Room that is taken until it is applied.</param>
internal sealed record PairPlan(List<Change> Into, Change? Gone, long Octets);

/// <summary>Carries one record of two accounts from the decision to its coming true: the destination's part first, so that a crash between the two never loses a message.</summary>
internal sealed class PairRecord(Recorder recorder, Account from, Account into)
{
    /// <summary>Decides and has it recorded, applied and published; null, or why not.</summary>
    /// <param name="content">The messages' bytes.</param>
    /// <param name="plan">Decides under both accounts' gates. Called once more when the journal was full.</param>
    /// <exception cref="MailUnavailableException">Whether it happened is unknown until the next start.</exception>
    internal async ValueTask<Refusal?> RunAsync(JournalContent content, Func<Result<PairPlan>> plan)
    {
        for (bool again = false; ; again = true)
        {
            Appended? appended = null;
            try
            {
                if (!Append(content, plan).TryGet(out appended, out Refusal? refusal)) return refusal;
                await CompleteAsync(appended);
                return null;
            }
            catch (JournalFullException) when (!again)
            {
                if (!await recorder.WhenRoomAsync()) return ChangeRunner.NoRoom;
            }
            catch (JournalFullException)
            {
                return ChangeRunner.NoRoom;
            }
            catch (JournalRecordTooLargeException)
            {
                return ChangeRunner.TooMuch;
            }
            catch (JournalFlushFailedException)
            {
                return ChangeRunner.NotFlushed;
            }
            catch (JournalStoppedException problem)
            {
                // Once it is recorded nobody can say: no answer may be given.
                return appended is null ? ChangeRunner.Stopped : throw new MailUnavailableException(problem.Message, mustReconnect: true);
            }
            catch (VolumeException problem) when (problem.Error is VolumeError.NoSpace or VolumeError.ReadOnly)
            {
                return ChangeRunner.NoRoom;
            }
        }
    }

    // Gates are taken in the order of addresses, as everywhere.
    private Result<Appended> Append(JournalContent content, Func<Result<PairPlan>> plan)
    {
        bool fromFirst = string.Compare(from.Who.Address.ToString(), into.Who.Address.ToString(), StringComparison.OrdinalIgnoreCase) <= 0;
        lock ((fromFirst ? from : into).Gate)
            lock ((fromFirst ? into : from).Gate)
            {
                if (!plan().TryGet(out PairPlan? planned, out Refusal? refusal)) return refusal;
                List<(Account, List<Change>, long, int)> parts = [(into, planned.Into, planned.Octets, planned.Into.Count)];
                if (planned.Gone is { } gone)
                {
                    if (ReferenceEquals(from, into)) planned.Into.Add(gone);
                    else parts.Add((from, [gone], 0, 0));
                }

                (Lsn lsn, RecordTicket _, List<Operation> operations) = recorder.Append(parts, content, null);
                return new Appended(lsn, operations);
            }
    }

    // When the record is durable it will come true, whatever a disk says now; when it is not, none of it has happened.
    private async ValueTask CompleteAsync(Appended appended)
    {
        JournalFlushFailedException? failure = null;
        try { await recorder.WhenDurableAsync(appended.Lsn); }
        catch (JournalFlushFailedException problem) { failure = problem; }
        for (int i = 0; i < appended.Operations.Count; i++)
        {
            try { await (i == 0 ? into : from).CompleteAsync(appended.Operations[i]); }
            catch (IOException) when (failure is not null || appended.Operations[i].Durability == Durability.Durable)
            {
                // Logged where it happened; the background applies what is durable.
            }
        }

        if (failure is not null) throw failure;
    }

    private sealed record Appended(Lsn Lsn, List<Operation> Operations);
}
