using Posthorn.Imap.Session;
using Posthorn.Imap.Wire;

namespace Posthorn.Imap.Commands;

/// <summary>UNAUTHENTICATE: back to the state before login, for proxies that reuse connections (RFC 8437). Of what was agreed TLS and ID stay.</summary>
internal sealed record Unauthenticate : IImapCommand<Unauthenticate>
{
    public static Unauthenticate Parse(ref ImapReader args)
    {
        args.End();
        return new();
    }

    public async ValueTask<Completion> RunAsync(ImapSession session, Numbering by, CancellationToken cancel)
    {
        if (!session.Options.Unauthenticate) return Completion.Bad("Unknown command"); // RFC 8437 section 8
        await session.LeaveAsync();
        Completion end = Completion.Ok($"CAPABILITY {Capabilities.Of(session)}", "Nobody is logged in");
        if (!session.Connection.IsCompressed) return end;
        // Compression ends behind the answer (section 4.1).
        session.Out.Tagged(session.Tag, end);
        await session.FlushAsync(cancel);
        await session.Connection.EndCompressionAsync();
        return Completion.Written;
    }
}
