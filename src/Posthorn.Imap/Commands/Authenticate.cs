using Posthorn.Directory.Sasl;
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
        if (args.Next == ' ' && args.Second is not (0 or (byte)' '))
        {
            args.Space();
            if (SaslBase64.TryDecode(args.Atom(), out byte[] response)) initial = response;
            else args.Fail("base64");
        }
        args.End();
        return new(mechanism, initial);
    }

    public async ValueTask<Completion> RunAsync(ImapSession session, Numbering by, CancellationToken cancel)
    {
        if (SaslExchange.Create(Mechanism, session.Services.Directory, session.LoginContext) is not { } exchange)
        {
            return SaslExchange.IsKnown(Mechanism) && !session.MayLogIn
                ? await session.RefuseLoginAsync("", Directory.DenialKind.NotSecure, cancel)
                : Completion.No("CANNOT", "No such mechanism here");
        }
        SaslResult result = await exchange.RunAsync(Initial, async (challenge, token) =>
        {
            session.Out.Continue(System.Text.Encoding.ASCII.GetBytes(challenge));
            Frame line = await session.Frames.ReadLineAsync(token);
            return (line.Status switch { FrameStatus.Ended => SaslInterruption.Ended, FrameStatus.TooLong => SaslInterruption.TooLong, _ => null }, line.Text);
        }, cancel);
        return result switch
        {
            SaslResult.Interrupted { Why: SaslInterruption.Ended } => Completion.Bad("The line ended"), // the session loop sees the end next
            SaslResult.Interrupted { Why: SaslInterruption.TooLong } => Completion.Bad("The response is too long"),
            SaslResult.Interrupted { Why: SaslInterruption.Cancelled } => Completion.Bad("Authentication given up"),
            SaslResult.Interrupted => Completion.Bad("expected base64"),
            SaslResult.Success success => await Login.LoggedInAsync(session, success.Account, exchange.Name, "", cancel),
            SaslResult.Failure { Outcome: Directory.AuthOutcome.Denied denied } => await session.RefuseLoginAsync(exchange.Login ?? "", denied.Kind, cancel),
            SaslResult.Failure { Outcome: Directory.AuthOutcome.Temporary temporary } => Completion.No("UNAVAILABLE", temporary.Text),
            SaslResult.Malformed malformed => Completion.Bad(malformed.Text),
            _ => throw new System.Diagnostics.UnreachableException(),
        };
    }

    public override string ToString() => nameof(Authenticate); // never the response
}
