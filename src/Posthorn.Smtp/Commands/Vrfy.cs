using Posthorn.Smtp.Session;
using Posthorn.Smtp.Wire;
using Posthorn.Transport;

namespace Posthorn.Smtp.Commands;

/// <summary>VRFY: never says who exists (RFC 5321 sections 3.5.3 and 7.3).</summary>
internal sealed record Vrfy : ISmtpCommand<Vrfy>
{
    public static Vrfy Parse(ref SmtpReader args)
    {
        args.Space();
        if (args.Text().IsEmpty) args.Fail(Reply.BadRecipientSyntax);
        return new();
    }

    public ValueTask<SmtpReply?> RunAsync(SmtpSession session, CancellationToken cancel) => new(Reply.CannotVerify);
}
