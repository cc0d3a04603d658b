using Posthorn.Imap.Session;
using Posthorn.Imap.Wire;

namespace Posthorn.Imap.Commands;

/// <summary>CHECK: what it asks for is done all the time; else a NOOP (RFC 3501 section 6.4.1).</summary>
internal sealed record Check : IImapCommand<Check>
{
    public static Check Parse(ref ImapReader args)
    {
        args.End();
        return new();
    }

    public ValueTask<Completion> RunAsync(ImapSession session, Numbering by, CancellationToken cancel) => new(Completion.Ok("Checked"));
}
