using Posthorn.Imap.Session;
using Posthorn.Imap.Wire;

namespace Posthorn.Imap.Commands;

/// <summary>IDLE: news at once, until the client says DONE (RFC 9051 section 6.3.13, RFC 2177).</summary>
internal sealed record Idle : IImapCommand<Idle>
{
    /// <summary>How long after the continuation news that has waited for IDLE is told where the connection is compressed: what reaches Thunderbird together with the continuation it leaves unread until more comes.</summary>
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(250);

    public static Idle Parse(ref ImapReader args)
    {
        args.End();
        return new();
    }

    public async ValueTask<Completion> RunAsync(ImapSession session, Numbering by, CancellationToken cancel)
    {
        DateTimeOffset end = session.Services.Time.GetUtcNow() + session.Options.IdleTimeout;
        using CancellationTokenSource done = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        Task? pause = session.Connection.IsCompressed ? Task.Delay(Pause, session.Services.Time, done.Token) : null;
        // The continuation comes first: Thunderbird answers news before it with DONE, and then takes the continuation for the end of its command.
        session.Out.Continue("idling"u8);
        if (pause is null) await session.News.TellUnaskedAsync(mayExpunge: true, cancel);
        await session.FlushAsync(cancel);
        // The line may be here already: iOS sends DONE together with what follows (trap 27).
        Task<bool>? input = session.Connection.Input.Span.Contains((byte)'\n') ? null : session.Connection.Input.FillAsync(cancel).AsTask();
        Task news = pause ?? NewsAsync(session, done.Token);
        int number = session.Connection.GetHashCode();
        while (input is { IsCompleted: false } && !session.IsEnding)
        {
            Task beat = session.Heartbeat.NextAsync(number);
            Task first = await Task.WhenAny(input, news, beat);
            if (first == input) break;
            if (first == news)
            {
                await news;
                await session.News.TellUnaskedAsync(mayExpunge: true, cancel);
                news = NewsAsync(session, done.Token);
            }
            else session.Out.UntaggedOk(null, "Still here");
            await session.FlushAsync(cancel);
            session.Connection.SetDeadline(end - session.Services.Time.GetUtcNow());
        }
        await done.CancelAsync();
        try { await news; }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested) { /* nobody waits for it any more */ }
        if (session.IsEnding) session.Connection.Stop(Net.StopReason.None);
        return await EndAsync(session, input, cancel);
    }

    private static async ValueTask<Completion> EndAsync(ImapSession session, Task<bool>? input, CancellationToken cancel)
    {
        if (session.IsEnding)
        {
            if (input is not null) await input; // nothing may read on after the session
            return Completion.Written;
        }
        if (input is not null && !await input) return Completion.Written; // the session loop sees the end next
        Frame line = await session.Frames.ReadLineAsync(cancel);
        if (line.Status == FrameStatus.Ended) return Completion.Written;
        return System.Text.Ascii.EqualsIgnoreCase(line.Text.Span, "DONE"u8) ? Completion.Ok("Idled") : Completion.Bad("expected DONE");
    }

    // What NOTIFY asks for, and nothing else, is told here too (RFC 5465 section 4).
    private static Task NewsAsync(ImapSession session, CancellationToken cancel)
    {
        Task news = session.Notifications is { } notifications ? notifications.WaitAsync(cancel)
            : session.OpenBox is { } box ? box.WaitForNewsAsync(cancel).AsTask()
            : Task.Delay(Timeout.Infinite, cancel);
        return session.Metadata is null ? news : Task.WhenAny(news, session.Metadata.WaitAsync(cancel).AsTask());
    }
}
