using Posthorn.Imap.Session;
using Posthorn.Imap.Wire;

namespace Posthorn.Imap.Commands;

/// <summary>NOOP: an occasion to hear the news (RFC 9051 section 6.1.2).</summary>
internal sealed record Noop : IImapCommand<Noop>
{
    public static Noop Parse(ref ImapReader args)
    {
        args.End();
        return new();
    }

    public ValueTask<Completion> RunAsync(ImapSession session, Numbering by, CancellationToken cancel) => new(Completion.Ok("Done"));
}
