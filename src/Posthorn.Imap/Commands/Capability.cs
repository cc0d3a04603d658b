using Posthorn.Imap.Session;
using Posthorn.Imap.Wire;

namespace Posthorn.Imap.Commands;

/// <summary>CAPABILITY (RFC 9051 section 6.1.1).</summary>
internal sealed record Capability : IImapCommand<Capability>
{
    public static Capability Parse(ref ImapReader args)
    {
        args.End();
        return new();
    }

    public ValueTask<Completion> RunAsync(ImapSession session, Numbering by, CancellationToken cancel)
    {
        session.Out.Begin("CAPABILITY "u8);
        session.Out.Raw(Capabilities.Of(session));
        session.Out.End();
        return new(Completion.Ok("These can be done now"));
    }
}
