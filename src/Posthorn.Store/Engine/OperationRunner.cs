using Microsoft.Extensions.Logging;
using Posthorn.Journal;
using Posthorn.Store.Catalogue;

namespace Posthorn.Store.Engine;

/// <summary>The one path by which an account's operations get from the journal into the catalogue and before everybody's eyes.</summary>
/// <remarks>Locking: see <see cref="Account"/>. Transactions and files are under its catalogue lock, the queue under its gate.</remarks>
internal sealed class OperationRunner(Account account, AccountCatalogue catalogue, OperationQueue queue, ChangeApplier applier, Lock catalogueLock, TimeProvider time, ILogger log)
{
    /// <summary>How long after a failure whoever reads tries again what could not be applied: a broken disk must not make each look dear.</summary>
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    private long _failed; // when applying failed last; 0 when it did not

    /// <summary>Whether applying failed last and nobody has tried again with success: files of what waits may lie on disk already.</summary>
    internal bool HasFailed => Volatile.Read(ref _failed) != 0;

    /// <summary>Waits until an operation is durable, and applied and published, unless it is new mail that nobody looks at.</summary>
    /// <exception cref="JournalException">Its record could not be made durable: it has not happened.</exception>
    internal async ValueTask CompleteAsync(Operation operation)
    {
        await SettleAsync(operation);
        while (!operation.IsDone)
        {
            while (UnknownBefore(operation) is { } earlier) await SettleAsync(earlier);
            if (MayLeave(operation)) return;
            Drain();
        }

        if (operation.Failure is { } failure) System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(failure);
    }

    /// <summary>Applies what is durable and could not be applied when it came.</summary>
    internal void Retry() => Drain();

    /// <summary>Applies what was left or could not be applied when it came, if there is anything: nobody sees what another look a moment later would not. What fails is in the log and stays.</summary>
    internal void CatchUp()
    {
        long failed = Volatile.Read(ref _failed);
        if (failed == 0 ? queue.Left == 0 : time.GetElapsedTime(failed) < Pause) return;
        try
        {
            Drain();
        }
        catch (IOException)
        {
            // Logged where it happened; what is there already can be read all the same.
        }
    }

    // New mail need not be in the catalogue before its sender hears of it, only before anybody sees it: the journal has it (docs/adr/0010).
    private bool MayLeave(Operation operation)
    {
        if (account.Backlog is not { } backlog || !operation.AddsAlone || operation.Failure is not null || account.IsOver) return false;
        lock (account.Gate)
        {
            if (queue.Left >= backlog.Limit || !account.IsUnseen(operation) || !backlog.TryEnter()) return false;
            if (!queue.TryLeave(operation))
            {
                backlog.Leave(1);
                return false;
            }
        }

        backlog.Add(account);
        return true;
    }

    /// <summary>Waits until it is known whether an operation is durable.</summary>
    internal async ValueTask SettleAsync(Operation operation)
    {
        if (operation.Durability != Durability.Unknown) return;
        try
        {
            await account.Journal!.WhenDurableAsync(operation.Lsn);
            operation.Durability = Durability.Durable;
        }
        catch (JournalException problem)
        {
            operation.Failure = problem;
            operation.Durability = Durability.Failed;
        }
    }

    private Operation? UnknownBefore(Operation operation)
    {
        lock (account.Gate) return queue.UnknownBefore(operation);
    }

    /// <summary>Applies what stands at the head of the queue and is known to be durable.</summary>
    private void Drain()
    {
        lock (catalogueLock)
        {
            List<Operation> batch;
            lock (account.Gate) batch = queue.Settled();
            if (batch.Count > 0 && account.IsOver) throw Account.Over(); // applied to the one that takes its place
            if (batch.Count > 0) ApplyBatch(batch);
        }
    }

    /// <summary>Applies a record on replay, or makes sure that its files are there when the catalogue has it.</summary>
    internal int Replay(Operation operation, FileMender mender)
    {
        lock (catalogueLock)
        {
            int mended = 0;
            if (operation.Lsn.Value > account.Applied)
            {
                operation.Durability = Durability.Durable;
                lock (account.Gate) queue.EnqueueReplayed(operation);
                ApplyBatch([operation]);
            }

            account.Replayed();
            catalogue.Begin();
            try
            {
                mended = mender.Mend(operation);
                catalogue.Commit();
            }
            catch
            {
                catalogue.Rollback();
                throw;
            }

            return mended;
        }
    }

    private void ApplyBatch(List<Operation> batch)
    {
        Draft draft = new(account);
        catalogue.Begin();
        try
        {
            foreach (Operation operation in batch)
                if (operation.Durability == Durability.Durable) applier.Apply(operation, draft);
            foreach (BoxDraft box in draft.Boxes)
                if (!box.IsDeleted) catalogue.PutMailbox((box.Box.Writers > 0 ? WithClaim(box) : box).ToRow());
            catalogue.SetProgress(batch[^1].Lsn.Value, draft.ModSeq, draft.Validity);
            catalogue.Commit();
        }
        catch (Exception problem)
        {
            // The records stay in the queue: they are durable, and the next one who comes tries again.
            catalogue.Rollback();
            catalogue.Keywords.Forget();
            account.Files.Forget();
            lock (account.Gate) OperationQueue.Return(batch);
            Volatile.Write(ref _failed, Math.Max(1, time.GetTimestamp()));
            log.ApplyFailed(problem, account.Who.Address);
            throw;
        }

        Volatile.Write(ref _failed, 0);
        foreach (Operation operation in batch) operation.CloseContent();
        account.Publish(batch, draft);
    }

    private static BoxDraft WithClaim(BoxDraft box)
    {
        // Somebody who has it open for writing is told of new messages at once, and so has the claim on them.
        box.FirstRecent = box.UidNext;
        return box;
    }
}
