using Microsoft.Extensions.Logging;
using Posthorn.Core;
using Posthorn.Directory;
using Posthorn.Imap.Wire;
using Posthorn.Net;
using Posthorn.Store;
using Posthorn.Store.Sharing;

namespace Posthorn.Imap.Session;

/// <summary>One client's session as its commands see it: who is logged in, what is selected and switched on, and the way out.</summary>
/// <remarks>
/// <see cref="CommandLoop"/> reads commands and runs them one after the other, <see cref="SessionNews"/> tells what happens meanwhile, <see cref="DeferredAnswers"/> holds answers that wait for the disk.
/// They know the session; it knows nothing of how they work.
/// </remarks>
internal sealed class ImapSession : IAsyncDisposable
{
    private readonly ImapServer _server;
    private readonly CommandLoop _loop;
    private ClientMode _mode = new();
    private int _failedLogins;
    private string _ended = "connection closed";

    public ImapSession(ImapServer server, Connection connection, ImapOptions options)
    {
        (_server, Connection, Options) = (server, connection, options);
        Out = new(connection);
        (_loop, News, Deferred) = (new(this), new(this), new(this));
        Frames = new(connection, options, CommandLoop.IsMessageNext, _loop.FillAsync);
        Dialect = new(false, '/', options, default);
    }

    public Connection Connection { get; }
    public ImapOptions Options { get; }
    public ImapOutput Out { get; }
    public FrameReader Frames { get; }
    public SessionNews News { get; }
    public DeferredAnswers Deferred { get; }
    public ImapServices Services => _server.Services;
    public ILogger Log => Services.Log;
    public Heartbeat Heartbeat => _server.Heartbeat;

    /// <summary>How this client's commands are read.</summary>
    public Dialect Dialect { get; private set; }

    /// <summary>What this client has switched on.</summary>
    public ClientMode Mode
    {
        get => _mode;
        set
        {
            _mode = value;
            Out.Utf8 = value.Utf8Names;
            Dialect = Dialect with { Utf8 = value.Utf8Names, UidOnly = value.UidOnly, Utf8Accept = value.Utf8Accept };
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

    /// <summary>The selected mailbox; null in every other state.</summary>
    public SelectedMailbox? OpenBox { get; private set; }

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
    public bool IsEnding { get; private set; }

    /// <summary>The client cannot be written to any more.</summary>
    public bool IsLost { get; private set; }

    /// <summary>The tag of the running command.</summary>
    public byte[] Tag { get; set; } = [];

    /// <summary>The literal that the running command has still to read, if there is one.</summary>
    public LiteralHead? PendingLiteral { get; set; }

    /// <summary>Serves the client from greeting to goodbye.</summary>
    public Task RunAsync(CancellationToken cancel) => _loop.RunAsync(cancel);

    /// <summary>Ends the session after the running command's answer.</summary>
    public void EndAfterThis(string reason) => (IsEnding, _ended) = (true, reason);

    /// <summary>Sends what was written. A client that does not read is cut off in time.</summary>
    public async ValueTask FlushAsync(CancellationToken cancel)
    {
        if (Connection.Output.Length == 0) return;
        Connection.SetDeadline(Options.WriteTimeout);
        try { await Connection.Output.FlushAsync(cancel); }
        catch (IOException)
        {
            IsLost = true;
            throw;
        }
        RestartIdleClock();
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
        Dialect = Dialect with { Separator = Store.Separator };
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

    /// <summary>What the session knows of the mail may be wrong, or whether its command happened is unknown until the next start: no tagged answer would be honest, so it ends. False when it goes on.</summary>
    public bool EndIfStale(Exception failure)
    {
        if (failure is not MailUnavailableException { MustReconnect: true }) return false;
        if (!IsEnding) Out.Bye("UNAVAILABLE", "The mail must be looked at anew; connect again in a moment");
        EndAfterThis("mail unavailable");
        return true;
    }

    /// <summary>The command has read its message literal, or what follows is another.</summary>
    public void TookLiteral(LiteralHead? next = null) => PendingLiteral = next;

    public async ValueTask DisposeAsync()
    {
        string account = Account?.ToString() ?? "";
        await Deferred.AllAsync();
        await LeaveAsync();
        Frames.Dispose();
        if (account.Length > 0) Log.LoggedOut(Connection.Session, account, _ended, Connection.Output.Sent);
    }
}

/// <summary>A response was begun that cannot be finished, such as a literal whose file got shorter: the connection must close.</summary>
internal sealed class BrokenReplyException(string message) : IOException(message);
