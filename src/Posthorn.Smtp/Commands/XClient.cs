using Posthorn.Smtp.Session;
using Posthorn.Smtp.Wire;
using Posthorn.Transport;

namespace Posthorn.Smtp.Commands;

/// <summary>XCLIENT: a server before us says for which client it speaks; the session begins anew as that client's (Postfix's XCLIENT_README).</summary>
internal sealed record XClient(ProxyAttributes Attributes) : ISmtpCommand<XClient>
{
    /// <summary>The attributes that are understood, as EHLO announces them.</summary>
    public static readonly string[] Known = ["NAME", "ADDR", "PORT", "PROTO", "HELO", "LOGIN", "DESTADDR", "DESTPORT", "REVERSE_NAME"];

    public static XClient Parse(ref SmtpReader args) => new(ProxyAttributes.Parse(ref args, Known));

    public async ValueTask<SmtpReply?> RunAsync(SmtpSession session, CancellationToken cancel)
    {
        if (!session.MayUseXClient) return Reply.NotAuthorized;
        if (session.Transaction is not null) return Reply.NotInTransaction;
        return await session.BecomeAsync(Attributes, cancel);
    }
}
