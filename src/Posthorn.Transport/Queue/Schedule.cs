using System.Diagnostics.CodeAnalysis;

namespace Posthorn.Transport.Queue;

/// <summary>The recipients of one message at one destination: what is tried as a whole.</summary>
internal sealed class Job(QueueEntry entry, Destination destination)
{
    public QueueEntry Entry { get; } = entry;
    public Destination Destination { get; } = destination;
    public int Attempts { get; set; }
    public DateTimeOffset Due { get; set; }
    public JobState State { get; set; }

    /// <summary>Tells a row of the heap that is out of date.</summary>
    public int Version { get; set; }

    /// <summary>Recipients have come to its destination while it runs: the delivery knows nothing of them.</summary>
    public bool HasNewcomers { get; set; }

    /// <summary>It is under way to a destination that was new when it started.</summary>
    public bool IsTrial { get; set; }
}

internal enum JobState
{
    Waiting,
    Ready,
    Running,
    Gone,
}

/// <summary>A job to be carried out now.</summary>
/// <param name="Job">The job.</param>
/// <param name="Recipients">The places of its recipients in the message's list.</param>
/// <param name="Fault">Not null when the destination rests and the job is only due for a warning or its end.</param>
internal sealed record Delivery(Job Job, IReadOnlyList<int> Recipients, SmtpReply? Fault)
{
    public QueueEntry Entry => Job.Entry;
    public Destination Destination => Job.Destination;

    /// <summary>What its recipients are told without any attempt; null when one is to be made. An operator may have thrown the message away since it was taken.</summary>
    public SmtpReply? Foregone => Entry.IsDeleted(Recipients[0]) ? Accept.Replies.Deleted : Entry.Message.Outcome ?? Fault;
}

/// <summary>When which job is tried. Knows no threads and no clock: the queue's lock guards it and the time is given.</summary>
/// <remarks>
/// Destinations take turns; within one, the senders do. Destinations without a success of late may have half of all connections together, those that fail a quarter:
/// however many of them hang, the rest is never short of connections. Among the new ones the senders take turns first, and none may have more than three times what is left:
/// whoever writes to ten thousand of them, or to some hundreds that hang, leaves connections for the first mail of somebody else.
/// </remarks>
internal sealed class Schedule(Func<QueueOptions> options, Func<QueueMessage, EnvelopeRecipient, string> destinationOf)
{
    private const int Kinds = 3;

    /// <summary>A sender may have so many connections to new destinations for each that is free. Three quarters for one alone.</summary>
    private const int ShareOfFree = 3;

    private readonly DestinationBook _destinations = new();
    private readonly PriorityQueue<(Job Job, int Version), long> _waiting = new();
    private readonly FairQueue<(string Origin, Destination Destination)> _newcomers = new();
    private readonly Queue<Destination>[] _rings = [[], [], []];
    private readonly Queue<Job> _overdue = [];
    private readonly int[] _running = new int[Kinds];
    private readonly Dictionary<string, int> _trials = [];
    private int _notices;
    private int _turn;

    public IReadOnlyCollection<Destination> Destinations => _destinations.All;

    /// <summary>Deliveries under way.</summary>
    public int Running => Connections + _notices;

    private int Connections => _running[0] + _running[1] + _running[2];

    /// <summary>When the next job that waits is due; null when none waits.</summary>
    public DateTimeOffset? NextDue
    {
        get
        {
            while (_waiting.TryPeek(out (Job Job, int Version) top, out _) && top.Job.Version != top.Version) _waiting.Dequeue();
            return _waiting.TryPeek(out (Job Job, int Version) next, out _) ? next.Job.Due : null;
        }
    }

    /// <summary>Plans the recipients of an entry that wait; those that are planned already get the new time, unless they are being tried.</summary>
    public void Add(QueueEntry entry, DateTimeOffset due) => Plan(entry, KeysOf(entry), due, moves: true);

    // A job for each key. Those that wait already get the new time if it moves them; one that runs has begun without the recipients that have come to it.
    private void Plan(QueueEntry entry, IEnumerable<string> keys, DateTimeOffset due, bool moves)
    {
        Dictionary<string, Job> jobs = entry.Jobs.Where(job => job.State != JobState.Gone).ToDictionary(job => job.Destination.Key);
        foreach (string key in keys.Distinct())
        {
            bool isKnown = jobs.TryGetValue(key, out Job? known);
            Job job = known ?? Make(entry, key);
            if (!isKnown || moves && job.State == JobState.Waiting) Wait(job, due);
            job.HasNewcomers |= job.State == JobState.Running;
        }
    }

    private IEnumerable<string> KeysOf(QueueEntry entry) => entry.PendingRecipients.Select(recipient => KeyOf(entry, recipient));

    private string KeyOf(QueueEntry entry, int recipient) => destinationOf(entry.Message, entry.Message.Recipients[recipient]);

    private Job Make(QueueEntry entry, string key)
    {
        Job job = new(entry, _destinations.Open(key, options())) { Attempts = entry.Attempts };
        entry.Jobs.Add(job);
        return job;
    }

    /// <summary>Takes an entry out; a delivery under way ends by itself.</summary>
    public void Withdraw(QueueEntry entry)
    {
        foreach (Job job in entry.Jobs)
        {
            if (job.State == JobState.Running) continue;
            Drop(job);
        }
        entry.Jobs.RemoveAll(job => job.State == JobState.Gone);
    }

    /// <summary>The next job to carry out now, if there is one and a connection for it.</summary>
    public bool TryTake(DateTimeOffset now, [NotNullWhen(true)] out Delivery? delivery)
    {
        Promote(now);
        if (TryTakeOverdue(now, out delivery)) return true;
        for (int i = 0; i < Kinds; i++)
        {
            _turn = (_turn + 1) % Kinds;
            Health kind = (Health)_turn;
            if (!HasPlace(kind)) continue;
            if (kind != Health.New)
            {
                if (TryTakeKnown(kind, now, out delivery)) return true;
            }
            else if (TryTakeNew(out delivery)) return true;
        }
        delivery = null;
        return false;
    }

    /// <summary>A further job for a connection that is open: as <see cref="TryTake"/>, for one destination, instead of the job that has ended.</summary>
    public bool TryTakeFrom(Destination destination, DateTimeOffset now, [NotNullWhen(true)] out Delivery? delivery)
    {
        delivery = null;
        if (destination.IsResting(now) || destination.Running >= destination.Window || !HasPlace(destination.Health)) return false;
        while (destination.Ready.TryDequeue(out Job? job))
            if (TryStart(job, null, out delivery)) return true;
        return false;
    }

    // What is only to be told needs no connection, and has a bound of its own.
    private bool TryTakeOverdue(DateTimeOffset now, [NotNullWhen(true)] out Delivery? delivery)
    {
        while (_notices < Math.Max(1, options().MaxNotices) && _overdue.TryDequeue(out Job? job))
        {
            if (job.State != JobState.Ready) continue;
            if (!job.Destination.IsResting(now)) MakeReady(job, now); // better than word of it is an attempt
            else if (TryStart(job, job.Destination.LastFault ?? new(450, "4.4.1", "The destination could not be reached"), out delivery)) return true;
        }
        delivery = null;
        return false;
    }

    private bool TryTakeNew([NotNullWhen(true)] out Delivery? delivery)
    {
        while (_newcomers.TryDequeue(HasShare, out (string Origin, Destination Destination) next))
        {
            Destination destination = next.Destination;
            if (destination.Health != Health.New || destination.Running >= destination.Window) continue; // known by now, or its end sees to it
            while (destination.Ready.TryDequeueOf(next.Origin, out Job? job))
                if (TryStart(job, null, out delivery)) return true;
            EnterRing(destination); // for others
        }
        delivery = null;
        return false;
    }

    private bool TryTakeKnown(Health kind, DateTimeOffset now, [NotNullWhen(true)] out Delivery? delivery)
    {
        while (_rings[(int)kind].TryDequeue(out Destination? destination))
        {
            if (destination.Ring != kind) continue; // it stands elsewhere by now
            destination.Ring = null;
            if (destination.Health != kind) EnterRing(destination);
            else if (TryTakeFrom(destination, now, out delivery))
            {
                EnterRing(destination);
                return true;
            }
            else if (destination.IsResting(now)) WaitOutRest(destination); // the clock was set back
        }
        delivery = null;
        return false;
    }

    /// <summary>A delivery has ended: recipients without a last word wait for the next attempt.</summary>
    public void End(Delivery delivery, ConnectionVerdict verdict, DateTimeOffset now)
    {
        (Job job, Destination destination) = (delivery.Job, delivery.Destination);
        if (delivery.Fault is not null) _notices--;
        else
        {
            Free(job);
            Learn(destination, verdict, now);
            EnterRing(destination);
        }
        job.Attempts++;
        job.Entry.Attempts = Math.Max(job.Entry.Attempts, job.Attempts);
        if (job.Entry.IsFinished || job.Entry.IsHeld || !delivery.Recipients.Any(job.Entry.IsPending))
        {
            Drop(job);
            job.Entry.Jobs.Remove(job);
            if (job.HasNewcomers && !job.Entry.IsFinished && !job.Entry.IsHeld) Plan(job.Entry, KeysOf(job.Entry), now, moves: false);
            return;
        }
        Wait(job, now + Retry.Interval(job.Attempts, options()));
        job.Entry.NextAttempt = job.Due;
    }

    /// <summary>Tries an entry, and its destinations, now.</summary>
    public void Hurry(QueueEntry entry, DateTimeOffset now)
    {
        foreach (Job job in entry.Jobs) job.Destination.EndRest(now);
        Add(entry, now);
    }

    private void Learn(Destination destination, ConnectionVerdict verdict, DateTimeOffset now)
    {
        // The class counters count running deliveries by the health they have now.
        Recount(destination, -destination.Running);
        switch (verdict)
        {
            case ConnectionVerdict.Worked: destination.Worked(now, options()); break;
            case ConnectionVerdict.Failed failed: destination.Failed(failed.Reply, now, options()); break;
            default: break;
        }
        Recount(destination, destination.Running);
        if (!destination.IsResting(now)) return;
        WaitOutRest(destination);
    }

    // What was ready waits with it, in the same order, so that nothing stands ready which nobody may take.
    private void WaitOutRest(Destination destination)
    {
        long place = 0;
        while (destination.Ready.TryDequeue(out Job? job))
            if (job.State == JobState.Ready) WaitOutRest(job, ++place);
    }

    // Until the rest ends, or until the sender has to hear something before that.
    private void WaitOutRest(Job job, long place)
    {
        DateTimeOffset duty = NextDuty(job.Entry);
        Wait(job, job.Destination.RestUntil < duty ? job.Destination.RestUntil.AddTicks(place) : duty);
    }

    private void Promote(DateTimeOffset now)
    {
        while (_waiting.TryPeek(out (Job Job, int Version) top, out long due) && due <= now.UtcTicks)
        {
            _waiting.Dequeue();
            Job job = top.Job;
            if (job.Version != top.Version || job.State != JobState.Waiting) continue;
            if (!job.Destination.IsResting(now)) MakeReady(job, now);
            else if (NextDuty(job.Entry) <= now)
            {
                job.State = JobState.Ready;
                _overdue.Enqueue(job);
            }
            else WaitOutRest(job, 0);
        }
    }

    private void MakeReady(Job job, DateTimeOffset now)
    {
        (Destination destination, string origin) = (job.Destination, job.Entry.Message.Origin);
        if (destination is { Running: 0, Ready.Count: 0 }) destination.Age(now);
        job.State = JobState.Ready;
        bool isFirst = destination.Ready.Enqueue(origin, job);
        if (destination.Health != Health.New) EnterRing(destination);
        else if (isFirst && destination.Running < destination.Window) _newcomers.Enqueue(origin, (origin, destination));
    }

    // When something has to be told to the sender, whether or not the destination can be reached.
    private DateTimeOffset NextDuty(QueueEntry entry)
    {
        DateTimeOffset end = entry.EndOf(options().Lifetime);
        if (entry.IsWarned || entry.WarningAt(options().DelayWarning) is not { } warn) return end;
        return warn < end ? warn : end;
    }

    private bool TryStart(Job job, SmtpReply? fault, [NotNullWhen(true)] out Delivery? delivery)
    {
        delivery = null;
        if (job.State != JobState.Ready) return false;
        (List<int> recipients, List<string> others) = ([], []);
        foreach (int recipient in job.Entry.PendingRecipients)
        {
            string key = KeyOf(job.Entry, recipient);
            if (key == job.Destination.Key) recipients.Add(recipient);
            else others.Add(key);
        }
        if (recipients.Count == 0)
        {
            Drop(job);
            job.Entry.Jobs.Remove(job);
        }
        if (others.Count > 0) Plan(job.Entry, others, job.Due, moves: false);
        if (recipients.Count == 0) return false;
        (job.State, job.HasNewcomers) = (JobState.Running, false);
        if (fault is null) Occupy(job);
        else _notices++;
        delivery = new(job, recipients, fault);
        return true;
    }

    private void Occupy(Job job)
    {
        Destination destination = job.Destination;
        destination.Running++;
        Recount(destination, 1);
        job.IsTrial = destination.Health == Health.New;
        if (job.IsTrial) _trials[job.Entry.Message.Origin] = _trials.GetValueOrDefault(job.Entry.Message.Origin) + 1;
    }

    private void Free(Job job)
    {
        job.Destination.Running--;
        Recount(job.Destination, -1);
        if (!job.IsTrial) return;
        string origin = job.Entry.Message.Origin;
        if (--_trials[origin] == 0) _trials.Remove(origin);
    }

    private bool HasPlace(Health kind) => Connections < options().MaxConnections && _running[(int)kind] < MostOf(kind);

    private int MostOf(Health kind) => kind switch
    {
        Health.New => Math.Max(1, options().MaxConnections / 2),
        Health.Failing => Math.Max(1, options().MaxConnections / 4),
        _ => options().MaxConnections,
    };

    private bool HasShare(string origin) => _trials.GetValueOrDefault(origin) < ShareOfFree * (MostOf(Health.New) - _running[(int)Health.New]);

    private void Recount(Destination destination, int change) => _running[(int)destination.Health] += change;

    private void Wait(Job job, DateTimeOffset due)
    {
        (job.State, job.Due) = (JobState.Waiting, due);
        _waiting.Enqueue((job, ++job.Version), due.UtcTicks);
    }

    private void Drop(Job job)
    {
        if (job.State == JobState.Gone) return;
        job.State = JobState.Gone;
        job.Version++;
        _destinations.Close(job.Destination);
    }

    // It waits for a turn where it has something to do and a connection for it; else the end of a delivery sees to it.
    private void EnterRing(Destination destination)
    {
        if (destination.Running >= destination.Window || destination.Ready.Next is not { } origin || destination.Ring == destination.Health) return;
        if (destination.Health == Health.New)
        {
            _newcomers.Enqueue(origin, (origin, destination));
            return;
        }
        destination.Ring = destination.Health;
        _rings[(int)destination.Health].Enqueue(destination);
    }
}

/// <summary>What a delivery taught about its destination.</summary>
internal abstract record ConnectionVerdict
{
    private ConnectionVerdict() { }

    /// <summary>The host was reached and spoke sense, whatever it said about the mail.</summary>
    public sealed record Worked : ConnectionVerdict;

    /// <summary>The host could not be used at all.</summary>
    public sealed record Failed(SmtpReply Reply) : ConnectionVerdict;

    /// <summary>Nothing was tried.</summary>
    public sealed record Nothing : ConnectionVerdict;
}
