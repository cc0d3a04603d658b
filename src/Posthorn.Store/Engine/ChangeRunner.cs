using Posthorn.Core;
using Posthorn.Journal;

namespace Posthorn.Store.Engine;

/// <summary>Carries a change from the decision to its coming true. What the journal or a disk refuses becomes a refusal that a client can be told.</summary>
internal sealed class ChangeRunner(Account account, Recorder recorder)
{
    /// <summary>The ring is full and stays so: nothing was written.</summary>
    internal static readonly Refusal NoRoom = new(RefusalKind.NoSpace, "The server has no room for changes now, try again later");

    internal static readonly Refusal NoMailbox = new(RefusalKind.NoSuchMailbox, "No such mailbox");
    internal static readonly Refusal NotFlushed = new(RefusalKind.Unavailable, "The server's disk failed, nothing was changed");
    internal static readonly Refusal TooMuch = new(RefusalKind.Limit, "That is too much for one command, do it in parts");
    internal static readonly Refusal Stopped = new(RefusalKind.Unavailable, "The server's disk has failed and nothing was changed; it takes changes again when it was restarted");
    private static readonly Refusal NotYet = new(RefusalKind.Unavailable, "The disk refuses the change now; it is kept and comes true as soon as the disk allows it");

    /// <summary>Decides on a change and has it recorded, applied and published.</summary>
    /// <param name="plan">Decides under the account's gate. Called once more when the journal was full.</param>
    /// <param name="durable">Whether it is enough that the change is recorded: its caller has said all that it will ever say of it. Otherwise one that cannot be applied now is refused.</param>
    /// <param name="soon">Whether the caller goes on as soon as the change has its place: the flush is done on another thread.</param>
    /// <exception cref="MailUnavailableException">Whether it happened is unknown until the next start, or the account's catalogue is damaged.</exception>
    internal async ValueTask<Result<Operation>> RunAsync(Func<Result<Operation>> plan, bool durable = false, bool soon = false)
    {
        for (bool again = false; ; again = true)
        {
            Operation? operation = null;
            try
            {
                Result<Operation> planned;
                lock (account.Gate) planned = plan();
                if (!planned.TryGet(out operation, out _)) return planned;
                if (soon) await Task.Yield();
                await account.CompleteAsync(operation);
                return operation.Refusal is { } refused ? refused : operation;
            }
            catch (JournalFullException)
            {
                if (again) return NoRoom;
            }
            catch (JournalRecordTooLargeException)
            {
                return TooMuch;
            }
            catch (JournalFlushFailedException problem)
            {
                return problem.InnerException is JournalFullException ? NoRoom : NotFlushed;
            }
            catch (JournalStoppedException problem)
            {
                // Once it is recorded nobody can say: no answer may be given.
                return operation is null ? Stopped : throw new MailUnavailableException(problem.Message, mustReconnect: true);
            }
            catch (IOException) when (operation is { Durability: Durability.Durable, IsDone: false })
            {
                // Logged where it happened. The record is durable and is applied by whoever comes next, or by the background.
                return durable ? operation : NotYet;
            }

            if (!await recorder.WhenRoomAsync()) return NoRoom;
        }
    }
}
