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

    /// <summary>What its recipients are told without any attempt; null when one is to be made.</summary>
    public SmtpReply? Foregone => Entry.Message.Outcome ?? Fault;
}

/// <summary>When which job is tried. Knows no threads and no clock: the queue's lock guards it and the time is given.</summary>
/// <remarks>
/// Destinations take turns; within one, the senders do. Destinations without a success so far may have half of all connections together, those that fail a quarter:
/// however many of them hang, the rest is never short of connections.
/// </remarks>
internal sealed class Schedule(Func<QueueOptions> options, Func<QueueMessage, EnvelopeRecipient, string> destinationOf)
{
    private readonly Dictionary<string, Destination> _destinations = [];
    private readonly PriorityQueue<(Job Job, int Version), long> _waiting = new();
    private readonly Queue<Destination> _ring = [];
    private readonly Queue<Job> _overdue = [];
    private readonly int[] _running = new int[3];

    public IReadOnlyCollection<Destination> Destinations => _destinations.Values;

    /// <summary>Deliveries under way.</summary>
    public int Running => _running[0] + _running[1] + _running[2];

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
    public void Add(QueueEntry entry, DateTimeOffset due)
    {
        foreach (string key in KeysOf(entry).Distinct())
        {
            Job job = entry.Jobs.Find(job => job.Destination.Key == key && job.State != JobState.Gone) ?? Make(entry, key);
            job.HasNewcomers = job.State == JobState.Running;
            if (job.State == JobState.Waiting) Wait(job, due);
        }
    }

    // Recipients whose routes have changed belong to no job any more, or to one that has begun without them. All others keep their time.
    private void Complete(QueueEntry entry, IEnumerable<string> keys, DateTimeOffset due)
    {
        Dictionary<string, Job> jobs = entry.Jobs.Where(job => job.State != JobState.Gone).ToDictionary(job => job.Destination.Key);
        foreach (string key in keys)
        {
            if (!jobs.TryGetValue(key, out Job? job))
            {
                jobs.Add(key, job = Make(entry, key));
                Wait(job, due);
            }
            else if (job.State == JobState.Running) job.HasNewcomers = true;
        }
    }

    private IEnumerable<string> KeysOf(QueueEntry entry) => entry.PendingRecipients.Select(recipient => KeyOf(entry, recipient));

    private string KeyOf(QueueEntry entry, int recipient) => destinationOf(entry.Message, entry.Message.Recipients[recipient]);

    private Job Make(QueueEntry entry, string key)
    {
        Destination destination = Find(key);
        destination.Jobs++;
        Job job = new(entry, destination) { Attempts = entry.Attempts };
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
        while (_overdue.TryDequeue(out Job? job))
            if (TryStart(job, job.Destination.LastFault ?? new(450, "4.4.1", "The destination could not be reached"), out delivery)) return true;

        for (int left = _ring.Count; left > 0; left--)
        {
            Destination destination = _ring.Dequeue();
            destination.IsInRing = false;
            bool took = TryTakeFrom(destination, now, out Delivery? taken);
            EnterRing(destination);
            if (!took || taken is null) continue;
            delivery = taken;
            return true;
        }
        delivery = null;
        return false;
    }

    /// <summary>A further job for a connection that is open: as <see cref="TryTake"/>, for one destination, instead of the job that has ended.</summary>
    public bool TryTakeFrom(Destination destination, DateTimeOffset now, [NotNullWhen(true)] out Delivery? delivery)
    {
        delivery = null;
        if (destination.IsResting(now) || !MayStart(destination)) return false;
        while (destination.Ready.TryDequeue(out Job? job))
            if (TryStart(job, null, out delivery)) return true;
        return false;
    }

    /// <summary>A delivery has ended: recipients without a last word wait for the next attempt.</summary>
    public void End(Delivery delivery, ConnectionVerdict verdict, DateTimeOffset now)
    {
        (Job job, Destination destination) = (delivery.Job, delivery.Destination);
        destination.Running--;
        Recount(destination, -1);
        Learn(destination, verdict, now);
        job.Attempts++;
        job.Entry.Attempts = Math.Max(job.Entry.Attempts, job.Attempts);
        if (job.Entry.IsFinished || job.Entry.IsHeld || !delivery.Recipients.Any(job.Entry.IsPending))
        {
            Drop(job);
            job.Entry.Jobs.Remove(job);
            if (job.HasNewcomers && !job.Entry.IsFinished && !job.Entry.IsHeld) Complete(job.Entry, KeysOf(job.Entry), now);
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
            case ConnectionVerdict.Worked: destination.Worked(options()); break;
            case ConnectionVerdict.Failed failed: destination.Failed(failed.Reply, now, options()); break;
            default: break;
        }
        Recount(destination, destination.Running);
        if (!destination.IsResting(now)) return;
        // What was ready waits with it, in the same order, so that nothing stands ready which nobody may take.
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
            if (!job.Destination.IsResting(now))
            {
                job.State = JobState.Ready;
                job.Destination.Ready.Enqueue(job.Entry.Message.Origin, job);
                EnterRing(job.Destination);
            }
            else if (NextDuty(job.Entry) <= now)
            {
                job.State = JobState.Ready;
                _overdue.Enqueue(job);
            }
            else WaitOutRest(job, 0);
        }
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
        if (others.Count > 0) Complete(job.Entry, others, job.Due);
        if (recipients.Count == 0) return false;
        (job.State, job.HasNewcomers) = (JobState.Running, false);
        job.Destination.Running++;
        Recount(job.Destination, 1);
        delivery = new(job, recipients, fault);
        return true;
    }

    private bool MayStart(Destination destination)
    {
        if (destination.Running >= destination.Window || Running >= options().MaxConnections) return false;
        return destination.Health switch
        {
            Health.New => _running[(int)Health.New] < Math.Max(1, options().MaxConnections / 2),
            Health.Failing => _running[(int)Health.Failing] < Math.Max(1, options().MaxConnections / 4),
            _ => true,
        };
    }

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
        Destination destination = job.Destination;
        // A destination without jobs is forgotten, unless what was learnt about it is bad news.
        if (--destination.Jobs == 0 && destination.Running == 0 && destination.Health != Health.Failing && !destination.IsInRing) _destinations.Remove(destination.Key);
    }

    private void EnterRing(Destination destination)
    {
        if (destination.IsInRing || destination.Ready.Count == 0) return;
        destination.IsInRing = true;
        _ring.Enqueue(destination);
    }

    private Destination Find(string key)
    {
        if (_destinations.TryGetValue(key, out Destination? destination)) return destination;
        if (_destinations.Count >= MaxRemembered) Forget();
        _destinations.Add(key, destination = new(key));
        return destination;
    }

    /// <summary>Destinations kept at most before those without jobs are forgotten.</summary>
    private const int MaxRemembered = 20_000;

    private void Forget()
    {
        foreach (Destination idle in _destinations.Values.Where(destination => destination.Jobs == 0 && destination.Running == 0).ToArray()) _destinations.Remove(idle.Key);
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
