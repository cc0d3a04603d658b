using System.Buffers;
using System.Collections.Concurrent;
using System.Diagnostics;
using System.Threading.Channels;
using Microsoft.Extensions.Logging;
using Posthorn.Core;
using Posthorn.Journal.Volume;
using Posthorn.Store.Catalogue;
using Posthorn.Store.Search;

namespace Posthorn.Store.Engine;

/// <summary>Fills the word indexes of accounts in the background, on each volume one account and some messages at a time, and rests as long as it works.</summary>
/// <remarks>It learns what is new from the catalogue: contents above the highest one indexed, and those that were removed. Locking: holds no lock while it reads mail; <c>_rate</c> guards what is known of the journal's rate.</remarks>
internal sealed class WordIndexer(MaildirStoreOptions options, MailReader reader, AccountCache accounts, TimeProvider time, ILogger log)
{
    /// <summary>Messages in one transaction: some 20 milliseconds of work.</summary>
    private const int BatchMessages = 100;

    /// <summary>Octets in one transaction, for large messages.</summary>
    private const long BatchOctets = 8 << 20;

    /// <summary>Contents compared with the index at once.</summary>
    private const int RangeAtOnce = 1_000;

    /// <summary>When more than this of the index is wrong it is made anew.</summary>
    private const int MostWrong = 5_000;

    /// <summary>Records in a second above which mail is coming in: then indexing waits, since it costs as much as taking the mail in.</summary>
    private const int Rush = 50;

    /// <summary>How often it looks whether mail is still coming in.</summary>
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    /// <summary>The shortest time over which a rate is counted.</summary>
    private static readonly TimeSpan Moment = TimeSpan.FromMilliseconds(50);

    private readonly Lock _rate = new();
    private (long Records, long At) _seen;
    private bool _isRush;

    /// <summary>Tells how much comes in; null until the stores have started.</summary>
    internal Journal.Journal? Journal { get; set; }

    /// <summary>Accounts of each volume that wait their turn. When there are more, they come with the next change or tick.</summary>
    private readonly ConcurrentDictionary<ulong, Channel<EmailAddress>> _waiting = [];
    private readonly VolumeLanes _lanes = new();

    /// <summary>Looks whether an account has something to index and is quiet enough, or was not indexed for long; called now and then.</summary>
    internal void Consider(Account account, long now, CancellationToken stop)
    {
        if (!options.WordIndex) return;
        AccountWords words = account.Words;
        if (!words.IsStale)
        {
            words.CloseIfIdle(now, options.IndexAfter * 6);
            return;
        }

        if (!account.IsIdle(now, options.IndexAfter) && now - words.Indexed <= options.IndexAfter.TotalMilliseconds * 12) return;
        Channel<EmailAddress> waiting = _waiting.GetOrAdd(account.Device, _ => Channel.CreateBounded<EmailAddress>(new BoundedChannelOptions(256) { FullMode = BoundedChannelFullMode.DropWrite, SingleReader = true }));
        waiting.Writer.TryWrite(account.Who.Address);
        _lanes.TryBegin(account.Device, () => WorkAsync(waiting.Reader, stop)); // one that is about to end leaves it for the next tick
    }

    /// <summary>Completes when nothing works any more.</summary>
    internal Task WhenAllAsync() => _lanes.WhenAllAsync();

    private async Task WorkAsync(ChannelReader<EmailAddress> waiting, CancellationToken stop)
    {
        try
        {
            while (waiting.TryRead(out EmailAddress address))
            {
                stop.ThrowIfCancellationRequested();
                if (accounts.TryLeaseOpen(address) is not { } lease) continue;
                using AccountLease held = lease;
                await WhileRushAsync(stop);
                if (held.Account.Words.IsStale) await TryIndexAsync(held.Account, stop);
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // The end.
        }
    }

#pragma warning disable CA1031 // One account's trouble must not leave all others without an index; it is logged, and its next change tries again.
    private async Task TryIndexAsync(Account account, CancellationToken stop)
    {
        try
        {
            await IndexAsync(account, politely: true, stop);
        }
        catch (Exception problem) when (problem is not OperationCanceledException)
        {
            log.WordIndexFailed(problem, account.Who.Address);
        }
    }
#pragma warning restore CA1031

    /// <summary>Indexes all that is there. False when the index failed; what is missing is read when somebody searches.</summary>
    internal async Task<bool> IndexAsync(Account account, bool politely, CancellationToken stop, Action<int>? progress = null)
    {
        await account.Words.Turn.WaitAsync(stop);
        try
        {
            account.Words.IsStale = false;
            account.Words.Indexed = time.GetUtcNow().ToUnixTimeMilliseconds();
            return await IndexInTurnAsync(account, politely, progress, stop);
        }
        finally
        {
            account.Words.Turn.Release();
        }
    }

    private async Task<bool> IndexInTurnAsync(Account account, bool politely, Action<int>? progress, CancellationToken stop)
    {
        WordBreaker breaker = new(MessageWords.Most);
        while (true)
        {
            long started = Stopwatch.GetTimestamp();
            int done = Step(account, breaker, stop);
            if (done < 0) account.Read(catalogue => catalogue.Contents.Removed.Lose());
            if (done < 0 || done == 0 && !Retry(account, breaker, stop)) return done == 0;
            progress?.Invoke(done);
            if (!politely) continue;
            await Task.Delay(Stopwatch.GetElapsedTime(started), time, stop);
            await WhileRushAsync(stop);
        }
    }

    // However much comes in, ten minutes are enough: who searches should not have to read all of it.
    private async Task WhileRushAsync(CancellationToken stop)
    {
        for (TimeSpan waited = TimeSpan.Zero; IsRush() && waited < options.IndexAfter * 120; waited += Pause) await Task.Delay(Pause, time, stop);
    }

    private bool IsRush()
    {
        if (Journal is not { } journal) return false;
        lock (_rate)
        {
            (long records, long now) = (journal.Statistics.Records, time.GetTimestamp());
            TimeSpan since = time.GetElapsedTime(_seen.At, now);
            if (since < Moment) return _isRush;
            _isRush = _seen.At != 0 && records - _seen.Records > Rush * since.TotalSeconds;
            _seen = (records, now);
            return _isRush;
        }
    }

    // The number of contents taken in; 0 when there is no more, -1 when it does not work.
    private int Step(Account account, WordBreaker breaker, CancellationToken stop)
    {
        try
        {
            (string generation, List<long> removed, bool lost) = account.Read(catalogue => (catalogue.Meta(MetaKey.Generation).Text, catalogue.Contents.Removed.Take(out bool all), all));
            if (!account.Words.TryUse(make: true, index => lost || index.Generation != generation ? "" : index.Generation, out string? known)) return -1;
            if (known!.Length == 0 && !Compare(account, generation, stop)) return -1;
            if (!account.Words.TryUse(make: true, index => Drop(index, removed), out long upTo)) return -1;
            List<ContentRow> contents = account.Read(catalogue => catalogue.Contents.Above(upTo, BatchMessages));
            if (contents.Count == 0) return 0;
            List<IndexedContent> batch = [];
            long octets = 0;
            foreach (ContentRow content in contents)
            {
                stop.ThrowIfCancellationRequested();
                batch.Add(new(content.Id, content.Email, WordsOf(account, content, breaker)));
                if ((octets += content.Octets) > BatchOctets) break;
            }

            return account.Words.TryUse(make: true, index => Add(index, batch, upTo, batch[^1].Content), out bool added) && added ? batch.Count : -1;
        }
        catch (CatalogueException problem)
        {
            log.WordIndexFailed(problem, account.Who.Address);
            return -1;
        }
    }

    // What could not be read may be readable now; once for each opening.
    private bool Retry(Account account, WordBreaker breaker, CancellationToken stop)
    {
        if (account.Words.IsRetried) return false;
        account.Words.IsRetried = true;
        if (!account.Words.TryUse(make: false, index => index.Unread(), out List<long>? unread) || unread!.Count == 0) return false;
        foreach (long content in unread)
        {
            stop.ThrowIfCancellationRequested();
            ContentRow? row = account.Read(catalogue => catalogue.Contents.Above(content - 1, 1)) is [var first] && first.Id == content ? first : null;
            MessageWords? words = row is { } there ? WordsOf(account, there, breaker) : null;
            if (row is null) account.Words.TryUse(make: false, index => Drop(index, [content]), out _);
            else if (words is not null) account.Words.TryUse(make: false, index => Add(index, [new(content, row.Value.Email, words)], index.UpTo, index.UpTo), out _);
        }

        return true;
    }

    private static long Drop(WordIndex index, List<long> removed)
    {
        index.Remove(removed);
        return index.UpTo;
    }

    private static bool Add(WordIndex index, List<IndexedContent> batch, long before, long upTo)
    {
        if (index.UpTo != before) return false; // it was thrown away in between
        index.Add(batch, upTo);
        return true;
    }

    // After an unclean end content numbers may mean something else than the index thinks: EMAILIDs tell.
    private static bool Compare(Account account, string generation, CancellationToken stop)
    {
        if (!account.Words.TryUse(make: true, index => index.UpTo, out long upTo)) return false;
        // The catalogue may have lost its end, and then numbers above are given to other contents.
        long top = Math.Min(upTo, account.Read(catalogue => catalogue.Contents.Last));
        List<long> wrong = [], missing = [];
        for (long at = 0; at < upTo;)
        {
            stop.ThrowIfCancellationRequested();
            long above = at;
            List<ContentRow> contents = account.Read(catalogue => catalogue.Contents.Above(above, RangeAtOnce));
            contents.RemoveAll(content => content.Id > top);
            long last = at = contents.Count < RangeAtOnce ? upTo : contents[^1].Id;
            if (!account.Words.TryUse(make: true, index => index.Documents(above, last), out Dictionary<long, EmailId>? documents)) return false;
            foreach (ContentRow content in contents)
                if (!documents!.Remove(content.Id, out EmailId email) || email.Value.Length > 0 && email != content.Email) missing.Add(content.Id);
            wrong.AddRange(documents!.Keys);
            if (wrong.Count + missing.Count <= MostWrong) continue;
            account.Words.Reset(); // hardly anything of it is true any more
            return account.Words.TryUse(make: true, index => Settle(index, generation, 0, [], []), out _);
        }

        return account.Words.TryUse(make: true, index => Settle(index, generation, top, wrong, missing), out _);
    }

    private static bool Settle(WordIndex index, string generation, long upTo, List<long> wrong, List<long> missing)
    {
        index.Remove(wrong);
        index.Add([.. missing.Select(content => new IndexedContent(content, default, null))], index.UpTo);
        index.Settle(generation, upTo);
        return true;
    }

    private MessageWords? WordsOf(Account account, ContentRow content, WordBreaker breaker)
    {
        foreach ((long mailbox, Uid uid) in account.Read(catalogue => catalogue.Contents.CopiesOf(content.Id)))
        {
            if (account.PublishedById(mailbox) is not { } box) continue;
            Result<IMessageContent> opened = reader.Open(account, box.Mailbox, uid);
            if (!opened.IsOk) continue;
            IMessageContent message = opened.Value;
            byte[] bytes = ArrayPool<byte>.Shared.Rent(checked((int)message.Length));
            try
            {
                int length = MailReader.ReadAll(message, bytes);
                return length < message.Length ? null : MessageWords.Of(bytes.AsMemory(0, length), options.Mime, breaker);
            }
            catch (VolumeException problem)
            {
                log.FileDelayed(problem, account.Who.Address);
                return null; // a search reads it, or tries to
            }
            finally
            {
                ArrayPool<byte>.Shared.Return(bytes);
                _ = message.DisposeAsync().AsTask(); // completes at once
            }
        }

        return null;
    }
}
