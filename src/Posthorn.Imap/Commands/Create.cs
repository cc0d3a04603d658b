using Posthorn.Core;
using Posthorn.Imap.Session;
using Posthorn.Imap.Wire;

namespace Posthorn.Imap.Commands;

/// <summary>CREATE, with a role if one is given (RFC 9051 section 6.3.4, RFC 6154 section 3).</summary>
/// <remarks><c>create = "CREATE" SP mailbox [SP "(" "USE" SP "(" [use-attr *(SP use-attr)] ")" ")"]</c></remarks>
internal sealed record Create(GivenName Name, SpecialUse Use) : IImapCommand<Create>, IChangesNames
{
    public IReadOnlyList<MailboxName> Names => [Name.Name];

    public static Create Parse(ref ImapReader args)
    {
        args.Space();
        GivenName name = args.NewMailbox();
        SpecialUse use = SpecialUse.None;
        if (args.TrySpace())
        {
            args.Take((byte)'(');
            if (!args.TryWord("USE"u8)) args.Fail("USE");
            args.Space();
            args.Take((byte)'(');
            if (args.Next != ')') use = Role(ref args);
            args.Take((byte)')');
            args.Take((byte)')');
        }
        args.End();
        return new(name, use);
    }

    public async ValueTask<Completion> RunAsync(ImapSession session, Numbering by, CancellationToken cancel)
    {
        Result<Posthorn.Store.MailboxInfo> made = await session.Store.CreateAsync(Name.Name, Use, cancel);
        if (!made.IsOk) return Completion.From(made.Refusal);
        await MailboxTree.TellOldNameAsync(session, Name, cancel);
        return Completion.Ok($"MAILBOXID ({made.Value.Id})", "Created");
    }

    private static SpecialUse Role(ref ImapReader args)
    {
        args.Take((byte)'\\');
        SpecialUse use = SpecialUses.Find(args.Atom());
        // One role for each mailbox; \All and \Flagged are views, which this store does not make.
        if (!args.Failed && use is SpecialUse.None or SpecialUse.All or SpecialUse.Flagged) args.Refuse(Completion.No("USEATTR", "A mailbox cannot have this role here"));
        if (args.Next == ' ') args.Refuse(Completion.No("USEATTR", "A mailbox has one role here"));
        while (args.TrySpace())
        {
            args.Take((byte)'\\');
            args.Atom();
        }
        return use;
    }
}

/// <summary>The names of roles on the wire (RFC 6154 section 2, RFC 8457).</summary>
internal static class SpecialUses
{
    public static string Name(SpecialUse use) => use switch
    {
        SpecialUse.All => "\\All",
        SpecialUse.Archive => "\\Archive",
        SpecialUse.Drafts => "\\Drafts",
        SpecialUse.Flagged => "\\Flagged",
        SpecialUse.Junk => "\\Junk",
        SpecialUse.Sent => "\\Sent",
        SpecialUse.Trash => "\\Trash",
        SpecialUse.Important => "\\Important",
        _ => "",
    };

    public static SpecialUse Find(ReadOnlySpan<byte> name)
    {
        for (SpecialUse use = SpecialUse.All; use <= SpecialUse.Important; use++)
            if (System.Text.Ascii.EqualsIgnoreCase(name, Name(use).AsSpan(1))) return use;
        return SpecialUse.None;
    }
}
