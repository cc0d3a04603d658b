using System.Text;

namespace Posthorn.Imap.Session;

/// <summary>Work that may take long: now and then the client hears that the server is still at it (RFC 9585), which keeps NAT routers awake too (trap 33).</summary>
internal static class LongWork
{
    /// <summary>Does the work on another thread of the pool, so that this one can speak meanwhile. The work must not write to the client.</summary>
    public static async ValueTask<T> RunAsync<T>(ImapSession session, Func<ValueTask<T>> work, CancellationToken cancel)
    {
        Task<T> task = ElsewhereAsync(work);
        using CancellationTokenSource done = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        while (await Task.WhenAny(task, Task.Delay(session.Options.Progress, session.Services.Time, done.Token)) != task && !cancel.IsCancellationRequested)
        {
            session.Out.UntaggedOk(Code(session.Tag), "Still working");
            await session.FlushAsync(cancel);
            session.RestartIdleClock();
        }

        await done.CancelAsync();
        return await task;
    }

    // The tag is left out where it could not stand within the brackets.
    private static string Code(ReadOnlySpan<byte> tag) => tag.IndexOfAny((byte)']', (byte)'"', (byte)'\\') >= 0 ? "INPROGRESS" : $"INPROGRESS (\"{Encoding.ASCII.GetString(tag)}\" NIL NIL)";

    private static async Task<T> ElsewhereAsync<T>(Func<ValueTask<T>> work)
    {
        await Task.Yield();
        return await work();
    }
}
