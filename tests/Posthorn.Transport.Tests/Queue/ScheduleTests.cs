using CsCheck;
using Posthorn.Core;
using Posthorn.Transport.Queue;

namespace Posthorn.Transport.Tests.Queue;

/// <summary>The schedule alone, over simulated time.</summary>
public sealed class ScheduleTests
{
    private static readonly DateTimeOffset Start = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private long _ids;

    [Fact]
    public void Dead_destinations_never_delay_the_others()
    {
        QueueOptions options = new() { MaxConnections = 60 };
        Simulation simulation = new(options, destination => destination.StartsWith("dead", StringComparison.Ordinal));
        Random random = new(1);
        // A week: 1,000 destinations, 100 of them dead, which hang for half a minute at each attempt.
        for (int i = 0; i < 40_000; i++)
        {
            int destination = random.Next(1000);
            string name = destination < 100 ? $"dead{destination}.example" : $"good{destination}.example";
            simulation.Arrive(Entry(name, $"user{random.Next(50)}", Start + TimeSpan.FromDays(7) * random.NextDouble()));
        }
        simulation.Run(Start + TimeSpan.FromDays(14));
        Assert.Equal(0, simulation.Left);
        Assert.True(simulation.LongestWait < TimeSpan.FromSeconds(5), $"a message waited {simulation.LongestWait}");
        Assert.True(simulation.LongestLife < options.Lifetime + options.MaxRetry * 1.3, $"a message lived {simulation.LongestLife}");
        // Each dead destination is probed now and then, however much mail waits for it.
        Assert.True(simulation.DeadAttempts < 100 * 14 * 24, $"{simulation.DeadAttempts} attempts at dead destinations");
    }

    [Fact]
    public void A_burst_of_dead_destinations_takes_no_more_than_its_share()
    {
        QueueOptions options = new() { MaxConnections = 20 };
        Simulation simulation = new(options, destination => destination.StartsWith("dead", StringComparison.Ordinal));
        simulation.Arrive(Entry("good.example", "a", Start));
        for (int i = 0; i < 500; i++) simulation.Arrive(Entry($"dead{i}.example", "a", Start + TimeSpan.FromMinutes(1)));
        for (int i = 0; i < 60; i++) simulation.Arrive(Entry("good.example", "a", Start + TimeSpan.FromSeconds(61 + i)));
        simulation.Run(Start + TimeSpan.FromMinutes(10));
        Assert.True(simulation.LongestWait < TimeSpan.FromSeconds(3), $"a message waited {simulation.LongestWait}");
    }

    /// <summary>Whatever the mix of dead and slow destinations and of mass mailings, mail of others for destinations that work goes out at once.</summary>
    [Fact]
    public void Nothing_that_others_do_delays_a_message_for_a_working_destination() =>
        Gen.Select(Gen.Int[1, 30], Gen.Int[0, 30], Gen.Int[0, 30], Gen.Int[0, 3000], Gen.Int[20, 100], Gen.Int[0, int.MaxValue]).Sample((good, dead, slow, mass, connections, seed) =>
        {
            QueueOptions options = new() { MaxConnections = connections };
            // Slow ones take their time, a minute for each message; they get it in the end.
            Simulation simulation = new(options, destination => destination.StartsWith("dead", StringComparison.Ordinal), destination => destination.StartsWith("slow", StringComparison.Ordinal) ? 60 : 1);
            Random random = new(seed);
            for (int i = 0; i < good; i++) simulation.Arrive(Entry($"good{i}.example", "first", Start)); // each is known to work
            for (int i = 0; i < 20 * dead; i++) simulation.Arrive(Entry($"dead{i % dead}.example", $"user{random.Next(5)}", Start + TimeSpan.FromHours(3) * random.NextDouble()));
            for (int i = 0; i < 20 * slow; i++) simulation.Arrive(Entry($"slow{i % slow}.example", $"user{random.Next(5)}", Start + TimeSpan.FromHours(3) * random.NextDouble()));
            for (int i = 0; i < mass; i++) simulation.Arrive(Entry($"good{random.Next(good)}.example", "mass", Start + TimeSpan.FromHours(2)));
            for (int i = 0; i < 300; i++) simulation.Arrive(Entry($"good{random.Next(good)}.example", $"user{random.Next(5)}", Start + TimeSpan.FromHours(1) + TimeSpan.FromHours(2) * random.NextDouble()));
            simulation.Run(Start + TimeSpan.FromHours(4));
            Assert.True(simulation.LongestWait < TimeSpan.FromSeconds(15), $"a message waited {simulation.LongestWait}");
        }, iter: 60);

    [Fact]
    public void A_mass_mailing_delays_no_other_sender()
    {
        Simulation simulation = new(new(), _ => false);
        for (int i = 0; i < 10_000; i++) simulation.Arrive(Entry("example.com", "mass", Start));
        QueueEntry single = Entry("example.com", "person", Start + TimeSpan.FromSeconds(30));
        simulation.Arrive(single);
        simulation.Run(Start + TimeSpan.FromSeconds(60));
        Assert.True(simulation.Left > 5000);
        Assert.True(single.IsFinished);
    }

    /// <summary>One user's newsletter to thousands of domains, of which some hang: the single mail of others, to domains that are new as well, goes at once.</summary>
    [Fact]
    public void A_mass_mailing_to_many_destinations_delays_no_other_sender() =>
        Gen.Select(Gen.Int[1000, 10_000], Gen.Int[0, 20], Gen.Int[20, 500], Gen.Int[0, int.MaxValue]).Sample((letters, deadInHundred, connections, seed) =>
        {
            Simulation simulation = new(new() { MaxConnections = connections }, destination => destination.StartsWith("dead", StringComparison.Ordinal));
            Random random = new(seed);
            for (int i = 0; i < letters; i++) simulation.Arrive(Entry($"{(random.Next(100) < deadInHundred ? "dead" : "letter")}{i}.example", "mass", Start.AddHours(2)));
            // The last one goes where the newsletter goes as well.
            QueueEntry[] singles = [.. Enumerable.Range(0, 30).Select(i => Entry($"new{i}.example", $"user{i % 3}", Start.AddHours(2).AddSeconds(60 * random.NextDouble()))), Entry($"letter{letters - 1}.example", "user0", Start.AddHours(2).AddSeconds(1))];
            foreach (QueueEntry single in singles) simulation.Arrive(single);
            simulation.Run(Start.AddHours(2).AddSeconds(80));
            Assert.All(singles, single => Assert.True(single.IsFinished));
            Assert.True(simulation.LongestWait < TimeSpan.FromSeconds(5), $"a message waited {simulation.LongestWait}");
        }, iter: 20);

    /// <summary>Servers that hold every connection for hours, and mail that a stranger has us send to all of them, such as reports: others still get through, to new destinations and to known ones.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void Hundreds_of_tarpits_take_not_everything(int origins)
    {
        Simulation simulation = new(new(), _ => false, destination => destination.StartsWith("slow", StringComparison.Ordinal) ? 2 * 3600 : 1);
        for (int i = 0; i < 1000; i++) simulation.Arrive(Entry($"slow{i}.example", $"reports{i % origins}", Start.AddHours(2)));
        for (int i = 0; i < 200; i++) simulation.Arrive(Entry($"new{i}.example", $"user{i % 5}", Start.AddHours(2).AddSeconds(10 * i)));
        simulation.Run(Start.AddHours(3));
        Assert.Equal(1000, simulation.Left); // the tarpits
        Assert.True(simulation.LongestWait < TimeSpan.FromSeconds(5), $"a message waited {simulation.LongestWait}");
    }

    /// <summary>However many senders there are to fill what new destinations may have: what worked a while ago is not new.</summary>
    [Fact]
    public void A_destination_that_worked_before_needs_no_queue_to_be_known()
    {
        Simulation simulation = new(new(), _ => false, destination => destination.StartsWith("slow", StringComparison.Ordinal) ? 2 * 3600 : 1);
        simulation.Arrive(Entry("known.example", "user", Start));
        for (int i = 0; i < 1000; i++) simulation.Arrive(Entry($"slow{i}.example", $"stranger{i}", Start.AddHours(2)));
        for (int i = 0; i < 20; i++) simulation.Arrive(Entry("known.example", "user", Start.AddHours(2).AddMinutes(i + 1)));
        simulation.Run(Start.AddHours(3));
        Assert.Equal(1000, simulation.Left);
        Assert.Equal(TimeSpan.Zero, simulation.LongestWait);
    }

    [Fact]
    public void Concurrency_grows_with_success_and_ends_at_the_limit()
    {
        Schedule schedule = new(static () => new(), (_, recipient) => recipient.Address.Domain.Ascii);
        List<int> running = [];
        for (int i = 0; i < 3000; i++) schedule.Add(Entry("example.com", "a", Start), Start);
        for (int round = 0; round < 60; round++)
        {
            List<Delivery> taken = [];
            while (schedule.TryTake(Start, out Delivery? delivery)) taken.Add(delivery);
            running.Add(taken.Count);
            foreach (Delivery delivery in taken) Finish(schedule, delivery);
        }
        Assert.Equal([1, 5], running[..2]);
        Assert.Equal(20, running[^1]);
        Assert.Equal(running.Order(), running);
    }

    /// <summary>Two wait for one destination, and a route comes between them.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_recipient_whose_route_changes_is_tried_on_its_new_way(bool delivered)
    {
        string bobs = "far.example";
        Schedule schedule = new(static () => new(), (_, recipient) => recipient.Address.LocalPart == "bob" ? bobs : recipient.Address.Domain.Ascii);
        QueueEntry entry = EntryFor("ann@far.example", "bob@far.example");
        schedule.Add(entry, Start);
        Assert.True(schedule.TryTake(Start, out Delivery? both));
        Assert.Equal([0, 1], both.Recipients);
        schedule.End(both, new ConnectionVerdict.Worked(), Start);
        bobs = "[two]:25";
        DateTimeOffset later = Start.AddHours(1);
        Assert.True(schedule.TryTake(later, out Delivery? anns));
        Assert.Equal([0], anns.Recipients);
        if (delivered) Finish(schedule, anns);
        else schedule.End(anns, new ConnectionVerdict.Worked(), later);
        Assert.True(schedule.TryTake(later, out Delivery? own));
        Assert.Equal(("[two]:25", 1), (own.Destination.Key, Assert.Single(own.Recipients)));
        Finish(schedule, own);
        Assert.Equal(delivered, entry.IsFinished);
        Assert.Equal(delivered, schedule.NextDue is null);
    }

    /// <summary>The new way is one on which others of the message are being tried just now: it is not over for the newcomer when it is for them.</summary>
    [Fact]
    public void A_recipient_that_comes_to_a_running_job_is_not_forgotten_with_it()
    {
        string anns = "one.example";
        Schedule schedule = new(static () => new(), (_, recipient) => recipient.Address.LocalPart == "ann" ? anns : recipient.Address.Domain.Ascii);
        QueueEntry entry = EntryFor("ann@one.example", "bob@two.example");
        schedule.Add(entry, Start);
        Assert.True(schedule.TryTake(Start, out Delivery? first));
        Assert.True(schedule.TryTake(Start, out Delivery? second));
        (Delivery one, Delivery two) = first.Destination.Key == "one.example" ? (first, second) : (second, first);
        schedule.End(one, new ConnectionVerdict.Worked(), Start);
        anns = "two.example";
        Assert.False(schedule.TryTake(Start.AddHours(1), out _)); // nobody is left for one.example
        Finish(schedule, two);
        Assert.True(schedule.TryTake(Start.AddHours(1), out Delivery? moved));
        Assert.Equal(("two.example", 0), (moved.Destination.Key, Assert.Single(moved.Recipients)));
    }

    /// <summary>A route that changes for one recipient hurries no other.</summary>
    [Fact]
    public void The_others_of_a_message_keep_their_time()
    {
        string anns = "one.example";
        Schedule schedule = new(static () => new(), (_, recipient) => recipient.Address.LocalPart == "ann" ? anns : recipient.Address.Domain.Ascii);
        QueueEntry entry = EntryFor("ann@one.example", "bob@two.example");
        schedule.Add(entry, Start);
        Assert.True(schedule.TryTake(Start, out Delivery? first));
        Assert.True(schedule.TryTake(Start, out Delivery? second));
        (Delivery one, Delivery two) = first.Destination.Key == "one.example" ? (first, second) : (second, first);
        schedule.End(one, new ConnectionVerdict.Worked(), Start);
        schedule.End(two, new ConnectionVerdict.Worked(), Start.AddHours(1));
        DateTimeOffset due = two.Job.Due;
        anns = "three.example";
        Assert.True(schedule.TryTake(Start.AddHours(1), out Delivery? moved) || schedule.TryTake(Start.AddHours(1), out moved));
        Assert.Equal("three.example", moved.Destination.Key);
        Assert.Equal(due, two.Job.Due);
    }

    [Fact]
    public void Waits_grow_to_the_longest_and_are_spread()
    {
        QueueOptions options = new();
        TimeSpan[] waits = [.. Enumerable.Range(1, 12).Select(attempt => Retry.Interval(attempt, options))];
        Assert.InRange(waits[0], options.FirstRetry * 0.8, options.FirstRetry * 1.2);
        Assert.All(waits, wait => Assert.InRange(wait, options.FirstRetry * 0.8, options.MaxRetry * 1.2));
        Assert.InRange(waits[^1], options.MaxRetry * 0.8, options.MaxRetry * 1.2);
        Assert.True(Enumerable.Range(0, 50).Select(_ => Retry.Interval(12, options)).Distinct().Count() > 10);
    }

    [Fact]
    public void Held_entries_are_left_alone_and_hurried_ones_are_not()
    {
        Schedule schedule = new(static () => new(), (_, recipient) => recipient.Address.Domain.Ascii);
        QueueEntry entry = Entry("example.com", "a", Start);
        schedule.Add(entry, Start);
        schedule.Withdraw(entry);
        Assert.False(schedule.TryTake(Start.AddDays(1), out _));
        schedule.Add(entry, Start);
        Assert.True(schedule.TryTake(Start, out Delivery? delivery));
        schedule.End(delivery, new ConnectionVerdict.Failed(new(450, "4.4.1", "no")), Start);
        Assert.False(schedule.TryTake(Start.AddMinutes(1), out _));
        schedule.Hurry(entry, Start.AddMinutes(1));
        Assert.True(schedule.TryTake(Start.AddMinutes(1), out Delivery? again));
        Assert.Null(again.Fault);
    }

    private static void Finish(Schedule schedule, Delivery delivery)
    {
        foreach (int recipient in delivery.Recipients) delivery.Entry.Apply(new(recipient, RecipientState.Delivered, new(250, "2.0.0", "ok"), "x"));
        schedule.End(delivery, new ConnectionVerdict.Worked(), Start);
    }

    private QueueEntry Entry(string domain, string origin, DateTimeOffset arrived) => Entry(origin, arrived, $"someone@{domain}");

    private QueueEntry EntryFor(params string[] recipients) => Entry("a", Start, recipients);

    private QueueEntry Entry(string origin, DateTimeOffset arrived, params string[] recipients) =>
        new(new()
        {
            Id = new($"{++_ids}"), Arrived = arrived, From = ReversePath.Null, Origin = origin, Size = 1000,
            Recipients = [.. recipients.Select(recipient => new EnvelopeRecipient(EmailAddress.Parse(recipient), DsnNotify.Unspecified, null))],
        }, 0) { NextAttempt = arrived };

    /// <summary>Plays arrivals and deliveries over simulated time: a good destination takes a second, a dead one fails after thirty.</summary>
    private sealed class Simulation(QueueOptions options, Func<string, bool> isDead, Func<string, int>? seconds = null)
    {
        private readonly Schedule _schedule = new(() => options, (_, recipient) => recipient.Address.Domain.Ascii);
        private readonly PriorityQueue<QueueEntry, long> _arrivals = new();
        private readonly PriorityQueue<Delivery, long> _ends = new();

        public int Left { get; private set; }
        public int DeadAttempts { get; private set; }

        /// <summary>The longest that mail for a good destination waited for its first attempt, the first hour left out: all destinations are new in it.</summary>
        public TimeSpan LongestWait { get; private set; }
        public TimeSpan LongestLife { get; private set; }

        public void Arrive(QueueEntry entry)
        {
            Left++;
            _arrivals.Enqueue(entry, entry.Message.Arrived.UtcTicks);
        }

        public void Run(DateTimeOffset until)
        {
            DateTimeOffset now = Start;
            while (now <= until && (_arrivals.Count > 0 || _ends.Count > 0 || _schedule.NextDue is not null))
            {
                while (_arrivals.TryPeek(out QueueEntry? entry, out long at) && at <= now.UtcTicks)
                {
                    _arrivals.Dequeue();
                    _schedule.Add(entry, entry.Message.Arrived);
                }
                while (_schedule.TryTake(now, out Delivery? delivery)) Begin(delivery, now);
                now = Next(now);
                while (_ends.TryPeek(out Delivery? ended, out long at) && at <= now.UtcTicks)
                {
                    _ends.Dequeue();
                    End(ended, now);
                }
            }
        }

        private DateTimeOffset Next(DateTimeOffset now)
        {
            long next = long.MaxValue;
            if (_arrivals.TryPeek(out _, out long arrival)) next = Math.Min(next, arrival);
            if (_ends.TryPeek(out _, out long end)) next = Math.Min(next, end);
            if (_schedule.NextDue is { } due) next = Math.Min(next, due.UtcTicks);
            return next == long.MaxValue ? DateTimeOffset.MaxValue : new(Math.Max(next, now.UtcTicks + 1), TimeSpan.Zero);
        }

        private void Begin(Delivery delivery, DateTimeOffset now)
        {
            bool dead = isDead(delivery.Destination.Key);
            if (dead && delivery.Fault is null) DeadAttempts++;
            TimeSpan wait = now - delivery.Entry.Message.Arrived;
            if (!dead && !delivery.Destination.Key.StartsWith("slow", StringComparison.Ordinal) && delivery.Job.Attempts == 0 && (now > Start.AddHours(1) || delivery.Destination.Health == Health.Working) && wait > LongestWait && delivery.Entry.Message.Origin != "mass") LongestWait = wait;
            TimeSpan takes = delivery.Fault is not null ? TimeSpan.Zero : TimeSpan.FromSeconds(dead ? 30 : seconds?.Invoke(delivery.Destination.Key) ?? 1);
            _ends.Enqueue(delivery, (now + takes).UtcTicks);
        }

        private void End(Delivery delivery, DateTimeOffset now)
        {
            QueueEntry entry = delivery.Entry;
            bool dead = isDead(delivery.Destination.Key);
            bool expired = now - entry.Message.Arrived >= options.Lifetime;
            if (!dead || expired)
            {
                foreach (int recipient in delivery.Recipients) entry.Apply(new(recipient, dead ? RecipientState.Failed : RecipientState.Delivered, new(250, "2.0.0", "ok"), "x"));
                Left--;
                TimeSpan life = now - entry.Message.Arrived;
                if (life > LongestLife) LongestLife = life;
            }
            else if (options.DelayWarning is { } warning && now - entry.Message.Arrived >= warning) entry.IsWarned = true;
            ConnectionVerdict verdict = delivery.Fault is not null ? new ConnectionVerdict.Nothing() : dead ? new ConnectionVerdict.Failed(new(450, "4.4.1", "no")) : new ConnectionVerdict.Worked();
            _schedule.End(delivery, verdict, now);
        }
    }
}
