using Posthorn.Smtp.Session;
using Posthorn.Smtp.Wire;
using Posthorn.Transport;

namespace Posthorn.Smtp.Commands;

/// <summary>HELO: a client of before 1995 (RFC 5321 section 4.1.1.1).</summary>
internal sealed record Helo(string Name) : ISmtpCommand<Helo>
{
    public static Helo Parse(ref SmtpReader args) => new(args.HelloName());

    public async ValueTask<SmtpReply?> RunAsync(SmtpSession session, CancellationToken cancel)
    {
        return await session.GreetedAsync(Name, extended: false, cancel) ?? Reply.Hello(session.Options.Hostname.Ascii);
    }
}
