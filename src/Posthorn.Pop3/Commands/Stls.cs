using System.Security.Authentication;
using Posthorn.Pop3.Session;
using Posthorn.Pop3.Wire;

namespace Posthorn.Pop3.Commands;

/// <summary>STLS (RFC 2595 section 4). What was sent in clear behind it is thrown away, and everything said before is forgotten.</summary>
internal sealed record Stls : IPop3Command<Stls>
{
    public static Stls Parse(ref Pop3Reader args)
    {
        args.End();
        return new();
    }

    public async ValueTask<Reply?> RunAsync(Pop3Session session, CancellationToken cancel)
    {
        if (session.Connection.IsSecure) return Reply.Error("", "TLS is on already");
        if (!session.CanStartTls) return Reply.Error("", "TLS cannot be had here");
        session.Out.Write(Reply.Ok("Begin TLS"));
        await session.FlushAsync(cancel);
        session.Connection.SetDeadline(session.Options.HandshakeTimeout);
        try { await session.Connection.StartTlsAsync(session.Services.Tls!, cancel); }
        catch (Exception e) when (e is AuthenticationException or IOException)
        {
            // Nobody knows what the peer would make of clear text now.
            session.Log.TlsFailed(session.Id, e.Message);
            session.Close("TLS failed");
            return null;
        }
        session.Connection.ClearDeadline();
        session.Secured();
        session.Log.TlsStarted(session.Id, session.Connection.Tls!.ToString());
        return null;
    }
}
