using System.Net;
using System.Security.Authentication;
using Posthorn.Directory.Sasl;
using Posthorn.Net;
using Posthorn.Transport.Remote.Security;

namespace Posthorn.Transport.Remote;

/// <summary>One connection to an SMTP or LMTP server, as its client: greeting, EHLO, TLS, login.</summary>
/// <remarks>A fault of the connection or nonsense from the server ends the session (<see cref="IsUsable"/>) and comes back as a temporary reply in our own words.</remarks>
internal sealed class SmtpClientSession : IAsyncDisposable
{
    /// <summary>No mechanism has more steps.</summary>
    private const int MaxChallenges = 10;

    private readonly ReplyReader _replies;
    private SmtpReply? _fault;

    public SmtpClientSession(Connection connection, string host, bool isLmtp, SmtpTimeouts timeouts)
    {
        (Connection, Host, IsLmtp, Timeouts) = (connection, host, isLmtp, timeouts);
        _replies = new(connection);
    }

    public Connection Connection { get; }

    /// <summary>The name under which it was looked up.</summary>
    public string Host { get; }
    public bool IsLmtp { get; }

    /// <summary>Where it was connected to; the same place for each connection there.</summary>
    public EndPoint Place { get; init; } = Connection.Unknown;
    public SmtpTimeouts Timeouts { get; }
    public ServerFeatures Features { get; private set; } = ServerFeatures.None;

    /// <summary>False after a fault or a 421: nothing more can be said.</summary>
    public bool IsUsable { get; private set; } = true;

    /// <summary>For which messages the way was found good.</summary>
    public TlsWish Serves { get; init; } = TlsWish.Normal;

    /// <summary>A transaction was begun and not carried to a good end: RSET has to clear it away before the next (RFC 5321 section 4.1.1.5).</summary>
    public bool IsDirty { get; set; }

    /// <summary>The server knows us by name.</summary>
    public bool IsLoggedIn { get; private set; }

    /// <summary>Transactions so far.</summary>
    public int Transactions { get; set; }

    /// <summary>Waits for the greeting.</summary>
    public ValueTask<SmtpReply> GreetingAsync(CancellationToken cancel) => ReadAsync("the greeting", Timeouts.Greeting, cancel);

    /// <summary>EHLO, or HELO where that is not known (RFC 5321 section 3.2); LHLO in LMTP.</summary>
    public async ValueTask<SmtpReply> HelloAsync(string name, CancellationToken cancel)
    {
        SmtpReply reply = await CommandAsync($"{(IsLmtp ? "LHLO" : "EHLO")} {name}", cancel);
        if (reply.IsPositive)
        {
            Features = ServerFeatures.Read(reply.Text);
            return reply;
        }
        // Only "command not recognized" and the like: any other refusal is meant for us, and holds for HELO as well.
        if (reply.Code is not (500 or 501 or 502 or 504) || IsLmtp || !IsUsable) return reply;
        Features = ServerFeatures.None;
        return await CommandAsync($"HELO {name}", cancel);
    }

    /// <summary>Becomes a TLS client; what was offered in clear text is forgotten (RFC 3207 section 4.2). Null when it worked.</summary>
    public async ValueTask<SmtpReply?> HandshakeAsync(CertificateJudge judge, CancellationToken cancel)
    {
        Connection.SetDeadline(Timeouts.Handshake);
        try
        {
            await Connection.StartTlsAsync(judge.Options(), cancel);
            Features = ServerFeatures.None;
            return null;
        }
        catch (AuthenticationException e) { return Broken("4.7.5", judge.Fault is { } fault ? $"{Host} cannot be trusted: {fault.Text}" : $"TLS could not be agreed with {Host}: {(e.InnerException ?? e).Message}"); }
        catch (IOException e) { return Broken("4.7.5", $"TLS could not be agreed with {Host}: {e.Message}"); }
    }

    /// <summary>Logs in by the best mechanism that both sides know, never in clear text (RFC 4954).</summary>
    /// <param name="login">User and password.</param>
    /// <param name="isProven">The server has proved who it is; no other one gets to see the password (RFC 4954 section 14).</param>
    /// <param name="cancel">Gives up.</param>
    public async ValueTask<SmtpReply> LogInAsync(RelayLogin login, bool isProven, CancellationToken cancel)
    {
        if (!Connection.IsSecure) return new(454, "4.7.0", $"{Host} has no TLS, and the password does not go out in clear text");
        string[] wanted = [.. login.Mechanisms.Where(mechanism => isProven || SaslClient.KeepsPassword(mechanism))];
        string offered = Features.Mechanisms.Count > 0 ? string.Join(", ", Features.Mechanisms) : "no login";
        if (SaslClient.Choose(wanted, Features.Mechanisms.ToHashSet(), login.User, login.Password) is not { } sasl)
            return !isProven ? new(454, "4.7.0", $"{Host} need not prove who it is here, so that the password goes out by SCRAM alone; it offers {offered}")
                : new(454, "4.7.0", $"{Host} offers no way to log in that is wanted here ({string.Join(", ", login.Mechanisms)}); it offers {offered}");
        byte[]? initial = sasl.Initial();
        SmtpReply reply = await CommandAsync($"AUTH {sasl.Name}" + (initial is null ? "" : " " + Base64(initial)), cancel, intermediate: 334);
        for (int challenges = 1; reply.Code == 334; challenges++)
        {
            byte[]? response = challenges <= MaxChallenges && Decode(reply.Text) is { } challenge ? sasl.Respond(challenge) : null;
            // RFC 4954 section 4: "*" ends the exchange, whatever the server makes of it.
            reply = await CommandAsync(response is null ? "*" : Convert.ToBase64String(response), cancel, intermediate: response is null ? 0 : 334);
            if (response is null) return new(454, "4.7.8", $"{Host} answered the login with {sasl.Name} as no server that knows the password would: {reply}");
        }
        if (reply.IsPositive && !sasl.MaySucceed) return new(454, "4.7.8", $"{Host} did not prove that it knows the password");
        IsLoggedIn = reply.IsPositive;
        return reply;
    }

    /// <summary>Sends one command and waits for its reply.</summary>
    /// <param name="command">The line.</param>
    /// <param name="cancel">Ends the wait.</param>
    /// <param name="intermediate">The 3xx that may answer it; 0 for none.</param>
    public async ValueTask<SmtpReply> CommandAsync(string command, CancellationToken cancel, int intermediate = 0)
    {
        Queue(command);
        return await FlushAsync(cancel) ?? await ReadAsync(Verb(command), Timeouts.Command, cancel, intermediate);
    }

    /// <summary>Puts a command into the output.</summary>
    public void Queue(string command)
    {
        Connection.Output.Write(command);
        Connection.Output.Write("\r\n"u8);
    }

    /// <summary>Sends what is in the output; the fault when that failed, or when the server did not take it in time.</summary>
    /// <param name="cancel">Ends the wait.</param>
    /// <param name="patience">For how long; as for a command when not given.</param>
    public async ValueTask<SmtpReply?> FlushAsync(CancellationToken cancel, TimeSpan? patience = null)
    {
        if (!IsUsable) return LostReply("the connection is closed");
        Connection.SetDeadline(patience ?? Timeouts.Command);
        try
        {
            await Connection.Output.FlushAsync(cancel);
            return null;
        }
        catch (IOException e) { return LostReply(e.Message); }
    }

    /// <summary>Reads one reply. <paramref name="after"/> names what it answers, <paramref name="intermediate"/> the 3xx that may do so: any other promises nothing and completes nothing (RFC 5321 section 4.2.1).</summary>
    public async ValueTask<SmtpReply> ReadAsync(string after, TimeSpan timeout, CancellationToken cancel, int intermediate = 0)
    {
        if (!IsUsable) return LostReply("the connection is closed");
        Connection.SetDeadline(timeout);
        SmtpReply? reply = await _replies.ReadAsync(cancel);
        Connection.ClearDeadline();
        if (reply is null) return Broken("4.4.2", $"{Host} {_replies.Problem} (after {after})");
        if (reply.Code is < 200 or >= 300 and < 400 && reply.Code != intermediate) return Broken("4.5.0", $"{Host} answered {after} with {reply.Code}");
        if (reply.Code == 421) IsUsable = false;
        return WithStatus(reply);
    }

    /// <summary>What the server said before it closed amid what was being sent; null when that was nothing, or no refusal.</summary>
    public async ValueTask<SmtpReply?> LastWordAsync(CancellationToken cancel)
    {
        Connection.SetDeadline(Timeouts.Quit);
        SmtpReply? reply = await _replies.ReadAsync(cancel);
        Connection.ClearDeadline();
        if (reply is not ({ IsTransient: true } or { IsPermanent: true })) return null;
        return WithStatus(reply);
    }

    /// <summary>Says goodbye; nothing depends on the answer, and <paramref name="cancel"/> ends no more than the wait for it.</summary>
    public async ValueTask QuitAsync(CancellationToken cancel)
    {
        if (!IsUsable) return;
        Queue("QUIT");
        try
        {
            if (await FlushAsync(CancellationToken.None, Timeouts.Quit) is null) await ReadAsync("QUIT", Timeouts.Quit, cancel);
        }
        catch (OperationCanceledException) { /* it is said */ }
        IsUsable = false;
    }

    public ValueTask DisposeAsync() => Connection.DisposeAsync();

    /// <summary>The session ends here, for this reason.</summary>
    public SmtpReply Broken(string status, string text)
    {
        IsUsable = false;
        return _fault ??= new(450, status, text);
    }

    /// <summary>The reply is our own word on a session that broke, and none of the server's.</summary>
    public bool IsOurs(SmtpReply reply) => ReferenceEquals(reply, _fault);

    private SmtpReply LostReply(string reason) => Broken("4.4.2", $"The connection to {Host} was lost: {reason}");

    private static string Verb(string command) => command.Split(' ', 2)[0] is { Length: <= 8 } verb ? verb : "a command";

    private static SmtpReply WithStatus(SmtpReply reply) => reply.Status.Length > 0 ? reply : reply with { Status = DefaultStatus(reply.Code) };

    private static string DefaultStatus(int code) => (code / 100) switch { 2 => "2.0.0", 4 => "4.0.0", 5 => "5.0.0", _ => "" };

    // An empty initial response is written as an equals sign (RFC 4954 section 4).
    private static string Base64(byte[] bytes) => bytes.Length == 0 ? "=" : Convert.ToBase64String(bytes);

    private static byte[]? Decode(string text)
    {
        try { return Convert.FromBase64String(text.Trim()); }
        catch (FormatException) { return null; }
    }
}
