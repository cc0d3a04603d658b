using Posthorn.Smtp.Session;
using Posthorn.Smtp.Wire;
using Posthorn.Transport;

namespace Posthorn.Smtp.Commands;

/// <summary>EXPN: not offered, since it would tell strangers who is behind an alias (RFC 5321 section 7.3).</summary>
internal sealed record Expn : ISmtpCommand<Expn>
{
    public static Expn Parse(ref SmtpReader args) => new();

    public ValueTask<SmtpReply?> RunAsync(SmtpSession session, CancellationToken cancel) => new(Reply.NotImplemented);
}
