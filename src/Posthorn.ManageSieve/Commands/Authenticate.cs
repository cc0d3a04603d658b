using System.Diagnostics;
using Posthorn.Directory;
using Posthorn.Directory.Sasl;
using Posthorn.ManageSieve.Session;
using Posthorn.ManageSieve.Wire;

namespace Posthorn.ManageSieve.Commands;

/// <summary>AUTHENTICATE with SASL, initial response included; what a mechanism says at its end goes out in the OK (RFC 5804 section 2.1).</summary>
/// <remarks><c>command-authenticate = "AUTHENTICATE" SP auth-type [SP string] *(CRLF string)</c></remarks>
internal sealed record Authenticate(string Mechanism, byte[]? Initial) : IManageSieveCommand<Authenticate>
{
    public static Authenticate Parse(ref ArgumentReader args)
    {
        args.Space();
        string mechanism = args.Mechanism();
        byte[]? initial = null;
        if (args.TrySpace())
        {
            if (SaslBase64.TryDecode(args.Octets(), out byte[] response)) initial = response;
            else args.Fail("base64");
        }
        args.End();
        return new(mechanism, initial);
    }

    public async ValueTask<Completion> RunAsync(ManageSieveSession session, CancellationToken cancel)
    {
        if (SaslExchange.Create(Mechanism, session.Services.Directory, session.LoginContext) is not { } exchange) return await RefuseAsync(session, cancel);
        SaslResult result = await exchange.StartAsync(Initial, cancel);
        string? last = null;
        while (result is SaslResult.Challenge challenge)
        {
            if (challenge.IsLast)
            {
                last = Convert.ToBase64String(challenge.Data.Span);
                result = await exchange.StepAsync(default, cancel);
                continue;
            }
            session.Out.Challenge(challenge.Data.Span);
            Frame frame = await session.Commands.ReadAsync(cancel);
            byte[] response = [];
            Completion? problem = frame.Status != FrameStatus.Command
                ? Completion.No("The response is too long or cut off") // at the end of the input the session loop sees it next
                : Problem(frame.Text.Span, out response);
            if (problem is { } over)
            {
                exchange.GiveUp();
                return over;
            }

            result = await exchange.StepAsync(response, cancel);
        }
        return result switch
        {
            SaslResult.Success success => session.Enter(success.Account, exchange.Name) ?? (last is null ? Completion.Ok("Logged in") : Completion.OkWith("SASL", last, "Logged in")),
            SaslResult.Failure { Outcome: AuthOutcome.Denied denied } => await session.RefuseLoginAsync(exchange.Login ?? "", denied.Kind, cancel),
            SaslResult.Failure { Outcome: AuthOutcome.Temporary temporary } => Completion.No("TRYLATER", temporary.Text),
            SaslResult.Malformed malformed => Completion.Bad(malformed.Text),
            _ => throw new UnreachableException(),
        };
    }

    private async ValueTask<Completion> RefuseAsync(ManageSieveSession session, CancellationToken cancel)
    {
        if (!SaslExchange.IsKnown(Mechanism)) return Completion.No("No such mechanism here");
        return session.MayUsePasswords ? Completion.No("AUTH-TOO-WEAK", "This mechanism is switched off here") : await session.RefuseLoginAsync("", DenialKind.NotSecure, cancel);
    }

    private static Completion? Problem(ReadOnlySpan<byte> line, out byte[] response)
    {
        response = [];
        ArgumentReader reader = new(line);
        byte[] text = reader.Octets();
        reader.End();
        if (reader.Failed)
        {
            // Some old clients send the bare text.
            if (SaslBase64.IsCancel(line)) return Completion.No("Authentication given up");
            return SaslBase64.TryDecode(line, out response) && line.Length > 0 ? null : Completion.Bad($"AUTHENTICATE: {reader.Error}");
        }
        if (SaslBase64.IsCancel(text)) return Completion.No("Authentication given up");
        return SaslBase64.TryDecode(text, out response) ? null : Completion.Bad("AUTHENTICATE: expected base64");
    }

    public override string ToString() => nameof(Authenticate); // never the response
}
