using Posthorn.Imap.Session;
using Posthorn.Imap.Wire;

namespace Posthorn.Imap.Commands;

/// <summary>STARTTLS (RFC 9051 section 6.2.1). What was sent behind it in clear text is thrown away.</summary>
internal sealed record StartTls : IImapCommand<StartTls>
{
    public static StartTls Parse(ref ImapReader args)
    {
        args.End();
        return new();
    }

    public async ValueTask<Completion> RunAsync(ImapSession session, Numbering by, CancellationToken cancel)
    {
        if (session.Connection.IsSecure) return Completion.Bad("TLS is in use");
        if (session.Services.Tls is not { } tls) return Completion.No("UNAVAILABLE", "There is no certificate");
        session.Out.Tagged(session.Tag, Completion.Ok("Begin TLS now"));
        await session.FlushAsync(cancel);
        try { await session.Connection.StartTlsAsync(tls, cancel); }
        catch (Exception e) when (e is System.Security.Authentication.AuthenticationException or IOException)
        {
            session.Log.TlsFailed(session.Connection.Session, e.Message);
            session.EndAfterThis("TLS failed");
            session.Connection.Abort();
        }
        return Completion.Written;
    }
}
