using Posthorn.Smtp.Session;
using Posthorn.Smtp.Wire;
using Posthorn.Transport;

namespace Posthorn.Smtp.Commands;

/// <summary>QUIT (RFC 5321 section 4.1.1.10).</summary>
internal sealed record Quit : ISmtpCommand<Quit>
{
    public static Quit Parse(ref SmtpReader args)
    {
        args.End();
        return new();
    }

    public ValueTask<SmtpReply?> RunAsync(SmtpSession session, CancellationToken cancel) => new(Reply.Bye);
}
