namespace Posthorn.Imap.Session;

/// <summary>Answers that wait for the disk: APPENDs that follow each other share a flush, and each is answered in its turn.</summary>
internal sealed class DeferredAnswers(ImapSession session)
{
    /// <summary>APPENDs that may be on their way to the disk at once: enough to share a flush, few enough to bound what they hold.</summary>
    private const int MaxPending = 16;

    private readonly Queue<(byte[] Tag, Task<Completion> End)> _pending = new();

    public bool IsEmpty => _pending.Count == 0;

    /// <summary>The next command is here already: an APPEND need not be durable before it is read. Its answer still comes in its turn.</summary>
    public bool MayDefer => session.Connection.Input.Length > 0 && _pending.Count < MaxPending;

    /// <summary>Answers the running command when the task has completed, before anything that comes after it.</summary>
    public void Add(Task<Completion> end) => _pending.Enqueue((session.Tag, end));

    /// <summary>Waits for what was deferred and answers it in order.</summary>
    public async ValueTask SettleAsync(CancellationToken cancel)
    {
        while (_pending.TryDequeue(out (byte[] Tag, Task<Completion> End) each))
        {
            Completion completion;
#pragma warning disable CA1031 // As in the session loop: a broken disk ends one command.
            try { completion = await each.End; }
            catch (Exception e) when (e is not OperationCanceledException)
            {
                session.Log.CommandFailed(e, session.Connection.Session, session.Account?.ToString() ?? "", "APPEND");
                completion = session.EndIfStale(e) ? Completion.Written : Completion.Of(e);
            }
#pragma warning restore CA1031
            if (IsEmpty && !session.IsEnding) await session.News.TellUnaskedAsync(mayExpunge: true, cancel);
            session.Out.Tagged(each.Tag, completion);
        }
    }

    /// <summary>Waits until all have ended, for nobody: a lost client's messages are stored all the same.</summary>
    public async ValueTask AllAsync()
    {
        foreach ((_, Task<Completion> end) in _pending) await ((Task)end).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }
}
