using Microsoft.Extensions.Logging;

namespace Posthorn.Store.Engine;

/// <summary>What is done for open accounts while nobody asks: foreign changes are looked for, names follow, the word index grows, idle accounts are closed.</summary>
/// <remarks>Locking: see <see cref="Account"/>; nothing here holds a lock of its own.</remarks>
internal sealed class StoreBackground(StoreServices services, AccountCache accounts, WordIndexer indexer, Func<Account, CancellationToken, ValueTask> repair, TimeProvider time, ILogger log)
{
    /// <summary>Rounds of the background after which watched folders are looked at all the same: watching may miss what looks like our own doing.</summary>
    private const int EveryNow = 30;

    private readonly VolumeLanes _lanes = new();

#pragma warning disable CA1031 // The background must outlive any account's trouble; it is logged and tried again.
    internal async Task WorkAsync(CancellationToken stop)
    {
        MaildirStoreOptions options = services.Options;
        try
        {
            for (int round = 1; ; round++)
            {
                await Task.Delay(options.TidyAfter, time, stop);
                services.Watch.EndRested();
                int number = round;
                foreach (ulong device in accounts.Open().Select(account => account.Device).Distinct()) _lanes.TryBegin(device, () => WorkOnAsync(device, number, stop));
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // The end.
        }

        await _lanes.WhenAllAsync();
        await indexer.WhenAllAsync(); // after those who might begin more of it
    }

    private async Task WorkOnAsync(ulong device, int round, CancellationToken stop)
    {
        MaildirStoreOptions options = services.Options;
        accounts.CloseIdle(device, time.GetUtcNow() - options.IdleFor);
        long now = time.GetUtcNow().ToUnixTimeMilliseconds();
        foreach (Account account in accounts.Open().Where(account => account.Device == device))
        {
            if (stop.IsCancellationRequested) return;
            try
            {
                await WorkOnAsync(account, round, now, stop);
            }
            catch (OperationCanceledException) when (stop.IsCancellationRequested)
            {
                return;
            }
            catch (Exception problem)
            {
                log.TidyFailed(problem, account.Who.Address);
            }
        }
    }
#pragma warning restore CA1031

    private async ValueTask WorkOnAsync(Account account, int round, long now, CancellationToken stop)
    {
        MaildirStoreOptions options = services.Options;
        if (account.IsDamaged)
        {
            await repair(account, stop);
            return;
        }

        // Mailboxes that somebody has open and that are not watched: two calls each say whether another program was there.
        foreach (Box box in account.Mailboxes.Selected())
            if (box.Watch is not { IsWhole: true } || box.Sight.IsDue || round % EveryNow == 0) await services.Scanner.LookAsync(account, box, stop);
        indexer.Consider(account, now, stop);
        account.Retry();
        account.Behind.Settle();
        if (!account.NeedsTidying(now, options.HomeAfter)) return;
        account.Tidy(new(account, account.Tree, log), options.NamesAtOnce, account.IsIdle(now, options.HomeAfter));
    }
}
