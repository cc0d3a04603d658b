using Posthorn.Imap.Session;
using Posthorn.Imap.Wire;
using Posthorn.Store.Sharing;

namespace Posthorn.Imap.Commands;

/// <summary>NAMESPACE: one's own mailboxes without a prefix, those of others, and those of nobody (RFC 9051 section 6.3.10). Outlook ignores prefixes and iOS wants an empty one (traps 28 and 36).</summary>
internal sealed record NamespaceCommand : IImapCommand<NamespaceCommand>
{
    public static NamespaceCommand Parse(ref ImapReader args)
    {
        args.End();
        return new();
    }

    public ValueTask<Completion> RunAsync(ImapSession session, Numbering by, CancellationToken cancel)
    {
        SharingOptions sharing = session.Options.Sharing;
        char separator = session.Store.Separator;
        session.Out.Begin("NAMESPACE "u8);
        Write(session.Out, "", separator);
        session.Out.Raw(" "u8);
        Write(session.Out, sharing.OtherUsers is { } users ? users + separator : null, separator);
        session.Out.Raw(" "u8);
        Write(session.Out, sharing.PublicAccount is null ? null : sharing.Public + separator, separator);
        session.Out.End();
        return new(Completion.Ok("Namespaces told"));
    }

    private static void Write(ImapOutput output, string? prefix, char separator)
    {
        if (prefix is null)
        {
            output.Raw("NIL"u8);
            return;
        }

        output.Raw("(("u8);
        output.Mailbox(prefix);
        output.Raw(" "u8);
        output.String(separator.ToString());
        output.Raw("))"u8);
    }
}
