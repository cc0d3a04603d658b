using Posthorn.Smtp.Session;
using Posthorn.Smtp.Wire;
using Posthorn.Transport;

namespace Posthorn.Smtp.Commands;

/// <summary>HELP: the verbs of this listener (RFC 5321 section 4.1.1.8).</summary>
internal sealed record Help : ISmtpCommand<Help>
{
    public static Help Parse(ref SmtpReader args) => new();

    public ValueTask<SmtpReply?> RunAsync(SmtpSession session, CancellationToken cancel)
    {
        VerbTraits others = session.Role == ListenerRole.Lmtp ? VerbTraits.Smtp : VerbTraits.Lmtp;
        return new(new SmtpReply(214, "2.0.0", "Commands: " + string.Join(' ', Verb.Table.Where(v => !v.Is(others) && (session.KnowsLogin || v.Name != "AUTH") && v.Name[0] != 'X').Select(v => v.Name))));
    }
}
