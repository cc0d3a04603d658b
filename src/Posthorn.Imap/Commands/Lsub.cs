using Posthorn.Imap.Session;
using Posthorn.Imap.Wire;

namespace Posthorn.Imap.Commands;

/// <summary>LSUB: the subscribed names (RFC 3501 section 6.3.9). The attributes are those of LIST, which Thunderbird and Outlook look for (traps 35 and 37).</summary>
/// <remarks><c>lsub = "LSUB" SP mailbox SP list-mailbox</c></remarks>
internal sealed record Lsub(string Pattern) : IImapCommand<Lsub>
{
    public static Lsub Parse(ref ImapReader args)
    {
        args.Space();
        bool fits = args.TryDecodeName(args.AString(), out string reference);
        args.Space();
        fits &= MailboxPattern.TryParse(ref args, out string pattern);
        args.End();
        return new(fits ? reference + pattern : "");
    }

    public async ValueTask<Completion> RunAsync(ImapSession session, Numbering by, CancellationToken cancel)
    {
        MailboxTree tree = new(await session.Store.ListAsync(cancel), session.Store.Separator);
        MailboxPattern pattern = new(Pattern, session.Store.Separator);
        foreach (MailboxNode node in tree.Nodes)
        {
            // With % a name above a subscribed one is told too, marked \Noselect (RFC 3501 section 6.3.9). To clients this mark means "not subscribed":
            // a subscribed name goes without it, there or not.
            bool above = !node.IsSubscribed && node.HasSubscribedBelow && Pattern.Contains('%', StringComparison.Ordinal);
            if (!node.IsSubscribed && !above || !pattern.Matches(node.Name)) continue;
            MailboxTree.WriteLine(session, "LSUB ("u8, node, above ? "\\Noselect "u8 : [], subscribed: false);
            session.Out.End();
            await session.FlushIfLargeAsync(cancel);
        }
        return Completion.Ok("Listed");
    }
}
