using Posthorn.Imap.Session;
using Posthorn.Imap.Wire;

namespace Posthorn.Imap.Commands;

/// <summary>LOGOUT (RFC 9051 section 6.1.3).</summary>
internal sealed record Logout : IImapCommand<Logout>
{
    public static Logout Parse(ref ImapReader args)
    {
        args.End();
        return new();
    }

    public ValueTask<Completion> RunAsync(ImapSession session, Numbering by, CancellationToken cancel)
    {
        session.Out.Bye(null, "Goodbye");
        session.EndAfterThis("logout");
        return new(Completion.Ok("Logged out"));
    }
}
