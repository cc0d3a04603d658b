using Posthorn.Smtp.Session;
using Posthorn.Smtp.Wire;
using Posthorn.Transport;

namespace Posthorn.Smtp.Commands;

/// <summary>XFORWARD: a filter says from whom it had the mail that comes now. For the log and the trace; nothing else changes (Postfix's XFORWARD_README).</summary>
internal sealed record XForward(ProxyAttributes Attributes) : ISmtpCommand<XForward>
{
    /// <summary>The attributes that are understood, as EHLO announces them.</summary>
    public static readonly string[] Known = ["NAME", "ADDR", "PORT", "PROTO", "HELO", "IDENT", "SOURCE"];

    public static XForward Parse(ref SmtpReader args) => new(ProxyAttributes.Parse(ref args, Known));

    public ValueTask<SmtpReply?> RunAsync(SmtpSession session, CancellationToken cancel)
    {
        if (!session.MayUseXForward) return new(Reply.NotAuthorized);
        if (session.Transaction is not null) return new(Reply.NotInTransaction);
        session.Log.Forwarded(session.Id, string.Join(' ', Attributes.Names.Select(name => $"{name.ToLowerInvariant()}={Attributes[name] ?? "unknown"}")));
        ForwardedClient said = session.Forwarded;
        session.Forward(new()
        {
            Name = Attributes.Has("NAME") ? Attributes["NAME"] : said.Name,
            Address = Attributes.Has("ADDR") ? Attributes.Address : said.Address,
            Helo = Attributes.Has("HELO") ? Attributes["HELO"] : said.Helo,
            Ident = Attributes.Has("IDENT") ? Attributes["IDENT"] : said.Ident,
        });
        return new(Reply.Ok);
    }
}
