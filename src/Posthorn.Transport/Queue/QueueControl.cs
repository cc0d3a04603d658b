using Posthorn.Core;
using Posthorn.Transport.Trace;

namespace Posthorn.Transport.Queue;

/// <summary>What operators see of and do to the queue: the surface behind <c>posthorn queue</c>.</summary>
public sealed class QueueControl(MailQueue queue, TimeProvider time)
{
    /// <summary>The messages that match, oldest first.</summary>
    public IReadOnlyList<QueuedMessage> List(QueueFilter filter) =>
        queue.Read((entries, _) => entries.Values.Where(filter.Matches).OrderBy(entry => entry.Message.Id.Value, StringComparer.Ordinal).Take(filter.Limit).Select(entry => Describe(entry, time.GetUtcNow())).ToArray());

    /// <summary>One message; null when it is not in the queue.</summary>
    public QueuedMessage? Show(QueueId id) => queue.Read((entries, _) => entries.TryGetValue(id, out QueueEntry? entry) ? Describe(entry, time.GetUtcNow()) : null);

    /// <summary>The destinations with something to do, the fullest first.</summary>
    public IReadOnlyList<QueueTotal> Totals() =>
        queue.Read((_, schedule) => schedule.Destinations.Where(destination => destination.Jobs > 0)
            .Select(destination => new QueueTotal(destination.Key, destination.Jobs, destination.Running, destination.LastFault)).OrderByDescending(total => total.Messages).ToArray());

    /// <summary>Tries these now, and their destinations even if they rest; how many there are.</summary>
    public int Retry(QueueFilter filter)
    {
        int count = queue.Read((entries, schedule) =>
        {
            QueueEntry[] chosen = [.. entries.Values.Where(entry => !entry.IsHeld && !(entry.Message.ReleaseAt > time.GetUtcNow()) && filter.Matches(entry))];
            foreach (QueueEntry entry in chosen)
            {
                queue.Trace.Tell(new TraceEvent.Ordered(entry.Message.Id, "retry"));
                schedule.Hurry(entry, time.GetUtcNow());
            }
            return chosen.Length;
        });
        queue.Announce();
        return count;
    }

    /// <summary>Gives an order for all that match; how many there were.</summary>
    /// <remarks>Orders are written together, so that they share their flushes.</remarks>
    private async ValueTask<int> OrderAsync(QueueFilter filter, QueueOrder order, CancellationToken cancel)
    {
        QueueId[] chosen = queue.Read((entries, _) => entries.Values.Where(filter.Matches).Select(entry => entry.Message.Id).ToArray());
        int done = 0;
        foreach (QueueId[] some in chosen.Chunk(OrdersAtOnce))
            done += (await Task.WhenAll(some.Select(id => queue.OrderAsync(id, order, cancel).AsTask()))).Count(was => was);
        return done;
    }

    private const int OrdersAtOnce = 512;

    /// <summary>Messages that match.</summary>
    public int Count(QueueFilter filter) => queue.Read((entries, _) => entries.Values.Count(filter.Matches));

    /// <summary>Why recipients wait, by status code, the commonest first. Those that have not been tried count under none.</summary>
    public IReadOnlyList<QueueReason> Reasons(QueueFilter filter) => queue.Read((entries, _) => entries.Values.Where(filter.Matches)
        .SelectMany(entry => entry.PendingRecipients.Select(entry.LastReply))
        .GroupBy(reply => reply is null ? "" : $"{reply.Code} {reply.Status}")
        .Select(group => new QueueReason(group.Key, group.Count(), group.First()?.Text ?? "")).OrderByDescending(reason => reason.Recipients).ToArray());

    /// <summary>Stops trying until <see cref="ReleaseAsync"/>.</summary>
    public ValueTask<int> HoldAsync(QueueFilter filter, CancellationToken cancel) => OrderAsync(filter, QueueOrder.Hold, cancel);

    /// <summary>Tries it again, now.</summary>
    public ValueTask<int> ReleaseAsync(QueueFilter filter, CancellationToken cancel) => OrderAsync(filter, QueueOrder.Release, cancel);

    /// <summary>Throws it away without a report.</summary>
    public ValueTask<int> DeleteAsync(QueueFilter filter, CancellationToken cancel) => OrderAsync(filter, QueueOrder.Delete, cancel);

    /// <summary>Starts anew, as if it had just come: no attempts, its whole time before it, routes as they are now.</summary>
    public ValueTask<int> RequeueAsync(QueueFilter filter, CancellationToken cancel) => OrderAsync(filter, QueueOrder.Requeue, cancel);

    private static QueuedMessage Describe(QueueEntry entry, DateTimeOffset now)
    {
        QueueMessage message = entry.Message;
        QueuedRecipient[] recipients = [.. message.Recipients.Select((recipient, i) => new QueuedRecipient(recipient.Address, entry.IsPending(i), entry.LastReply(i)))];
        return new(message.Id, message.From, recipients) { Arrived = message.Arrived, Size = message.Size, Attempts = entry.Attempts, NextAttempt = NextOf(entry, now), IsHeld = entry.IsHeld, HoldReason = entry.IsHeld ? message.HoldReason : null, ReleaseAt = message.ReleaseAt };
    }

    // What is due waits on while all its destinations rest.
    private static DateTimeOffset NextOf(QueueEntry entry, DateTimeOffset now)
    {
        Destination[] destinations = [.. entry.Jobs.Where(job => job.State != JobState.Gone).Select(job => job.Destination)];
        if (destinations.Length == 0 || !Array.TrueForAll(destinations, destination => destination.IsResting(now))) return entry.NextAttempt;
        DateTimeOffset rested = destinations.Min(destination => destination.RestUntil);
        return rested > entry.NextAttempt ? rested : entry.NextAttempt;
    }
}

/// <summary>Which messages are meant; what is null does not matter.</summary>
public sealed record QueueFilter
{
    public QueueId? Id { get; init; }

    /// <summary>The sender's address, <c>&lt;&gt;</c> for the null path, or <c>@domain</c>.</summary>
    public string? From { get; init; }

    /// <summary>A recipient's address, or <c>@domain</c>.</summary>
    public string? To { get; init; }
    public bool? IsHeld { get; init; }

    /// <summary>A piece of what was last heard about a recipient that waits, such as a status code or a word.</summary>
    public string? Reason { get; init; }

    /// <summary>A destination, as totals name it.</summary>
    public string? Destination { get; init; }

    /// <summary>The most that are listed.</summary>
    public int Limit { get; init; } = int.MaxValue;

    internal bool Matches(QueueEntry entry)
    {
        if (Id is { } id && entry.Message.Id != id || IsHeld is { } held && entry.IsHeld != held) return false;
        if (From is not null && !Fits(From, entry.Message.From.IsNull ? "<>" : entry.Message.From.ToString())) return false;
        if (Reason is { } reason && !entry.PendingRecipients.Any(i => entry.LastReply(i)?.ToString().Contains(reason, StringComparison.OrdinalIgnoreCase) == true)) return false;
        if (Destination is { } destination && !entry.Jobs.Exists(job => job.State != JobState.Gone && job.Destination.Key.Equals(destination, StringComparison.OrdinalIgnoreCase))) return false;
        return To is null || entry.Message.Recipients.Any(recipient => Fits(To, recipient.Address.ToString()));
    }

    private static bool Fits(string wanted, string address) =>
        wanted.StartsWith('@') ? address.EndsWith(wanted, StringComparison.OrdinalIgnoreCase) : address.Equals(wanted, StringComparison.OrdinalIgnoreCase);
}

/// <summary>A message in the queue as operators see it.</summary>
public sealed record QueuedMessage(QueueId Id, ReversePath From, IReadOnlyList<QueuedRecipient> Recipients)
{
    public required DateTimeOffset Arrived { get; init; }
    public required long Size { get; init; }
    public required int Attempts { get; init; }
    public required DateTimeOffset NextAttempt { get; init; }
    public required bool IsHeld { get; init; }

    /// <summary>Why it was held from the first; null when an operator holds it, or nobody does.</summary>
    public string? HoldReason { get; init; }

    /// <summary>The time that its sender asked for (RFC 4865); null when it may go at once.</summary>
    public DateTimeOffset? ReleaseAt { get; init; }
}

/// <summary>A recipient of a message in the queue.</summary>
public sealed record QueuedRecipient(EmailAddress Address, bool IsPending, SmtpReply? LastReply);

/// <summary>What waits for one destination.</summary>
public sealed record QueueTotal(string Destination, int Messages, int Running, SmtpReply? LastFault);

/// <summary>Recipients that wait for one reason.</summary>
public sealed record QueueReason(string Status, int Recipients, string Example);
