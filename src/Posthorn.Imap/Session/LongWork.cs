using System.Text;

namespace Posthorn.Imap.Session;

/// <summary>Work that may take long: now and then the client hears that the server is still at it (RFC 9585), which keeps NAT routers awake too (trap 33).</summary>
internal static class LongWork
{
    /// <summary>Does the work on another thread of the pool, so that this one can speak meanwhile. The work must not write to the client.</summary>
    /// <param name="session">Whose client.</param>
    /// <param name="work">The work.</param>
    /// <param name="cancel">Gives up.</param>
    /// <param name="tally">Counts the steps, where their number is known.</param>
    public static async ValueTask<T> RunAsync<T>(ImapSession session, Func<ValueTask<T>> work, CancellationToken cancel, WorkTally? tally = null)
    {
        Task<T> task = ElsewhereAsync(work);
        using CancellationTokenSource done = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        while (await Task.WhenAny(task, Task.Delay(session.Options.Progress, session.Services.Time, done.Token)) != task && !cancel.IsCancellationRequested)
        {
            session.Out.UntaggedOk(Code(session.Tag, tally), "Still working");
            await session.FlushAsync(cancel);
            session.RestartIdleClock();
        }

        await done.CancelAsync();
        return await task;
    }

    /// <summary>As above, for work on so many messages that reports how many it has done.</summary>
    public static ValueTask<T> CountAsync<T>(ImapSession session, int messages, Func<IProgress<int>, ValueTask<T>> work, CancellationToken cancel)
    {
        WorkTally tally = new(messages);
        return RunAsync(session, () => work(tally), cancel, tally);
    }

    // The tag is left out where it could not stand within the brackets.
    private static string Code(ReadOnlySpan<byte> tag, WorkTally? tally)
    {
        bool named = tag.IndexOfAny((byte)']', (byte)'"', (byte)'\\') < 0;
        if (!named && tally is null) return "INPROGRESS";
        return $"INPROGRESS ({(named ? $"\"{Encoding.ASCII.GetString(tag)}\"" : "NIL")} {tally?.ToString() ?? "NIL NIL"})";
    }

    private static async Task<T> ElsewhereAsync<T>(Func<ValueTask<T>> work)
    {
        await Task.Yield();
        return await work();
    }
}

/// <summary>How far work with a known number of steps has come (RFC 9585: below its goal, which is not 0). One thread counts, another reads.</summary>
internal sealed class WorkTally(int goal) : IProgress<int>
{
    private int _done;

    public void Step() => Report(1);

    /// <summary>So many more are done.</summary>
    public void Report(int value) => Volatile.Write(ref _done, _done + value);

    public override string ToString() => goal == 0 ? "NIL NIL" : $"{Math.Min(Volatile.Read(ref _done), goal - 1)} {goal}";
}
