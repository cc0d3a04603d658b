using Posthorn.Smtp.Session;
using Posthorn.Smtp.Wire;
using Posthorn.Transport;

namespace Posthorn.Smtp.Commands;

/// <summary>EHLO: the client names itself and learns what we can do (RFC 5321 section 4.1.1.1).</summary>
/// <remarks><c>ehlo = "EHLO" SP ( Domain / address-literal ) CRLF</c></remarks>
internal sealed record Ehlo(string Name) : ISmtpCommand<Ehlo>
{
    public static Ehlo Parse(ref SmtpReader args) => new(args.HelloName());

    public async ValueTask<SmtpReply?> RunAsync(SmtpSession session, CancellationToken cancel)
    {
        return await session.GreetedAsync(Name, extended: true, cancel) ?? Reply.Hello(Capabilities.For(session));
    }
}
