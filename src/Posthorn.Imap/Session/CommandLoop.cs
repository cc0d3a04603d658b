using Posthorn.Imap.Wire;
using Posthorn.Net;

namespace Posthorn.Imap.Session;

/// <summary>Reads a client's commands, runs them one after the other and answers them.</summary>
internal sealed class CommandLoop(ImapSession session)
{
    private readonly CommandPace _pace = new(session.Options.CommandsPerSecond, session.Services.Time);
    private bool _isBetween;
    private int _badCommands;

    /// <summary>Serves the client from greeting to goodbye.</summary>
    public async Task RunAsync(CancellationToken cancel)
    {
        session.Connection.MustLogInWithin(session.Options.LoginTimeout);
        session.RestartIdleClock();
        session.Out.UntaggedOk($"CAPABILITY {Capabilities.Of(session)}", $"{session.Options.HostName} Posthorn ready");
        while (!session.IsEnding)
        {
            _isBetween = true;
            Frame frame = await session.Frames.ReadAsync(cancel);
            _isBetween = false;
            if (session.IsEnding) break;
            session.RestartIdleClock();
            if (frame.Status != FrameStatus.Ended && _pace.Take() is { Ticks: > 0 } wait) await SlowDownAsync(wait, cancel);
            await HandleAsync(frame, cancel);
            if (session.Out.IsLarge) await session.FlushAsync(cancel);
        }
        await SettleAndFlushAsync(cancel);
    }

    // The frame stands in the input buffer, which nobody touches meanwhile.
    private async ValueTask SlowDownAsync(TimeSpan wait, CancellationToken cancel)
    {
        if (!_pace.WasTold)
        {
            _pace.WasTold = true;
            session.Out.UntaggedOk("LIMIT", $"More than {session.Options.CommandsPerSecond} commands in a second are answered later");
            session.Log.Slowed(session.Connection.Session, session.Account?.ToString() ?? "", session.Options.CommandsPerSecond);
        }

        await SettleAndFlushAsync(cancel);
        await Task.Delay(wait, session.Services.Time, cancel);
    }

    /// <summary>Waits for input; meanwhile the client gets what it has coming.</summary>
    public async ValueTask<bool> FillAsync(CancellationToken cancel)
    {
        await SettleAndFlushAsync(cancel);
        // Only before the first octet of a command: within one numbers must not change their meaning.
        if (!_isBetween || session.Notifications is null or { IsSilent: true } || session.Connection.Input.Length > 0) return await session.Connection.Input.FillAsync(cancel);
        _isBetween = false;
        return await PushUntilInputAsync(cancel);
    }

    // NOTIFY: news goes out while nothing is asked (RFC 5465 section 3.1). The client's own silence still counts.
    private async ValueTask<bool> PushUntilInputAsync(CancellationToken cancel)
    {
        DateTimeOffset end = session.Services.Time.GetUtcNow() + session.Options.IdleTimeout;
        Task<bool> input = session.Connection.Input.FillAsync(cancel).AsTask();
        using CancellationTokenSource done = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        while (!input.IsCompleted && !session.IsEnding)
        {
            Task news = session.Notifications!.WaitAsync(done.Token);
            if (await Task.WhenAny(input, news) == input) break;
            await session.News.TellUnaskedAsync(session.Notifications.ExpungesAtOnce, cancel);
            await session.FlushAsync(cancel);
            session.Connection.SetDeadline(end - session.Services.Time.GetUtcNow());
        }

        await done.CancelAsync();
        if (session.IsEnding) session.Connection.Stop(StopReason.None);
        return await input;
    }

    private async ValueTask SettleAndFlushAsync(CancellationToken cancel)
    {
        if (!session.Deferred.IsEmpty) await session.Deferred.SettleAsync(cancel);
        await session.FlushAsync(cancel);
    }

    private async ValueTask HandleAsync(Frame frame, CancellationToken cancel)
    {
        if (frame.Status != FrameStatus.Message && !session.Deferred.IsEmpty) await session.Deferred.SettleAsync(cancel);
        switch (frame.Status)
        {
            case FrameStatus.Ended:
                SayGoodbye();
                return;
            case FrameStatus.TooLong:
                CountBad(frame, Completion.Bad($"A command may have {Math.Min(session.Frames.MaxCommand, session.Options.MaxLine)} octets in a line and {session.Frames.MaxCommand} in all"));
                return;
            case FrameStatus.LiteralTooBig:
                CountBad(frame, TooBig(frame));
                return;
            case FrameStatus.Unskippable:
                CountBad(frame, TooBig(frame));
                CloseOverLiteral();
                return;
        }
        if (frame.Status == FrameStatus.Message) session.PendingLiteral = frame.Literal;
        Verb? verb = null;
        IImapCommand? command = null;
        Completion? failure = ParseSafely(frame.Text.Span, ref verb, ref command);
        bool savesResult = command is Commands.Search { Return: { } wanted } && wanted.Has(Commands.SearchOptions.Save);
        if (failure is null && command is not null && verb is not null) await RunAsync(verb, command, cancel);
        else
        {
            await session.Deferred.SettleAsync(cancel);
            // RFC 5182 section 2.1: a SEARCH with SAVE that is refused (not one that is no command) leaves nothing saved.
            if (savesResult && failure?.Kind == CompletionKind.No) session.SavedResult = [];
            // A name that no mailbox can have is a SELECT that fails, and those leave no mailbox selected (RFC 9051 section 6.3.2).
            if (command is Commands.Select or Commands.Examine && failure?.Kind == CompletionKind.No) await session.CloseSelectedAsync();
            CountBad(failure ?? Completion.Bad("Not a command"));
        }
        if (session.PendingLiteral is { } literal) await DropLiteralAsync(literal, cancel);
    }

    private Completion TooBig(Frame frame) => frame.Literal.Length > session.Options.MaxAnnotation && Verb.Split(frame.Text.Span, out _, out _, out _)?.Has(VerbTraits.TakesAnnotations) == true
        ? Commands.SetMetadata.TooLong(session.Options)
        : Completion.No("TOOBIG", $"A literal of {frame.Literal.Length} octets is too large here");

    private Completion? ParseSafely(ReadOnlySpan<byte> text, ref Verb? verb, ref IImapCommand? command)
    {
#pragma warning disable CA1031 // As with running it: a mistake of ours ends one command, not the session.
        try { return Parse(text, ref verb, ref command); }
        catch (Exception e)
        {
            command = null;
            session.Log.CommandFailed(e, session.Connection.Session, session.Account?.ToString() ?? "", verb?.Name ?? "");
            return Completion.Of(e);
        }
#pragma warning restore CA1031
    }

    // Everything that is done with the frame's bytes is done here, before anything is awaited.
    private Completion? Parse(ReadOnlySpan<byte> text, ref Verb? verb, ref IImapCommand? command)
    {
        verb = Verb.Split(text, out ReadOnlySpan<byte> tag, out ReadOnlySpan<byte> name, out ReadOnlySpan<byte> arguments);
        session.Tag = IsTag(tag) ? tag.ToArray() : "*"u8.ToArray();
        if (session.Tag is [(byte)'*']) return Completion.Bad("expected a tag, a space and a command");
        if (verb is null) return Completion.Bad(name.IsEmpty ? "expected a command after the tag" : "Unknown command");
        if ((verb.States & session.State) == 0) return NotNow(verb);
        if (session.Mode.UidOnly && verb.Has(VerbTraits.UsesNumbers)) return Completion.UidRequired;
        if (verb.Has(VerbTraits.Writes) && session.Selected.IsReadOnly) return Completion.No("NOPERM", "The mailbox was opened read-only");
        // Only SEARCH asks for the time; everything else shares one dialect.
        ImapReader reader = new(arguments, verb.Has(VerbTraits.UsesClock) ? session.Dialect with { Now = session.Services.Time.GetUtcNow() } : session.Dialect);
        command = verb.Parse(ref reader);
        if (reader.Failed) return Completion.Bad(reader.Error!);
        return reader.Refusal;
    }

    private Completion NotNow(Verb verb) => Completion.Bad(
        session.State == States.NotAuthenticated ? "Log in first"
        : verb.States == States.NotAuthenticated ? "Already logged in"
        : "Select a mailbox first");

    private async ValueTask RunAsync(Verb verb, IImapCommand command, CancellationToken cancel)
    {
        Completion completion;
#pragma warning disable CA1031 // The session loop: a broken disk or a mistake of ours ends one command, not the session.
        try { completion = IsGone(command) ? Completion.No("NONEXISTENT", "The mailbox is not there any more, or not for you") : await command.RunAsync(session, verb.By, cancel); }
        catch (Exception e) when (!session.IsLost && e is not OperationCanceledException)
        {
            session.Log.CommandFailed(e, session.Connection.Session, session.Account?.ToString() ?? "", verb.Name);
            if (session.Out.IsWithinResponse || e is BrokenReplyException)
            {
                // Half a response has gone out; no client could make sense of what follows.
                session.Connection.Abort();
                session.EndAfterThis("broken reply");
                return;
            }
            completion = session.EndIfStale(e) || EndIfNoIsNone(command) ? Completion.Written : Completion.Of(e);
        }
#pragma warning restore CA1031
        if (completion.Kind == CompletionKind.Bad) _badCommands++;
        else _badCommands = 0;
        if (ReferenceEquals(completion, Completion.Deferred)) return;
        if (!session.Deferred.IsEmpty) await session.Deferred.SettleAsync(cancel);
        if (session.Notifications is not null && completion.Kind == CompletionKind.Ok && command is IChangesNames { Names: var names }) await session.Notifications.OwnNamesAsync(names, cancel);
        if (!session.IsEnding) await session.News.TellUnaskedAsync(!HoldsExpunges(verb, command), cancel);
        session.Out.Tagged(session.Tag, completion);
        EndIfTooBad();
    }

    // Besides the commands that name no UIDs: VANISHED must not come while a search names messages by number (RFC 7162 section 3.2.10.2).
    private bool HoldsExpunges(Verb verb, IImapCommand command) => verb.Has(VerbTraits.HoldsExpunges) || session.Mode.Qresync && command is Commands.ISearches searching && searching.Traits.HasFlag(Commands.SearchTraits.Numbers);

    // Whoever has lost the right to read hears nothing more of what is in it (RFC 4314 section 4); the news after the answer ends the session.
    private bool IsGone(IImapCommand command) => command is IReadsMailbox && session.OpenBox is { Exists: false };

    // UNAUTHENTICATE may be followed by a login at once, so NO is no answer to it (RFC 8437 section 3).
    private bool EndIfNoIsNone(IImapCommand command)
    {
        if (command is not Commands.Unauthenticate) return false;
        session.Out.Bye("UNAVAILABLE", "The session could not be ended; connect again");
        session.EndAfterThis("not unauthenticated");
        return true;
    }

    private async ValueTask DropLiteralAsync(LiteralHead literal, CancellationToken cancel)
    {
        session.PendingLiteral = null;
        // Whoever might have sent so much anyway may go on (RFC 7888 section 4): a client that is cut off would only come back with the same.
        long most = session.IsLoggedIn ? Math.Max(session.Options.MaxMessage, session.Options.MaxSkippedLiteral) : session.Options.MaxSkippedLiteral;
        if (!session.IsEnding && !await session.Frames.DiscardAsync(literal, most, cancel)) CloseOverLiteral();
    }

    private void CloseOverLiteral()
    {
        session.Out.Bye("TOOBIG", "The literal cannot be skipped");
        session.Connection.ExpectMore();
        session.EndAfterThis("literal too large");
    }

    private void CountBad(Frame frame, Completion completion)
    {
        ReadOnlySpan<byte> text = frame.Text.Span;
        int space = text.IndexOf((byte)' ');
        session.Tag = space > 0 && IsTag(text[..space]) ? text[..space].ToArray() : "*"u8.ToArray();
        CountBad(completion);
    }

    private void CountBad(Completion completion)
    {
        if (completion.Kind == CompletionKind.Bad) _badCommands++;
        session.Out.Tagged(session.Tag, completion);
        EndIfTooBad();
    }

    private void EndIfTooBad()
    {
        if (session.IsEnding || _badCommands < session.Options.MaxBadCommands) return;
        session.Out.Bye(null, "Too many commands that are none");
        session.EndAfterThis("too many bad commands");
    }

    private void SayGoodbye()
    {
        (string? code, string? word, string ended) = session.Connection.Stopped switch
        {
            StopReason.Timeout => (null, session.IsLoggedIn ? "Idle for too long" : "Log in sooner", "timeout"),
            StopReason.Shutdown => ("UNAVAILABLE", "The server is going down, come back soon", "shutdown"),
            StopReason.Revoked => ("EXPIRED", "The account or its password has changed, log in again", "login revoked"),
            _ => ((string?)null, (string?)null, "connection closed"),
        };
        if (word is not null) session.Out.Bye(code, word);
        session.EndAfterThis(ended);
    }

    /// <summary>Whether the literal at the end of this text is a message, which is not joined with the command but streamed.</summary>
    public static bool IsMessageNext(ReadOnlySpan<byte> text)
    {
        Verb? verb = Verb.Split(text, out _, out _, out ReadOnlySpan<byte> arguments);
        if (verb is null || !verb.Has(VerbTraits.TakesMessages)) return false;
        // The first literal may be the mailbox's name: it stands alone behind the verb (and behind REPLACE's number).
        if (arguments.Contains((byte)'\n')) return true;
        int words = arguments.Count((byte)' ');
        return words > (verb.Name.EndsWith("REPLACE", StringComparison.Ordinal) ? 2 : 1);
    }

    private static bool IsTag(ReadOnlySpan<byte> tag)
    {
        if (tag.IsEmpty || tag.Length > 256) return false;
        foreach (byte b in tag)
            if (b is <= 32 or >= 127 or (byte)'(' or (byte)')' or (byte)'{' or (byte)'%' or (byte)'*' or (byte)'"' or (byte)'\\' or (byte)'+') return false;
        return true;
    }
}
