using Posthorn.Imap.Session;
using Posthorn.Imap.Wire;

namespace Posthorn.Imap.Commands;

/// <summary>AUTHENTICATE with SASL, initial response included (RFC 9051 section 6.2.2, RFC 4959).</summary>
/// <remarks><c>authenticate = "AUTHENTICATE" SP auth-type [SP initial-resp] *(CRLF base64)</c></remarks>
internal sealed record Authenticate(string Mechanism, byte[]? Initial) : IImapCommand<Authenticate>
{
    public static Authenticate Parse(ref ImapReader args)
    {
        args.Space();
        string mechanism = System.Text.Encoding.ASCII.GetString(args.Atom());
        byte[]? initial = null;
        if (args.TrySpace())
        {
            if (Directory.Sasl.SaslBase64.TryDecode(args.Atom(), out byte[] response)) initial = response;
            else args.Fail("base64");
        }
        args.End();
        return new(mechanism, initial);
    }

    public async ValueTask<Completion> RunAsync(ImapSession session, Numbering by, CancellationToken cancel)
    {
        if (Directory.Sasl.SaslExchange.Create(Mechanism, session.Services.Directory, session.LoginContext) is not { } exchange)
        {
            return Directory.Sasl.SaslExchange.IsKnown(Mechanism) && !session.MayLogIn
                ? await session.RefuseLoginAsync("", Directory.DenialKind.NotSecure, cancel)
                : Completion.No("CANNOT", "No such mechanism here");
        }
        Directory.Sasl.SaslResult result = await exchange.StartAsync(Initial, cancel);
        while (result is Directory.Sasl.SaslResult.Challenge challenge)
        {
            session.Out.Continue(System.Text.Encoding.ASCII.GetBytes(Convert.ToBase64String(challenge.Data.Span)));
            Frame line = await session.Frames.ReadLineAsync(cancel);
            if (line.Status == FrameStatus.Ended) return Completion.Bad("The line ended"); // the session loop sees the end next
            if (line.Status == FrameStatus.TooLong) return Completion.Bad("The response is too long");
            if (Directory.Sasl.SaslBase64.IsCancel(line.Text.Span)) return Completion.Bad("Authentication given up");
            if (!Directory.Sasl.SaslBase64.TryDecode(line.Text.Span, out byte[] response)) return Completion.Bad("expected base64");
            result = await exchange.StepAsync(response, cancel);
        }
        return result switch
        {
            Directory.Sasl.SaslResult.Success success => await Login.LoggedInAsync(session, success.Account, exchange.Name, "", cancel),
            Directory.Sasl.SaslResult.Failure { Outcome: Directory.AuthOutcome.Denied denied } => await session.RefuseLoginAsync(exchange.Login ?? "", denied.Kind, cancel),
            Directory.Sasl.SaslResult.Failure { Outcome: Directory.AuthOutcome.Temporary temporary } => Completion.No("UNAVAILABLE", temporary.Text),
            Directory.Sasl.SaslResult.Malformed malformed => Completion.Bad(malformed.Text),
            _ => throw new System.Diagnostics.UnreachableException(),
        };
    }

    public override string ToString() => nameof(Authenticate); // never the response
}
