using System.Net.Security;
using System.Security.Authentication;
using System.Text;
using Posthorn.Net;

namespace Posthorn.Transport.Remote;

/// <summary>One connection to an SMTP or LMTP server, as its client: greeting, EHLO, TLS, login.</summary>
/// <remarks>A fault of the connection or nonsense from the server ends the session (<see cref="IsUsable"/>) and comes back as a temporary reply in our own words.</remarks>
internal sealed class SmtpClientSession : IAsyncDisposable
{
    private readonly ReplyReader _replies;

    public SmtpClientSession(Connection connection, string host, bool isLmtp, SmtpTimeouts timeouts)
    {
        (Connection, Host, IsLmtp, Timeouts) = (connection, host, isLmtp, timeouts);
        _replies = new(connection);
    }

    public Connection Connection { get; }

    /// <summary>The name under which it was looked up.</summary>
    public string Host { get; }
    public bool IsLmtp { get; }
    public SmtpTimeouts Timeouts { get; }
    public ServerFeatures Features { get; private set; } = ServerFeatures.None;

    /// <summary>False after a fault or a 421: nothing more can be said.</summary>
    public bool IsUsable { get; private set; } = true;

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
        if (!reply.IsPermanent || IsLmtp || !IsUsable) return reply;
        Features = ServerFeatures.None;
        return await CommandAsync($"HELO {name}", cancel);
    }

    /// <summary>Becomes a TLS client; what was offered in clear text is forgotten (RFC 3207 section 4.2). Null when it worked.</summary>
    public async ValueTask<SmtpReply?> HandshakeAsync(bool verify, CancellationToken cancel)
    {
        Connection.SetDeadline(Timeouts.Handshake);
        SslClientAuthenticationOptions options = new() { TargetHost = Host.Trim('[', ']'), EnabledSslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13 };
#pragma warning disable CA5359 // Opportunistic TLS has nothing to verify against (RFC 7435): a wrong certificate still beats clear text.
        if (!verify) options.RemoteCertificateValidationCallback = (_, _, _, _) => true;
#pragma warning restore CA5359
        try
        {
            await Connection.StartTlsAsync(options, cancel);
            Features = ServerFeatures.None;
            return null;
        }
        catch (AuthenticationException e) { return Broken("4.7.5", $"TLS could not be agreed with {Host}: {e.Message}"); }
        catch (IOException e) { return Broken("4.7.5", $"TLS could not be agreed with {Host}: {e.Message}"); }
    }

    /// <summary>Logs in with PLAIN or LOGIN, never in clear text (RFC 4954).</summary>
    public async ValueTask<SmtpReply> LogInAsync(RelayLogin login, CancellationToken cancel)
    {
        if (!Connection.IsSecure) return new(454, "4.7.0", $"{Host} has no TLS, and the password does not go out in clear text");
        if (Features.Mechanisms.Contains("PLAIN")) return await CommandAsync("AUTH PLAIN " + Base64($"\0{login.User}\0{login.Password}"), cancel);
        if (!Features.Mechanisms.Contains("LOGIN")) return new(454, "4.7.0", $"{Host} offers no way to log in that is known here (PLAIN, LOGIN)");
        SmtpReply reply = await CommandAsync("AUTH LOGIN", cancel);
        if (reply.Code == 334) reply = await CommandAsync(Base64(login.User), cancel);
        if (reply.Code == 334) reply = await CommandAsync(Base64(login.Password), cancel);
        return reply;
    }

    /// <summary>Sends one command and waits for its reply.</summary>
    public async ValueTask<SmtpReply> CommandAsync(string command, CancellationToken cancel)
    {
        Queue(command);
        return await FlushAsync(cancel) ?? await ReadAsync(Verb(command), Timeouts.Command, cancel);
    }

    /// <summary>Puts a command into the output.</summary>
    public void Queue(string command)
    {
        Connection.Output.Write(command);
        Connection.Output.Write("\r\n"u8);
    }

    /// <summary>Sends what is in the output; the fault when that failed.</summary>
    public async ValueTask<SmtpReply?> FlushAsync(CancellationToken cancel)
    {
        if (!IsUsable) return LostReply("the connection is closed");
        try
        {
            await Connection.Output.FlushAsync(cancel);
            return null;
        }
        catch (IOException e) { return LostReply(e.Message); }
    }

    /// <summary>Reads one reply. <paramref name="after"/> names what it answers.</summary>
    public async ValueTask<SmtpReply> ReadAsync(string after, TimeSpan timeout, CancellationToken cancel)
    {
        if (!IsUsable) return LostReply("the connection is closed");
        Connection.SetDeadline(timeout);
        SmtpReply? reply = await _replies.ReadAsync(cancel);
        Connection.ClearDeadline();
        if (reply is null) return Broken("4.4.2", $"{Host} {_replies.Problem} (after {after})");
        if (reply.Code == 421) IsUsable = false;
        return reply.Status.Length > 0 ? reply : reply with { Status = DefaultStatus(reply.Code) };
    }

    /// <summary>Says goodbye; nothing depends on the answer.</summary>
    public async ValueTask QuitAsync(CancellationToken cancel)
    {
        if (!IsUsable) return;
        Queue("QUIT");
        if (await FlushAsync(cancel) is null) await ReadAsync("QUIT", Timeouts.Quit, cancel);
        IsUsable = false;
    }

    public ValueTask DisposeAsync() => Connection.DisposeAsync();

    /// <summary>The session ends here, for this reason.</summary>
    public SmtpReply Broken(string status, string text)
    {
        IsUsable = false;
        return new(450, status, text);
    }

    private SmtpReply LostReply(string reason) => Broken("4.4.2", $"The connection to {Host} was lost: {reason}");

    private static string Verb(string command) => command.Split(' ', 2)[0] is { Length: <= 8 } verb ? verb : "a command";

    private static string DefaultStatus(int code) => (code / 100) switch { 2 => "2.0.0", 4 => "4.0.0", 5 => "5.0.0", _ => "" };

    private static string Base64(string text) => Convert.ToBase64String(Encoding.UTF8.GetBytes(text));
}
