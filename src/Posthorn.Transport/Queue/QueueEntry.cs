
namespace Posthorn.Transport.Queue;

/// <summary>What changes about a message in the queue, as a spool file keeps it.</summary>
internal sealed record QueueEntryState(bool IsHeld, bool IsWarned, int Attempts, DateTimeOffset NextAttempt, IReadOnlyList<RecipientAnswer> Answers)
{
    /// <summary>When an operator had it start anew; null when never.</summary>
    public DateTimeOffset? Restarted { get; init; }

    /// <summary>What was last heard about recipients that wait.</summary>
    public IReadOnlyList<(int Recipient, SmtpReply Reply)> LastWords { get; init; } = [];
}

/// <summary>One message in the queue with the state of its recipients. Guarded by the queue's lock.</summary>
internal sealed class QueueEntry(QueueMessage message, long record)
{
    /// <summary>What is kept of a remote server's words, characters: enough for any honest explanation.</summary>
    public const int MaxReplyText = 512;

    private readonly RecipientAnswer?[] _answers = new RecipientAnswer?[message.Recipients.Count];
    private readonly SmtpReply?[] _lastReplies = new SmtpReply?[message.Recipients.Count];

    public QueueMessage Message { get; } = message;

    /// <summary>The journal's record that holds the content; 0 when it lies in a spool file alone.</summary>
    public long Record { get; } = record;

    /// <summary>The content lies in a spool file, and that is durable.</summary>
    public bool IsSpooled { get; set; }

    /// <summary>There is a spool file, which a checkpoint that failed may have left: it has to go with the message.</summary>
    public bool HasFile { get; set; }

    /// <summary>The state differs from that in the spool file.</summary>
    public bool IsDirty { get; set; }
    public bool IsHeld { get; set; }
    public bool IsWarned { get; set; }

    /// <summary>Attempts so far, the most of any of its destinations.</summary>
    public int Attempts { get; set; }
    public DateTimeOffset NextAttempt { get; set; }

    /// <summary>When an operator had it start anew; null when never.</summary>
    public DateTimeOffset? Restarted { get; set; }

    /// <summary>When its time in the queue began.</summary>
    public DateTimeOffset Since => Restarted > Message.Since ? Restarted.Value : Message.Since;

    /// <summary>When trying ends: after its lifetime, or when its sender said (RFC 2852 section 4.1.4.1).</summary>
    public DateTimeOffset EndOf(TimeSpan lifetime) => Message.By is { Return: true } by && by.Time < Since + lifetime ? by.Time : Since + lifetime;

    /// <summary>When the sender is told that it is late; null for never. Who named a time is told then, as RFC 2852 section 4.1.3 demands, and not before.</summary>
    public DateTimeOffset? WarningAt(TimeSpan? delay) => Message.By is { Return: false } by ? by.Time : Since + delay;

    /// <summary>Its share of the schedule: one job for each destination.</summary>
    public List<Job> Jobs { get; } = [];

    /// <summary>Recipients that have no last word yet.</summary>
    public int Pending { get; private set; } = message.Recipients.Count;
    public bool IsFinished => Pending == 0;

    public RecipientAnswer? AnswerOf(int recipient) => _answers[recipient];
    public bool IsPending(int recipient) => _answers[recipient] is null;

    /// <summary>An operator has thrown it away.</summary>
    public bool IsDeleted(int recipient) => _answers[recipient] is { State: RecipientState.Deleted };

    /// <summary>What was last heard about a recipient that waits.</summary>
    public SmtpReply? LastReply(int recipient) => _answers[recipient]?.Reply ?? _lastReplies[recipient];

    public IEnumerable<int> PendingRecipients
    {
        get
        {
            for (int i = 0; i < _answers.Length; i++)
                if (_answers[i] is null) yield return i;
        }
    }

    public void Defer(int recipient, SmtpReply reply)
    {
        if (_answers[recipient] is not null) return;
        _lastReplies[recipient] = Bounded(reply);
        IsDirty = true;
    }

    /// <summary>Takes a last word; the first one stays.</summary>
    public void Apply(RecipientAnswer answer)
    {
        if (answer.Recipient < 0 || answer.Recipient >= _answers.Length || _answers[answer.Recipient] is not null) return;
        _answers[answer.Recipient] = answer with { Reply = Bounded(answer.Reply) };
        _lastReplies[answer.Recipient] = null;
        Pending--;
        IsDirty = true;
    }

    public QueueEntryState Snapshot() => new(IsHeld, IsWarned, Attempts, NextAttempt, [.. _answers.OfType<RecipientAnswer>()])
    {
        Restarted = Restarted,
        LastWords = [.. PendingRecipients.Where(recipient => _lastReplies[recipient] is not null).Select(recipient => (recipient, _lastReplies[recipient]!))],
    };

    public void Restore(QueueEntryState state)
    {
        (IsHeld, IsWarned, Attempts, NextAttempt, Restarted) = (state.IsHeld, state.IsWarned, state.Attempts, state.NextAttempt, state.Restarted);
        foreach (RecipientAnswer answer in state.Answers) Apply(answer);
        foreach ((int recipient, SmtpReply reply) in state.LastWords)
            if (recipient >= 0 && recipient < _lastReplies.Length) Defer(recipient, reply);
        IsDirty = false;
    }

    public static SmtpReply Bounded(SmtpReply reply) => reply.Text.Length <= MaxReplyText ? reply : reply with { Text = reply.Text[..MaxReplyText] };
}
