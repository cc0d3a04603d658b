using System.Text;
using Posthorn.Directory;
using Posthorn.Directory.Sasl;
using Posthorn.Net;
using Posthorn.Smtp.Session;
using Posthorn.Smtp.Wire;
using Posthorn.Transport;

namespace Posthorn.Smtp.Commands;

/// <summary>AUTH: a login by SASL (RFC 4954 section 4).</summary>
/// <remarks><c>auth-command = "AUTH" SP sasl-mech [SP initial-response] *(CRLF [base64]) [CRLF cancel-response] CRLF</c></remarks>
internal sealed record Auth(string Mechanism, byte[]? Initial) : ISmtpCommand<Auth>
{
    public static Auth Parse(ref SmtpReader args)
    {
        args.Space();
        string mechanism = Encoding.UTF8.GetString(args.Word());
        if (args.IsAtEnd) return new(mechanism, null);
        args.Space();
        byte[] initial = args.Word().ToArray();
        args.End();
        return new(mechanism, initial);
    }

    public async ValueTask<SmtpReply?> RunAsync(SmtpSession session, CancellationToken cancel)
    {
        if (!session.KnowsLogin) return Reply.NotImplemented;
        if (session.Account is not null) return Reply.LoggedInAlready;
        if (session.Transaction is not null) return Reply.NotInTransaction;
        if (!session.MayLogIn) return Reply.LoginNeedsTls;
        if (SaslExchange.Create(Mechanism, session.Services.Directory!, session.LoginContext) is not { } exchange) return Reply.UnknownMechanism;
        byte[] response = [];
        if (Initial is not null && !SaslBase64.TryDecode(Initial, out response)) return Reply.BadBase64;

        SaslResult result = await exchange.RunAsync(Initial is null ? null : response, async (challenge, token) =>
        {
            session.Say(Reply.Challenge(challenge));
            InputLine line = await session.ReadLineAsync(token);
            return (line.Status switch { LineStatus.Ended => SaslInterruption.Ended, LineStatus.TooLong => SaslInterruption.TooLong, _ => null }, line.Bytes);
        }, cancel);
        return result switch
        {
            SaslResult.Interrupted { Why: SaslInterruption.Ended } => session.Lost(),
            SaslResult.Interrupted { Why: SaslInterruption.TooLong } => Reply.LoginTooLong,
            SaslResult.Interrupted { Why: SaslInterruption.Cancelled } => Reply.LoginCancelled,
            SaslResult.Interrupted => Reply.BadBase64,
            SaslResult.Success success => Succeed(session, success),
            SaslResult.Failure failure => await FailAsync(session, exchange, failure.Outcome, cancel),
            SaslResult.Malformed malformed => await MalformedAsync(session, exchange, malformed.Text, cancel),
            _ => throw new System.Diagnostics.UnreachableException(),
        };
    }

    private SmtpReply Succeed(SmtpSession session, SaslResult.Success success)
    {
        session.LoggedIn(success.Account, Mechanism.ToUpperInvariant());
        session.Log.LoggedIn(session.Id, Mechanism, success.Account.Address);
        return Reply.LoggedIn;
    }

    private static async ValueTask<SmtpReply?> FailAsync(SmtpSession session, SaslExchange exchange, AuthOutcome outcome, CancellationToken cancel)
    {
        string reason = outcome is AuthOutcome.Denied denied ? denied.Kind.ToString() : "unavailable";
        session.Log.LoginFailed(session.Id, exchange.Name, exchange.Login ?? "", reason, session.Connection.RemoteAddress.ToString());
        if (outcome is AuthOutcome.Temporary) return Reply.LoginUnavailable;
        if (outcome is AuthOutcome.Denied { Kind: DenialKind.NotSecure }) return Reply.LoginNeedsTls;
        return await PenaltyAsync(session, Reply.LoginFailed, cancel);
    }

    private static async ValueTask<SmtpReply?> MalformedAsync(SmtpSession session, SaslExchange exchange, string reason, CancellationToken cancel)
    {
        session.Log.LoginFailed(session.Id, exchange.Name, exchange.Login ?? "", reason, session.Connection.RemoteAddress.ToString());
        return await PenaltyAsync(session, Reply.MalformedLogin, cancel);
    }

    // The wait is this session's alone; guessing on many connections is the business of the limits by address.
    private static async ValueTask<SmtpReply?> PenaltyAsync(SmtpSession session, SmtpReply reply, CancellationToken cancel)
    {
        if (session.Options.AuthFailureDelay > TimeSpan.Zero) await Task.Delay(session.Options.AuthFailureDelay, session.Time, cancel);
        if (++session.FailedLogins < session.Options.MaxAuthAttempts) return reply;
        session.Say(reply);
        return Reply.TooManyLogins;
    }
}
