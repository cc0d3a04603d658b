using Posthorn.Imap.Session;
using Posthorn.Imap.Wire;

namespace Posthorn.Imap.Commands;

/// <summary>NAMESPACE: one personal namespace with an empty prefix (RFC 9051 section 6.3.10). Outlook ignores other prefixes and iOS wants an empty one (traps 28 and 36).</summary>
internal sealed record NamespaceCommand : IImapCommand<NamespaceCommand>
{
    public static NamespaceCommand Parse(ref ImapReader args)
    {
        args.End();
        return new();
    }

    public ValueTask<Completion> RunAsync(ImapSession session, Numbering by, CancellationToken cancel)
    {
        session.Out.Begin("NAMESPACE ((\"\" "u8);
        session.Out.String(session.Store.Separator.ToString());
        session.Out.Raw(")) NIL NIL"u8);
        session.Out.End();
        return new(Completion.Ok("One namespace"));
    }
}
