using Posthorn.Smtp.Session;
using Posthorn.Smtp.Wire;
using Posthorn.Transport;

namespace Posthorn.Smtp.Commands;

/// <summary>LHLO: EHLO of LMTP (RFC 2033 section 4.1).</summary>
internal sealed record Lhlo(string Name) : ISmtpCommand<Lhlo>
{
    public static Lhlo Parse(ref SmtpReader args) => new(args.HelloName());

    public async ValueTask<SmtpReply?> RunAsync(SmtpSession session, CancellationToken cancel)
    {
        return await session.GreetedAsync(Name, extended: true, cancel) ?? Reply.Hello(Capabilities.For(session));
    }
}
