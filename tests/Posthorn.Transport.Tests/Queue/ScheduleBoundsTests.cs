using System.Diagnostics;
using Posthorn.Core;
using Posthorn.Transport.Queue;

namespace Posthorn.Transport.Tests.Queue;

/// <summary>What the schedule does with very many messages or destinations, and what it remembers of those that nothing waits for.</summary>
public sealed class ScheduleBoundsTests
{
    private static readonly DateTimeOffset Start = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private readonly Schedule _schedule = new(static () => new(), (_, recipient) => recipient.Address.Domain.Ascii);
    private long _ids;

    /// <summary>The network was away for longer than senders wait for a word: they are told some at a time, and mail that can go does.</summary>
    [Fact]
    public void Those_that_owe_a_word_are_not_all_started_at_once()
    {
        const int Waiting = 5000;
        QueueOptions options = new();
        DateTimeOffset now = Start.AddHours(5);
        for (int i = 0; i < Waiting; i++) _schedule.Add(Entry("dead.example", $"user{i % 7}", Start), now);
        Assert.True(_schedule.TryTake(now, out Delivery? probe));
        _schedule.End(probe, new ConnectionVerdict.Failed(new(450, "4.4.1", "no")), now);
        _schedule.Add(Entry("good.example", "a", now), now);
        int told = 0, sent = 0;
        while (true)
        {
            List<Delivery> taken = [];
            while (_schedule.TryTake(now, out Delivery? delivery)) taken.Add(delivery);
            if (taken.Count == 0) break;
            Assert.InRange(taken.Count(delivery => delivery.Fault is not null), 0, options.MaxNotices);
            Assert.Equal(taken.Count, _schedule.Running);
            foreach (Delivery delivery in taken)
            {
                if (delivery.Fault is null)
                {
                    Assert.Equal(0, sent++);
                    Assert.InRange(told, 0, options.MaxNotices);
                    Finish(delivery, now);
                    continue;
                }
                told++;
                delivery.Entry.IsWarned = true;
                _schedule.End(delivery, new ConnectionVerdict.Nothing(), now);
            }
        }
        Assert.Equal((Waiting - 1, 1), (told, sent));
        Assert.Equal(0, _schedule.Running);
    }

    /// <summary>What waits for its turn to be told of is tried, when the destination can be tried again before that.</summary>
    [Fact]
    public void An_attempt_is_better_than_a_word()
    {
        DateTimeOffset now = Start.AddHours(5);
        QueueEntry[] entries = [.. Enumerable.Range(0, 200).Select(_ => Entry("dead.example", "a", Start))];
        foreach (QueueEntry entry in entries) _schedule.Add(entry, now);
        Assert.True(_schedule.TryTake(now, out Delivery? probe));
        _schedule.End(probe, new ConnectionVerdict.Failed(new(450, "4.4.1", "no")), now);
        List<Delivery> taken = [];
        while (_schedule.TryTake(now, out Delivery? delivery)) taken.Add(delivery);
        DateTimeOffset later = probe.Destination.RestUntil;
        foreach (Delivery delivery in taken) _schedule.End(delivery, new ConnectionVerdict.Nothing(), later);
        Assert.True(_schedule.TryTake(later, out Delivery? attempt));
        Assert.Null(attempt.Fault);
    }

    /// <summary>A newsletter to as many domains as the queue holds messages: neither the start nor any message after it pays for all of them. The bound is wide: squares of these numbers take hours.</summary>
    [Fact]
    public void As_many_destinations_as_messages_cost_no_more_than_few()
    {
        const int Many = 200_000;
        Stopwatch watch = Stopwatch.StartNew();
        QueueEntry[] entries = [.. Enumerable.Range(0, Many).Select(i => Entry($"d{i}.example", "mass", Start))];
        foreach (QueueEntry entry in entries) _schedule.Add(entry, Start);
        foreach (QueueEntry entry in entries) // as when the routes become known
        {
            _schedule.Withdraw(entry);
            _schedule.Add(entry, Start);
        }
        int taken = 0;
        while (_schedule.TryTake(Start, out _)) taken++;
        Assert.InRange(taken, 100, 250);
        for (int i = 0; i < 100_000; i++) Assert.False(_schedule.TryTake(Start, out _)); // each message taken in asks
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(60), $"took {watch.Elapsed}");
    }

    [Theory]
    [InlineData(23, 5)]
    [InlineData(25, 1)]
    public void What_worked_is_known_for_a_day(int hours, int atOnce)
    {
        _schedule.Add(Entry("example.com", "a", Start), Start);
        Assert.True(_schedule.TryTake(Start, out Delivery? first));
        Finish(first, Start);
        DateTimeOffset now = Start.AddHours(hours);
        for (int i = 0; i < 10; i++) _schedule.Add(Entry("example.com", "a", now), now);
        int taken = 0;
        while (_schedule.TryTake(now, out _)) taken++;
        Assert.Equal(atOnce, taken);
    }

    [Fact]
    public void Of_those_with_nothing_to_do_only_so_many_are_remembered_and_strangers_push_no_friends_out()
    {
        DestinationBook book = new();
        QueueOptions options = new();
        for (int i = 0; i < DestinationBook.MaxRemembered + 10; i++)
        {
            Destination friend = book.Open($"good{i}.example", options), stranger = book.Open($"dead{i}.example", options), passing = book.Open($"new{i}.example", options);
            friend.Worked(Start, options);
            stranger.Failed(new(450, "4.4.1", "no"), Start, options);
            foreach (Destination one in (Destination[])[friend, stranger, passing]) book.Close(one);
            book.Close(book.Open("good0.example", options)); // is used again and again
        }
        Assert.Equal(2 * DestinationBook.MaxRemembered, book.All.Count);
        Assert.Equal(Health.Working, book.Open("good0.example", options).Health);
        Assert.Equal(Health.New, book.Open("good1.example", options).Health);
        Assert.Equal(Health.Failing, book.Open($"dead{DestinationBook.MaxRemembered}.example", options).Health);
    }

    private void Finish(Delivery delivery, DateTimeOffset now)
    {
        foreach (int recipient in delivery.Recipients) delivery.Entry.Apply(new(recipient, RecipientState.Delivered, new(250, "2.0.0", "ok"), "x"));
        _schedule.End(delivery, new ConnectionVerdict.Worked(), now);
    }

    private QueueEntry Entry(string domain, string origin, DateTimeOffset arrived) =>
        new(new()
        {
            Id = new($"{++_ids}"), Arrived = arrived, From = ReversePath.Null, Origin = origin, Size = 1000,
            Recipients = [new(EmailAddress.Parse($"someone@{domain}"), DsnNotify.Unspecified, null)],
        }, 0) { NextAttempt = arrived };
}
