using Posthorn.Smtp.Session;
using Posthorn.Smtp.Wire;
using Posthorn.Transport;

namespace Posthorn.Smtp.Commands;

/// <summary>NOOP, with any text (RFC 5321 section 4.1.1.9).</summary>
internal sealed record Noop : ISmtpCommand<Noop>
{
    public static Noop Parse(ref SmtpReader args) => new();

    public ValueTask<SmtpReply?> RunAsync(SmtpSession session, CancellationToken cancel) => new(Reply.Ok);
}
