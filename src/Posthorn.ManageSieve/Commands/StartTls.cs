using System.Security.Authentication;
using Posthorn.ManageSieve.Session;
using Posthorn.ManageSieve.Wire;

namespace Posthorn.ManageSieve.Commands;

/// <summary>STARTTLS (RFC 5804 section 2.2). What was sent behind it in clear text is thrown away; the capabilities are told anew.</summary>
internal sealed record StartTls : IManageSieveCommand<StartTls>
{
    public static StartTls Parse(ref ArgumentReader args)
    {
        args.End();
        return new();
    }

    public async ValueTask<Completion> RunAsync(ManageSieveSession session, CancellationToken cancel)
    {
        if (session.Connection.IsSecure) return Completion.No("TLS is in use");
        if (session.Services.Tls is not { } tls) return Completion.No("There is no certificate");
        session.Out.End(Completion.Ok("Begin TLS now"));
        await session.FlushAsync(cancel);
        try { await session.Connection.StartTlsAsync(tls, cancel); }
        catch (Exception e) when (e is AuthenticationException or IOException)
        {
            session.Log.TlsFailed(session.Connection.Session, e.Message);
            session.EndAfterThis();
            session.Connection.Abort();
            return Completion.Written;
        }
        Capabilities.Write(session);
        return Completion.Ok("TLS is in use");
    }
}
