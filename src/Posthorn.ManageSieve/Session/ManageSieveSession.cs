using Microsoft.Extensions.Logging;
using Posthorn.Core;
using Posthorn.Directory;
using Posthorn.ManageSieve.Wire;
using Posthorn.Net;
using Posthorn.Store.Scripts;

namespace Posthorn.ManageSieve.Session;

/// <summary>One client's session: reads commands and runs them one after the other.</summary>
internal sealed class ManageSieveSession : IDisposable
{
    private readonly ManageSieveServer _server;
    private bool _ending;
    private bool _lost;
    private int _badCommands;
    private int _failedLogins;

    public ManageSieveSession(ManageSieveServer server, Connection connection, ManageSieveOptions options)
    {
        (_server, Connection, Options) = (server, connection, options);
        Out = new(connection);
        Commands = new(connection, options, FlushAsync);
    }

    public Connection Connection { get; }
    public ManageSieveOptions Options { get; }
    public ResponseWriter Out { get; }
    public CommandReader Commands { get; }
    public ManageSieveServices Services => _server.Services;
    public IScriptStore Scripts => Services.Scripts;
    public ILogger Log => Services.Log;

    /// <summary>Who is logged in. The verb table admits its users after login only.</summary>
    public MailAccount Account => Owner ?? throw new InvalidOperationException("Nobody is logged in.");

    /// <summary>Who is logged in; null before.</summary>
    public MailAccount? Owner { get; private set; }

    public bool IsLoggedIn => Owner is not null;

    public LoginContext LoginContext => new(Connection.IsUnixSocket ? null : Connection.RemoteAddress, Connection.IsSecure || Connection.IsUnixSocket, "managesieve");

    /// <summary>A clear-text password would be taken here.</summary>
    public bool MayUsePasswords => Services.Directory.MayUsePasswords(LoginContext);

    public bool CanStartTls => Services.Tls is not null && !Connection.IsSecure && !IsLoggedIn;

    /// <summary>Serves the client from greeting to goodbye.</summary>
    public async Task RunAsync(CancellationToken cancel)
    {
        Connection.MustLogInWithin(Options.LoginTimeout);
        RestartIdleClock();
        Capabilities.Write(this);
        Out.End(Completion.Ok("Posthorn ready"));
        while (!_ending)
        {
            Frame frame = await Commands.ReadAsync(cancel);
            RestartIdleClock();
            await HandleAsync(frame, cancel);
            if (Out.IsLarge) await FlushAsync(cancel);
        }
        await FlushAsync(cancel);
    }

    /// <summary>Ends the session after the running command's answer.</summary>
    public void EndAfterThis() => _ending = true;

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

    /// <summary>Takes the account in: from here on the session is logged in. Null, or why not.</summary>
    public Completion? Enter(MailAccount account, string mechanism)
    {
        if (!_server.Sessions.TryEnter(account, Options.MaxConnectionsPerAccount)) return Completion.No("TRYLATER", "This account has too many connections");
        Owner = account;
        Connection.StillHolds = Services.Directory.WhetherHolds(account);
        Commands.MaxCommand = (int)Math.Min(Scripts.Limits.ScriptOctets + Options.MaxCommandOverhead, int.MaxValue);
        Log.LoggedIn(Connection.Session, account.ToString(), mechanism);
        return null;
    }

    /// <summary>The answer to a wrong login: late, and the last one after a few.</summary>
    public async ValueTask<Completion> RefuseLoginAsync(string login, DenialKind kind, CancellationToken cancel)
    {
        Log.LoginFailed(Connection.Session, Connection.RemoteAddress.ToString(), login, kind.ToString());
        if (kind == DenialKind.NotSecure) return Completion.No("ENCRYPT-NEEDED", "Start TLS before you send a password");
        TimeSpan delay = Options.FailedLoginDelay * (1 << Math.Min(_failedLogins++, 6));
        if (delay > TimeSpan.Zero) await Task.Delay(delay, Services.Time, cancel);
        if (_failedLogins < Options.MaxFailedLogins) return Completion.No("Wrong name or password");
        EndAfterThis();
        return Completion.Bye(null, "Too many failed authentication attempts");
    }

    /// <summary>Back to the state before login (RFC 5804 section 2.14.1).</summary>
    public void Leave()
    {
        if (Owner is not null) _server.Sessions.Leave(Owner);
        (Owner, Connection.StillHolds) = (null, null);
        Connection.MustLogInWithin(Options.LoginTimeout);
        Commands.MaxCommand = Options.MaxCommandBeforeLogin;
    }

    /// <summary>Notes a change of the account's scripts in the log.</summary>
    public void NoteChange(string verb, string script) => Log.ScriptChanged(Connection.Session, Account.ToString(), verb, script);

    public void Dispose()
    {
        Leave();
        Commands.Dispose();
    }

    private void RestartIdleClock() => Connection.SetDeadline(IsLoggedIn ? Options.IdleTimeout : Options.LoginTimeout);

    private async ValueTask HandleAsync(Frame frame, CancellationToken cancel)
    {
        switch (frame.Status)
        {
            case FrameStatus.Ended:
                SayGoodbye();
                return;
            case FrameStatus.TooLong:
                Answer(Completion.Bad($"A command may have {Math.Min(Options.MaxLine, Commands.MaxCommand)} octets in a line and {Commands.MaxCommand} in all"));
                return;
            case FrameStatus.LiteralTooBig:
                Answer(IsLoggedIn ? Completion.No("QUOTA/MAXSIZE", $"A script can have {Scripts.Limits.ScriptOctets} octets") : Completion.Bad("The literal is too large before login"));
                return;
            case FrameStatus.Unskippable:
                Answer(Completion.Bye("QUOTA/MAXSIZE", "The literal is too large to skip"));
                EndAfterThis();
                return;
        }
        Verb? verb = null;
        IManageSieveCommand? command = null;
        Completion? failure = Parse(frame.Text.Span, ref verb, ref command);
        if (failure is null && verb is not null && command is not null) await RunAsync(verb, command, cancel);
        else Answer(failure ?? Completion.Bad("Not a command"));
    }

    // Everything that is done with the frame's bytes is done here, before anything is awaited.
    private Completion? Parse(ReadOnlySpan<byte> text, ref Verb? verb, ref IManageSieveCommand? command)
    {
        verb = Verb.Split(text, out ReadOnlySpan<byte> arguments);
        if (verb is null) return Completion.Bad(text.IsEmpty ? "expected a command" : "Unknown command");
        if ((verb.States & (IsLoggedIn ? States.Authenticated : States.NotAuthenticated)) == 0) return Completion.Bad(IsLoggedIn ? "Already logged in" : "Log in first");
        ArgumentReader reader = new(arguments);
        command = verb.Parse(ref reader);
        return reader.Failed ? Completion.Bad($"{verb.Name}: {reader.Error}") : null;
    }

    private async ValueTask RunAsync(Verb verb, IManageSieveCommand command, CancellationToken cancel)
    {
        Completion completion;
#pragma warning disable CA1031 // The session loop: a broken disk or a mistake of ours ends one command, not the session.
        try { completion = await command.RunAsync(this, cancel); }
        catch (Exception e) when (!_lost && e is not OperationCanceledException)
        {
            Log.CommandFailed(e, Connection.Session, Owner?.ToString() ?? "", verb.Name);
            completion = Completion.ServerBug;
        }
#pragma warning restore CA1031
        Answer(completion);
    }

    private void Answer(Completion completion)
    {
        _badCommands = completion.IsBad ? _badCommands + 1 : 0;
        if (_badCommands >= Options.MaxBadCommands)
        {
            completion = Completion.Bye(null, "Too many commands that are none");
            EndAfterThis();
        }
        if (!completion.IsWritten) Out.End(completion);
    }

    private void SayGoodbye()
    {
        EndAfterThis();
        if (Connection.Stopped == StopReason.Timeout) Out.End(Completion.Bye(null, IsLoggedIn ? "Idle for too long" : "Log in sooner"));
        else if (Connection.Stopped == StopReason.Revoked) Out.End(Completion.Bye(null, "The account or its password has changed, log in again"));
        else if (Connection.Stopped == StopReason.Shutdown) Out.End(Completion.Bye("TRYLATER", "The server is going down, come back soon"));
    }
}
