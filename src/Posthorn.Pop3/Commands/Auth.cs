using System.Text;
using Posthorn.Directory.Sasl;
using Posthorn.Net;
using Posthorn.Pop3.Session;
using Posthorn.Pop3.Wire;

namespace Posthorn.Pop3.Commands;

/// <summary>AUTH: a login by SASL (RFC 5034 section 4). Without a mechanism it lists them, as clients from before CAPA ask.</summary>
internal sealed record Auth(string? Mechanism, byte[]? Initial) : IPop3Command<Auth>
{
    public static Auth Parse(ref Pop3Reader args)
    {
        if (args.IsBlank) return new(null, null); // Outlook sends a blank after the word
        string mechanism = Encoding.UTF8.GetString(args.Word("a mechanism"));
        byte[]? initial = args.IsBlank ? null : args.Word("an initial response").ToArray();
        args.End();
        return new(mechanism, initial);
    }

    public async ValueTask<Reply?> RunAsync(Pop3Session session, CancellationToken cancel)
    {
        if (Mechanism is null) return List(session);
        if (SaslExchange.Create(Mechanism, session.Services.Directory, session.LoginContext) is not { } exchange)
            return session.MayLogIn ? Reply.Error("", "Unknown mechanism") : Reply.LoginNeedsTls;
        byte[] response = [];
        if (Initial is not null && !SaslBase64.TryDecode(Initial, out response)) return Reply.BadBase64;

        SaslResult result = await exchange.RunAsync(Initial is null ? null : response, async (challenge, token) =>
        {
            session.Out.Write("+ "u8);
            session.Out.Write(challenge);
            session.Out.Write("\r\n"u8);
            InputLine line = await session.ReadLineAsync(session.Options.MaxAuthLine, token);
            return (line.Status switch { LineStatus.Ended => SaslInterruption.Ended, LineStatus.TooLong => SaslInterruption.TooLong, _ => null }, line.Bytes);
        }, cancel);
        return result switch
        {
            SaslResult.Interrupted { Why: SaslInterruption.TooLong } => Reply.LineTooLong,
            SaslResult.Interrupted { Why: SaslInterruption.NotBase64 } => Reply.BadBase64,
            SaslResult.Interrupted => Reply.Cancelled,
            SaslResult.Success success => await session.EnterAsync(success.Account, exchange.Name, cancel),
            SaslResult.Failure failure => await session.RefuseLoginAsync(exchange.Login ?? "", failure.Outcome, cancel),
            SaslResult.Malformed malformed => Reply.Error("", malformed.Text),
            _ => throw new System.Diagnostics.UnreachableException(),
        };
    }

    public override string ToString() => $"{nameof(Auth)} {Mechanism}"; // never the response

    private static Reply? List(Pop3Session session)
    {
        session.Out.Write(Reply.Ok("Mechanisms"));
        foreach (string name in session.Mechanisms)
        {
            session.Out.Write(name);
            session.Out.Write("\r\n"u8);
        }
        session.Out.EndOfLines();
        return null;
    }
}
