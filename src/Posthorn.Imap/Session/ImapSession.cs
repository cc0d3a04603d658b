using Microsoft.Extensions.Logging;
using Posthorn.Core;
using Posthorn.Directory;
using Posthorn.Imap.Wire;
using Posthorn.Net;
using Posthorn.Store;
using Posthorn.Store.Sharing;

namespace Posthorn.Imap.Session;

/// <summary>One client's session: reads commands, runs them one after the other, tells the news.</summary>
internal sealed class ImapSession : IAsyncDisposable
{
    /// <summary>APPENDs that may be on their way to the disk at once: enough to share a flush, few enough to bound what they hold.</summary>
    private const int MaxPending = 16;

    private readonly ImapServer _server;
    private readonly Queue<(byte[] Tag, Task<Completion> End)> _pending = new();
    private readonly CommandPace _pace;
    private Dialect _dialect;
    private ClientMode _mode = new();
    private byte[] _tag = [];
    private LiteralHead? _pendingLiteral;
    private bool _isBetween;
    private bool _ending;
    private bool _lost;
    private int _badCommands;
    private int _failedLogins;
    private string _ended = "connection closed";

    public ImapSession(ImapServer server, Connection connection, ImapOptions options)
    {
        (_server, Connection, Options) = (server, connection, options);
        Out = new(connection);
        Frames = new(connection, options, IsMessageNext, FillAsync);
        _dialect = new(false, '/', options, default);
        _pace = new(options.CommandsPerSecond, server.Services.Time);
    }

    public Connection Connection { get; }
    public ImapOptions Options { get; }
    public ImapOutput Out { get; }
    public FrameReader Frames { get; }
    public ImapServices Services => _server.Services;
    public ILogger Log => Services.Log;
    public Heartbeat Heartbeat => _server.Heartbeat;

    /// <summary>What this client has switched on.</summary>
    public ClientMode Mode
    {
        get => _mode;
        set
        {
            _mode = value;
            Out.Utf8 = value.Utf8Names;
            _dialect = _dialect with { Utf8 = value.Utf8Names, UidOnly = value.UidOnly, Utf8Accept = value.Utf8Accept };
            Metadata = value.Metadata ? Metadata ?? Notifications?.TakeMetadata() ?? new(this) : null;
        }
    }

    /// <summary>The program as it has named itself (ID), or empty.</summary>
    public string ClientName { get; set; } = "";

    /// <summary>Microsoft's Outlook in the cloud enables UIDONLY and goes on with sequence numbers (trap 29); it names itself before it logs in.</summary>
    public bool OffersUidOnly => !ClientName.StartsWith("Microsoft", StringComparison.OrdinalIgnoreCase);

    /// <summary>The searches whose changes this client wants to hear of.</summary>
    public SearchContexts Contexts { get; } = new();

    /// <summary>What this client wants to be told of unasked.</summary>
    public Notifications? Notifications { get; set; }

    /// <summary>What others change in annotations, for a client that wants to hear of it.</summary>
    public MetadataNews? Metadata { get; private set; }

    /// <summary>Who is logged in; null before.</summary>
    public MailAccount? Account { get; private set; }

    public bool IsLoggedIn => Account is not null;

    private UserMailStore? OpenStore { get; set; }

    private SelectedMailbox? OpenBox { get; set; }

    /// <summary>The account's mail, and what others share with it. The verb table admits its users after login only.</summary>
    public UserMailStore Store => OpenStore ?? throw new InvalidOperationException("Nobody is logged in.");

    /// <summary>The selected mailbox. The verb table admits its users in the selected state only.</summary>
    public SelectedMailbox Selected => OpenBox ?? throw new InvalidOperationException("No mailbox is selected.");

    public bool HasSelected => OpenBox is not null;

    /// <summary>The saved search result <c>$</c>, in order (RFC 5182).</summary>
    public IReadOnlyList<Uid> SavedResult { get; set; } = [];

    public States State => Account is null ? States.NotAuthenticated : OpenBox is null ? States.Authenticated : States.Selected;

    public LoginContext LoginContext => new(Connection.IsUnixSocket ? null : Connection.RemoteAddress, Connection.IsSecure || Connection.IsUnixSocket, "imap");

    /// <summary>The SASL mechanisms for this client now.</summary>
    public IReadOnlyList<string> Mechanisms => Services.Directory.MechanismsFor(LoginContext);

    /// <summary>A clear-text password would be taken here (RFC 9051 section 6.2.3, LOGINDISABLED).</summary>
    public bool MayLogIn => Services.Directory.MayUsePasswords(LoginContext);

    public bool CanStartTls => Services.Tls is not null && !Connection.IsSecure && !IsLoggedIn && Connection.CanLayer;

    /// <summary>The session ends after the running command.</summary>
    public bool IsEnding => _ending;

    public bool AwaitsMessage => _pendingLiteral is not null;

    /// <summary>The tag of the running command.</summary>
    public ReadOnlySpan<byte> Tag => _tag;

    /// <summary>Serves the client from greeting to goodbye.</summary>
    public async Task RunAsync(CancellationToken cancel)
    {
        Connection.MustLogInWithin(Options.LoginTimeout);
        RestartIdleClock();
        Out.UntaggedOk($"CAPABILITY {Capabilities.Of(this)}", $"{Options.HostName} Posthorn ready");
        while (!_ending)
        {
            _isBetween = true;
            Frame frame = await Frames.ReadAsync(cancel);
            _isBetween = false;
            if (_ending) break;
            RestartIdleClock();
            if (frame.Status != FrameStatus.Ended && _pace.Take() is { Ticks: > 0 } wait) await SlowDownAsync(wait, cancel);
            await HandleAsync(frame, cancel);
            if (Out.IsLarge) await FlushAsync(cancel);
        }
        await SettleAndFlushAsync(cancel);
    }

    // The frame stands in the input buffer, which nobody touches meanwhile.
    private async ValueTask SlowDownAsync(TimeSpan wait, CancellationToken cancel)
    {
        if (!_pace.WasTold)
        {
            _pace.WasTold = true;
            Out.UntaggedOk("LIMIT", $"More than {Options.CommandsPerSecond} commands in a second are answered later");
            Log.Slowed(Connection.Session, Account?.ToString() ?? "", Options.CommandsPerSecond);
        }

        await SettleAndFlushAsync(cancel);
        await Task.Delay(wait, Services.Time, cancel);
    }

    /// <summary>Ends the session after the running command's answer.</summary>
    public void EndAfterThis(string reason) => (_ending, _ended) = (true, reason);

    /// <summary>Sends what was written. A client that does not read is cut off in time.</summary>
    public async ValueTask FlushAsync(CancellationToken cancel)
    {
        if (Connection.Output.Length == 0) return;
        Connection.SetDeadline(Options.WriteTimeout);
        try { await Connection.Output.FlushAsync(cancel); }
        catch (IOException)
        {
            _lost = true;
            throw;
        }
        RestartIdleClock();
    }

    /// <summary>The next command is here already: an APPEND need not be durable before it is read. Its answer still comes in its turn.</summary>
    public bool MayDefer => Connection.Input.Length > 0 && _pending.Count < MaxPending;

    /// <summary>Answers the running command when the task has completed, before anything that comes after it.</summary>
    public void Defer(Task<Completion> end) => _pending.Enqueue((_tag, end));

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
                Log.CommandFailed(e, Connection.Session, Account?.ToString() ?? "", "APPEND");
                completion = EndIfStale(e) ? Completion.Written : Completion.Of(e);
            }
#pragma warning restore CA1031
            if (_pending.Count == 0 && !_ending) await TellUnaskedAsync(mayExpunge: true, cancel);
            Out.Tagged(each.Tag, completion);
        }
    }

    private async ValueTask<bool> FillAsync(CancellationToken cancel)
    {
        await SettleAndFlushAsync(cancel);
        // Only before the first octet of a command: within one numbers must not change their meaning.
        if (!_isBetween || Notifications is null or { IsSilent: true } || Connection.Input.Length > 0) return await Connection.Input.FillAsync(cancel);
        _isBetween = false;
        return await PushUntilInputAsync(cancel);
    }

    // NOTIFY: news goes out while nothing is asked (RFC 5465 section 3.1). The client's own silence still counts.
    private async ValueTask<bool> PushUntilInputAsync(CancellationToken cancel)
    {
        DateTimeOffset end = Services.Time.GetUtcNow() + Options.IdleTimeout;
        Task<bool> input = Connection.Input.FillAsync(cancel).AsTask();
        using CancellationTokenSource done = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        while (!input.IsCompleted && !_ending)
        {
            Task news = Notifications!.WaitAsync(done.Token);
            if (await Task.WhenAny(input, news) == input) break;
            await TellUnaskedAsync(Notifications.ExpungesAtOnce, cancel);
            await FlushAsync(cancel);
            Connection.SetDeadline(end - Services.Time.GetUtcNow());
        }

        await done.CancelAsync();
        if (_ending) Connection.Stop(StopReason.None);
        return await input;
    }

    private async ValueTask SettleAndFlushAsync(CancellationToken cancel)
    {
        if (_pending.Count > 0) await SettleAsync(cancel);
        await FlushAsync(cancel);
    }

    /// <summary>Sends if much has gathered: long answers go out in pieces.</summary>
    public ValueTask FlushIfLargeAsync(CancellationToken cancel) => Out.IsLarge ? FlushAsync(cancel) : ValueTask.CompletedTask;

    /// <summary>Of many messages the last that one command may work on; the response code that says so, or null (RFC 9738).</summary>
    public string? Limit(ref List<PositionRange> positions)
    {
        if (Options.MessageLimit is not { } most || SelectedMailbox.CountOf(positions) <= most) return null;
        positions = SelectedMailbox.Last(positions, most);
        return $"MESSAGELIMIT {most} {Selected.View[positions[0].First].Uid}";
    }

    /// <summary>The end of a command that worked on some of its messages only: it says so itself, or before it where it has another code to tell, which clients need more (RFC 7162 section 3.1.3).</summary>
    public Completion Within(string? limited, Completion end)
    {
        if (limited is null) return end;
        if (end is { Kind: CompletionKind.Ok, Code: null }) return Completion.Ok(limited, $"{end.Text} as far as one command goes");
        Out.UntaggedOk(limited, "As far as one command goes");
        return end;
    }

    public void RestartIdleClock() => Connection.SetDeadline(IsLoggedIn ? Options.IdleTimeout : Options.LoginTimeout);

    /// <summary>Takes the account in: from here on the session is logged in. Null, or why not.</summary>
    public async ValueTask<Completion?> EnterAsync(MailAccount account, string mechanism, string form, CancellationToken cancel)
    {
        if (!_server.Sessions.TryEnter(account, Options.MaxConnectionsPerAccount)) return Completion.No("LIMIT", "This account has too many connections");
        bool entered = false;
        try
        {
            Result<IMailStore> store = await Services.Stores.OpenAsync(account, cancel);
            if (!store.IsOk) return Completion.From(store.Refusal);
            (Account, OpenStore) = (account, new(store.Value, Services.Stores, Services.Directory.FindAccount, Options.Sharing));
            entered = true;
        }
        finally
        {
            if (!entered) _server.Sessions.Leave(account);
        }
        Connection.StillHolds = Services.Directory.WhetherHolds(account);
        _dialect = _dialect with { Separator = Store.Separator };
        Frames.MaxCommand = Options.MaxCommand;
        Log.LoggedIn(Connection.Session, account.ToString(), mechanism, form);
        return null;
    }

    /// <summary>The answer to a wrong login: late, and the last one after a few.</summary>
    public async ValueTask<Completion> RefuseLoginAsync(string login, DenialKind kind, CancellationToken cancel)
    {
        Log.LoginFailed(Connection.Session, Connection.RemoteAddress.ToString(), login, kind.ToString());
        if (kind == DenialKind.NotSecure) return Completion.No("PRIVACYREQUIRED", "Start TLS before you send a password");
        TimeSpan delay = Options.FailedLoginDelay * (1 << Math.Min(_failedLogins++, 6));
        if (delay > TimeSpan.Zero) await Task.Delay(delay, Services.Time, cancel);
        if (_failedLogins >= Options.MaxFailedLogins)
        {
            Out.Bye(null, "Too many wrong logins");
            EndAfterThis("too many wrong logins");
        }
        return Completion.No("AUTHENTICATIONFAILED", "Wrong name or password");
    }

    /// <summary>Back to the state before login (RFC 8437).</summary>
    public async ValueTask LeaveAsync()
    {
        UserMailStore? store = OpenStore;
        (OpenStore, Notifications) = (null, null);
        try
        {
            await DeselectAsync();
            if (store is not null) await store.DisposeAsync();
        }
        finally
        {
            if (Account is not null) _server.Sessions.Leave(Account);
            (Account, Connection.StillHolds) = (null, null);
            Connection.MustLogInWithin(Options.LoginTimeout);
            Mode = new();
            Frames.MaxCommand = Options.MaxCommandBeforeLogin;
        }
    }

    /// <summary>From here on MODSEQ is told (RFC 7162 section 3.1.2.1).</summary>
    public void EnableCondstore()
    {
        if (Mode.Condstore) return;
        Mode = Mode with { Condstore = true };
        if (OpenBox is not null) Out.UntaggedOk($"HIGHESTMODSEQ {OpenBox.View.HighestModSeq}", "Highest");
    }

    public async ValueTask SelectAsync(SelectedMailbox box)
    {
        await DeselectAsync();
        OpenBox = box;
    }

    /// <summary>Leaves the selected mailbox.</summary>
    /// <param name="expunged">What was removed from it at the client's wish and is not told.</param>
    public async ValueTask DeselectAsync(IReadOnlyList<Uid>? expunged = null)
    {
        SavedResult = [];
        Contexts.Clear();
        if (OpenBox is null) return;
        SelectedMailbox box = OpenBox;
        OpenBox = null;
        Notifications?.Left(box, expunged ?? []);
        await box.DisposeAsync();
    }

    /// <summary>Leaves the selected mailbox, if there is one, for another (RFC 9051 section 7.1, CLOSED).</summary>
    public async ValueTask CloseSelectedAsync()
    {
        if (OpenBox is null) return;
        await DeselectAsync();
        Out.UntaggedOk("CLOSED", "The mailbox before is closed");
    }

    /// <summary>Says the news of the selected mailbox; ends the session if the mailbox is gone.</summary>
    public ValueTask TellNewsAsync(bool mayExpunge, CancellationToken cancel) =>
        (Metadata ?? (object?)Notifications) is null || _lost ? TellBoxNewsAsync(mayExpunge, cancel) : TellAllNewsAsync(mayExpunge, cancel);

    /// <summary>Says the news that the client has not asked for by this command. One that says NOTIFY without SELECTED wants no word of the selected mailbox (RFC 5465 section 3.1), unless it is gone.</summary>
    public ValueTask TellUnaskedAsync(bool mayExpunge, CancellationToken cancel) =>
        Notifications is not { SelectedEvents: Commands.NotifyEvents.None } || OpenBox?.Exists == false ? TellNewsAsync(mayExpunge, cancel)
        : _lost ? ValueTask.CompletedTask
        : TellOtherNewsAsync(cancel);

    /// <summary>The client has put these messages there itself: NOTIFY need not speak of them (RFC 5465 section 5).</summary>
    public void HasPut(MailboxId mailbox, IReadOnlyList<Uid> uids)
    {
        if (OpenBox?.Id == mailbox)
        {
            if (Notifications is { NewItems.Count: > 0 } || !Contexts.IsEmpty) OpenBox.OwnMessages(uids);
        }
        else Notifications?.OwnMessages(mailbox, uids);
    }

    private async ValueTask TellAllNewsAsync(bool mayExpunge, CancellationToken cancel)
    {
        await TellBoxNewsAsync(mayExpunge, cancel);
        await TellOtherNewsAsync(cancel);
    }

    private async ValueTask TellOtherNewsAsync(CancellationToken cancel)
    {
        if (Metadata is not null) await Metadata.TellAsync(cancel);
        if (Notifications is not null) await Notifications.TellAsync(cancel);
    }

    private ValueTask TellBoxNewsAsync(bool mayExpunge, CancellationToken cancel)
    {
        if (OpenBox is null || _lost) return ValueTask.CompletedTask;
        if (!OpenBox.Exists)
        {
            if (OpenBox.IsReplaced) Out.Bye("UNAVAILABLE", "The mailbox had to be made anew; connect again");
            else Out.Bye(null, "The selected mailbox was deleted");
            EndAfterThis(OpenBox.IsReplaced ? "mailbox replaced" : "mailbox deleted");
            return ValueTask.CompletedTask;
        }
        return OpenBox.TellAsync(this, mayExpunge, cancel);
    }

    /// <summary>The command has read its message literal, or what follows is another.</summary>
    public void TookLiteral(LiteralHead? next = null) => _pendingLiteral = next;

    public async ValueTask DisposeAsync()
    {
        string account = Account?.ToString() ?? "";
        foreach ((_, Task<Completion> end) in _pending) await ((Task)end).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing); // a lost client's messages are stored all the same
        await LeaveAsync();
        Frames.Dispose();
        if (account.Length > 0) Log.LoggedOut(Connection.Session, account, _ended, Connection.Output.Sent);
    }

    private async ValueTask HandleAsync(Frame frame, CancellationToken cancel)
    {
        if (frame.Status != FrameStatus.Message && _pending.Count > 0) await SettleAsync(cancel);
        switch (frame.Status)
        {
            case FrameStatus.Ended:
                SayGoodbye();
                return;
            case FrameStatus.TooLong:
                CountBad(frame, Completion.Bad($"A command may have {Math.Min(Frames.MaxCommand, Options.MaxLine)} octets in a line and {Frames.MaxCommand} in all"));
                return;
            case FrameStatus.LiteralTooBig:
                CountBad(frame, Completion.No("TOOBIG", $"A literal of {frame.Literal.Length} octets is too large here"));
                return;
            case FrameStatus.Unskippable:
                CountBad(frame, Completion.No("TOOBIG", $"A literal of {frame.Literal.Length} octets is too large here"));
                CloseOverLiteral();
                return;
        }
        if (frame.Status == FrameStatus.Message) _pendingLiteral = frame.Literal;
        Verb? verb = null;
        IImapCommand? command = null;
        Completion? failure = Parse(frame.Text.Span, ref verb, ref command);
        bool savesResult = command is Commands.Search { Return: { } wanted } && wanted.Has(Commands.SearchOptions.Save);
        if (failure is null && command is not null && verb is not null) await RunAsync(verb, command, cancel);
        else
        {
            await SettleAsync(cancel);
            // RFC 5182 section 2.1: a SEARCH with SAVE that is refused (not one that is no command) leaves nothing saved.
            if (savesResult && failure?.Kind == CompletionKind.No) SavedResult = [];
            // A name that no mailbox can have is a SELECT that fails, and those leave no mailbox selected (RFC 9051 section 6.3.2).
            if (command is Commands.Select or Commands.Examine && failure?.Kind == CompletionKind.No) await CloseSelectedAsync();
            CountBad(failure ?? Completion.Bad("Not a command"));
        }
        if (_pendingLiteral is { } literal) await DropLiteralAsync(literal, cancel);
    }

    // Everything that is done with the frame's bytes is done here, before anything is awaited.
    private Completion? Parse(ReadOnlySpan<byte> text, ref Verb? verb, ref IImapCommand? command)
    {
        verb = Verb.Split(text, out ReadOnlySpan<byte> tag, out ReadOnlySpan<byte> name, out ReadOnlySpan<byte> arguments);
        _tag = IsTag(tag) ? tag.ToArray() : "*"u8.ToArray();
        if (_tag is [(byte)'*']) return Completion.Bad("expected a tag, a space and a command");
        if (verb is null) return Completion.Bad(name.IsEmpty ? "expected a command after the tag" : "Unknown command");
        if ((verb.States & State) == 0) return NotNow(verb);
        if (Mode.UidOnly && verb.Has(VerbTraits.UsesNumbers)) return Completion.UidRequired;
        if (verb.Has(VerbTraits.Writes) && Selected.IsReadOnly) return Completion.No("NOPERM", "The mailbox was opened read-only");
        // Only SEARCH asks for the time; everything else shares one dialect.
        ImapReader reader = new(arguments, verb.Has(VerbTraits.UsesClock) ? _dialect with { Now = Services.Time.GetUtcNow() } : _dialect);
        command = verb.Parse(ref reader);
        if (reader.Failed) return Completion.Bad(reader.Error!);
        return reader.Refusal;
    }

    private Completion NotNow(Verb verb) => Completion.Bad(
        State == States.NotAuthenticated ? "Log in first"
        : verb.States == States.NotAuthenticated ? "Already logged in"
        : "Select a mailbox first");

    private async ValueTask RunAsync(Verb verb, IImapCommand command, CancellationToken cancel)
    {
        Completion completion;
#pragma warning disable CA1031 // The session loop: a broken disk or a mistake of ours ends one command, not the session.
        try { completion = IsGone(command) ? Completion.No("NONEXISTENT", "The mailbox is not there any more, or not for you") : await command.RunAsync(this, verb.By, cancel); }
        catch (Exception e) when (!_lost && e is not OperationCanceledException)
        {
            Log.CommandFailed(e, Connection.Session, Account?.ToString() ?? "", verb.Name);
            if (Out.IsWithinResponse || e is BrokenReplyException)
            {
                // Half a response has gone out; no client could make sense of what follows.
                Connection.Abort();
                EndAfterThis("broken reply");
                return;
            }
            completion = EndIfStale(e) || EndIfNoIsNone(command) ? Completion.Written : Completion.Of(e);
        }
#pragma warning restore CA1031
        if (completion.Kind == CompletionKind.Bad) _badCommands++;
        else _badCommands = 0;
        if (ReferenceEquals(completion, Completion.Deferred)) return;
        if (_pending.Count > 0) await SettleAsync(cancel);
        if (Notifications is not null && completion.Kind == CompletionKind.Ok && command is IChangesNames { Names: var names }) await Notifications.OwnNamesAsync(names, cancel);
        if (!_ending) await TellUnaskedAsync(!verb.Has(VerbTraits.HoldsExpunges), cancel);
        Out.Tagged(_tag, completion);
        EndIfTooBad();
    }

    // Whoever has lost the right to read hears nothing more of what is in it (RFC 4314 section 4); the news after the answer ends the session.
    private bool IsGone(IImapCommand command) => command is IReadsMailbox && OpenBox is { Exists: false };

    // What the session knows of the mail may be wrong, or whether its command happened is unknown until the next start: no tagged answer would be honest.
    private bool EndIfStale(Exception failure)
    {
        if (failure is not MailUnavailableException { MustReconnect: true }) return false;
        if (!_ending) Out.Bye("UNAVAILABLE", "The mail must be looked at anew; connect again in a moment");
        EndAfterThis("mail unavailable");
        return true;
    }

    // UNAUTHENTICATE may be followed by a login at once, so NO is no answer to it (RFC 8437 section 3).
    private bool EndIfNoIsNone(IImapCommand command)
    {
        if (command is not Commands.Unauthenticate) return false;
        Out.Bye("UNAVAILABLE", "The session could not be ended; connect again");
        EndAfterThis("not unauthenticated");
        return true;
    }

    private async ValueTask DropLiteralAsync(LiteralHead literal, CancellationToken cancel)
    {
        _pendingLiteral = null;
        // Whoever might have sent so much anyway may go on (RFC 7888 section 4): a client that is cut off would only come back with the same.
        long most = IsLoggedIn ? Math.Max(Options.MaxMessage, Options.MaxSkippedLiteral) : Options.MaxSkippedLiteral;
        if (!_ending && !await Frames.DiscardAsync(literal, most, cancel)) CloseOverLiteral();
    }

    private void CloseOverLiteral()
    {
        Out.Bye("TOOBIG", "The literal cannot be skipped");
        Connection.ExpectMore();
        EndAfterThis("literal too large");
    }

    private void CountBad(Frame frame, Completion completion)
    {
        ReadOnlySpan<byte> text = frame.Text.Span;
        int space = text.IndexOf((byte)' ');
        _tag = space > 0 && IsTag(text[..space]) ? text[..space].ToArray() : "*"u8.ToArray();
        CountBad(completion);
    }

    private void CountBad(Completion completion)
    {
        if (completion.Kind == CompletionKind.Bad) _badCommands++;
        Out.Tagged(_tag, completion);
        EndIfTooBad();
    }

    private void EndIfTooBad()
    {
        if (_ending || _badCommands < Options.MaxBadCommands) return;
        Out.Bye(null, "Too many commands that are none");
        EndAfterThis("too many bad commands");
    }

    private void SayGoodbye()
    {
        _ending = true;
        switch (Connection.Stopped)
        {
            case StopReason.Timeout:
                Out.Bye(null, IsLoggedIn ? "Idle for too long" : "Log in sooner");
                _ended = "timeout";
                break;
            case StopReason.Shutdown:
                Out.Bye("UNAVAILABLE", "The server is going down, come back soon");
                _ended = "shutdown";
                break;
            case StopReason.Revoked:
                Out.Bye("EXPIRED", "The account or its password has changed, log in again");
                _ended = "login revoked";
                break;
        }
    }

    private static bool IsMessageNext(ReadOnlySpan<byte> text)
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

/// <summary>A response was begun that cannot be finished, such as a literal whose file got shorter: the connection must close.</summary>
internal sealed class BrokenReplyException(string message) : IOException(message);
