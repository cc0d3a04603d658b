using System.Security.Authentication;
using Posthorn.Smtp.Session;
using Posthorn.Smtp.Wire;
using Posthorn.Transport;

namespace Posthorn.Smtp.Commands;

/// <summary>STARTTLS (RFC 3207). What was sent in clear behind it is thrown away, and everything agreed before is forgotten.</summary>
internal sealed record StartTls : ISmtpCommand<StartTls>
{
    public static StartTls Parse(ref SmtpReader args)
    {
        args.End();
        return new();
    }

    public async ValueTask<SmtpReply?> RunAsync(SmtpSession session, CancellationToken cancel)
    {
        if (session.Connection.IsSecure) return Reply.AlreadySecure;
        if (!session.CanStartTls) return Reply.NotImplemented;
        session.Say(Reply.ReadyForTls);
        await session.FlushAsync(cancel);
        session.Connection.SetDeadline(session.Options.HandshakeTimeout);
        try { await session.Connection.StartTlsAsync(session.Services.Tls!, cancel); }
        catch (Exception e) when (e is AuthenticationException or IOException)
        {
            // Nobody knows what the peer would make of clear text now.
            session.Log.TlsFailed(session.Id, e.Message);
            session.Close();
            return null;
        }
        session.Connection.ClearDeadline();
        await session.SecuredAsync();
        session.Log.TlsStarted(session.Id, session.Connection.Tls!.ToString());
        return null;
    }
}
