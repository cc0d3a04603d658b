using Microsoft.Extensions.Logging;
using Posthorn.Core;
using Posthorn.Directory;
using Posthorn.Net;
using Posthorn.Pop3.Wire;
using Posthorn.Store;

namespace Posthorn.Pop3.Session;

/// <summary>One connection, from the greeting to the goodbye: reads command lines, runs them one after the other, gathers the answers.</summary>
internal sealed class Pop3Session(Pop3Server server, Connection connection, Pop3Options options) : IAsyncDisposable
{
    private bool _closing;
    private bool _lost;
    private int _errors;
    private int _failedLogins;
    private string _ended = "connection closed";
    private IMailStore? _store;
    private Maildrop? _drop;

    public Connection Connection => connection;
    public Pop3Options Options => options;
    public Pop3Services Services => server.Services;
    public ILogger Log => Services.Log;
    public OutputBuffer Out => connection.Output;
    public SessionId Id => connection.Session;

    /// <summary>Who is logged in; null in the AUTHORIZATION state.</summary>
    public MailAccount? Account { get; private set; }

    /// <summary>The name that USER gave, until PASS has used it.</summary>
    public string? UserName { get; set; }

    /// <summary>The messages. The verb table admits its users in the TRANSACTION state only.</summary>
    public Maildrop Drop => _drop ?? throw new InvalidOperationException("Nobody is logged in.");

    public States State => Account is null ? States.Authorization : States.Transaction;

    public LoginContext LoginContext => new(connection.IsUnixSocket ? null : connection.RemoteAddress, connection.IsSecure || connection.IsUnixSocket, "pop3");

    /// <summary>A clear-text password would be taken here.</summary>
    public bool MayLogIn => Services.Directory.MayUsePasswords(LoginContext);

    /// <summary>The SASL mechanisms for this client now.</summary>
    public IReadOnlyList<string> Mechanisms => Services.Directory.MechanismsFor(LoginContext);

    public bool CanStartTls => Services.Tls is not null && !connection.IsSecure && Account is null;

    /// <summary>Serves the connection until it ends.</summary>
    public async Task RunAsync(CancellationToken cancel)
    {
        connection.MustLogInWithin(options.LoginTimeout);
        Out.Write(Reply.Ok($"{options.HostName} Posthorn POP3 ready"));
        while (!_closing) await OneCommandAsync(cancel);
        await FlushAsync(cancel);
    }

    /// <summary>The session ends after what was written so far.</summary>
    public void Close(string why) => (_closing, _ended) = (true, why);

    /// <summary>Sends what was gathered. A peer that is gone or does not read ends the session.</summary>
    public async ValueTask FlushAsync(CancellationToken cancel)
    {
        if (Out.Length == 0) return;
        connection.SetDeadline(options.WriteTimeout);
        try { await Out.FlushAsync(cancel); }
        catch (IOException)
        {
            _lost = true;
            throw;
        }
        connection.ClearDeadline();
    }

    /// <summary>Sends if much has gathered: long answers go out in pieces.</summary>
    public ValueTask FlushIfLargeAsync(CancellationToken cancel) => Out.IsLarge ? FlushAsync(cancel) : ValueTask.CompletedTask;

    /// <summary>Reads one line; what was gathered goes out first when the client waits for it.</summary>
    public async ValueTask<InputLine> ReadLineAsync(int limit, CancellationToken cancel)
    {
        if (Out.IsLarge || !connection.Input.Span.Contains((byte)'\n')) await FlushAsync(cancel);
        connection.SetDeadline(options.IdleTimeout);
        InputLine line = await connection.ReadLineAsync(limit, cancel);
        connection.ClearDeadline();
        return line;
    }

    /// <summary>Takes the account in: from here on the session is in the TRANSACTION state.</summary>
    public async ValueTask<Reply> EnterAsync(MailAccount account, string mechanism, CancellationToken cancel)
    {
        if (!server.Sessions.TryEnter(account, options.MaxSessionsPerAccount)) return Reply.TooManySessions;
        bool entered = false;
        try
        {
            Result<IMailStore> store = await Services.Stores.OpenAsync(account, cancel);
            if (!store.IsOk) return FromRefusal(store.Refusal);
            _store = store.Value;
            Result<Maildrop> drop = await Maildrop.OpenAsync(_store, cancel);
            if (!drop.IsOk) return FromRefusal(drop.Refusal);
            (_drop, Account, UserName, entered) = (drop.Value, account, null, true);
        }
        finally
        {
            if (!entered) await GiveBackAsync(account);
        }
        connection.StillHolds = Services.Directory.WhetherHolds(account);
        Log.LoggedIn(Id, account.ToString(), mechanism, Drop.Messages, Drop.Octets);
        return Reply.Ok($"{Drop.Messages} messages ({Drop.Octets} octets)");
    }

    /// <summary>The answer to a wrong login: late, and the last one after a few.</summary>
    public async ValueTask<Reply> RefuseLoginAsync(string login, AuthOutcome outcome, CancellationToken cancel)
    {
        DenialKind? kind = (outcome as AuthOutcome.Denied)?.Kind;
        Log.LoginFailed(Id, connection.RemoteAddress.ToString(), login, kind?.ToString() ?? "unavailable");
        if (kind is null) return Reply.LocalError;
        if (kind == DenialKind.NotSecure) return Reply.LoginNeedsTls;
        TimeSpan delay = options.FailedLoginDelay * (1 << Math.Min(_failedLogins, 6));
        if (delay > TimeSpan.Zero) await Task.Delay(delay, Services.Time, cancel);
        if (++_failedLogins >= options.MaxFailedLogins) Close("too many failed logins");
        return Reply.LoginFailed;
    }

    /// <summary>TLS has begun: everything before is forgotten (RFC 2595 section 4).</summary>
    public void Secured() => UserName = null;

    /// <summary>What a refusal of the store means here (RFC 3206).</summary>
    public static Reply FromRefusal(Refusal refusal) =>
        Reply.Error(refusal.Kind is RefusalKind.Unavailable or RefusalKind.OverQuota or RefusalKind.InUse ? "SYS/TEMP" : "SYS/PERM", refusal.Text);

    public async ValueTask DisposeAsync()
    {
        if (Account is not { } account) return;
        try { if (options.MarkSeen) await Drop.MarkSeenAsync(CancellationToken.None); }
        catch (IOException e) { Log.CommandFailed(e, Id, account.ToString(), "seen"); }
        Log.LoggedOut(Id, account.ToString(), _ended, Drop.Retrieved, Drop.Removed, Out.Sent);
        await GiveBackAsync(account);
    }

    private async ValueTask GiveBackAsync(MailAccount account)
    {
        if (_drop is not null) await _drop.DisposeAsync();
        if (_store is not null) await _store.DisposeAsync();
        (_drop, _store) = (null, null);
        server.Sessions.Leave(account);
    }

    private async ValueTask OneCommandAsync(CancellationToken cancel)
    {
        InputLine line = await ReadLineAsync(options.MaxLine, cancel);
        if (line.Status == LineStatus.Ended)
        {
            // RFC 1939 section 3: a client that was silent too long is told nothing, and nothing is removed.
            Close(connection.Stopped switch { StopReason.Timeout => "timeout", StopReason.Shutdown => "shutdown", StopReason.Revoked => "login revoked", _ => "connection closed" });
            return;
        }
        if (await AnswerAsync(line, cancel) is not { } reply)
        {
            _errors = 0;
            return;
        }
        Out.Write(reply);
        if (reply.IsOk) _errors = 0;
        else if (++_errors >= options.MaxErrors && !_closing)
        {
            Out.Write(Reply.TooManyErrors);
            Close("too many errors");
        }
    }

    private async ValueTask<Reply?> AnswerAsync(InputLine line, CancellationToken cancel)
    {
        if (line.Status == LineStatus.TooLong) return Reply.LineTooLong;
        if (Verb.Find(line.Bytes.Span, out ReadOnlySpan<byte> arguments) is not { } verb) return Reply.UnknownCommand;
        if ((verb.States & State) == 0) return Reply.NotNow;
#pragma warning disable CA1031 // The one broad catch of the session: what is broken on our side ends one command, with a stack in the log.
        try { return await verb.RunAsync(this, arguments, cancel); }
        catch (Exception e) when (!_lost && e is not OperationCanceledException)
#pragma warning restore CA1031
        {
            Log.CommandFailed(e, Id, Account?.ToString() ?? "", verb.Name);
            return Reply.LocalError;
        }
    }
}
