using Posthorn.Core;
using Posthorn.Imap.Session;
using Posthorn.Imap.Wire;
using Posthorn.Store;
using Posthorn.Store.Sharing;

namespace Posthorn.Imap.Commands;

/// <summary>LIST, plain and extended (RFC 9051 section 6.3.9, RFC 5258, RFC 5819, RFC 6154, RFC 8440, RFC 9590).</summary>
/// <remarks><c>list = "LIST" [SP list-select-opts] SP mailbox SP mbox-or-pat [SP list-return-opts]</c></remarks>
internal sealed record List(ListSelection Selection, string Reference, IReadOnlyList<string> Patterns, ListReturns Returns, StatusItems StatusItems, IReadOnlyList<string> Metadata) : IImapCommand<List>
{
    public static List Parse(ref ImapReader args)
    {
        args.Space();
        ListSelection selection = ListSelection.None;
        bool selects = args.Next == '(';
        if (selects)
        {
            selection = ParseSelection(ref args);
            args.Space();
        }
        bool isName = args.TryDecodeName(args.AString(), out string reference);
        args.Space();
        List<string> patterns = ParsePatterns(ref args, out bool extended);
        if (!isName) patterns.Clear();
        ListReturns returns = extended || selects ? ListReturns.Extended : ListReturns.None;
        StatusItems status = StatusItems.None;
        List<string> metadata = [];
        if (args.TrySpace()) returns |= ParseReturns(ref args, ref status, metadata);
        args.End();
        return new(selection, reference, patterns, returns, status, metadata);
    }

    public async ValueTask<Completion> RunAsync(ImapSession session, Numbering by, CancellationToken cancel)
    {
        // An empty pattern asks for the separator alone (RFC 9051 section 6.3.9); iOS stops without an answer (trap 28). In an extended LIST it fits nothing.
        if (Patterns is [""] && Returns == ListReturns.None)
        {
            session.Out.Begin("LIST (\\Noselect) "u8);
            session.Out.String(session.Store.Separator.ToString());
            session.Out.Raw(" \"\""u8);
            session.Out.End();
            return Completion.Ok("Listed");
        }
        if (StatusItems.HasFlag(StatusItems.HighestModSeq)) session.EnableCondstore();
        MailboxTree tree = new(await session.Store.ListAsync(cancel), session.Store.Separator);
        List<MailboxPattern> patterns = [.. Patterns.Where(pattern => pattern.Length > 0).Select(pattern => new MailboxPattern(Reference + pattern, session.Store.Separator))];
        HashSet<MailboxNode> fitting = [.. tree.Nodes.Where(node => patterns.Exists(pattern => pattern.Matches(node.Name)))];
        HashSet<string> above = LevelsAbove(tree, fitting, session.Store.Separator);
        foreach (MailboxNode node in tree.Nodes)
        {
            if (!fitting.Contains(node) || !IsWanted(node, above.Contains(node.Name), out bool childInfo)) continue;
            Write(session, node, childInfo);
            // What is told only for the sake of others below it has no further answers (RFC 5819 section 2, RFC 8440 section 4).
            if (node.Exists && IsSelected(node)) await WriteMoreAsync(session, node.Info!, cancel);
            await session.FlushIfLargeAsync(cancel);
        }
        return Completion.Ok("Listed");
    }

    private async ValueTask WriteMoreAsync(ImapSession session, MailboxInfo info, CancellationToken cancel)
    {
        if (StatusItems != StatusItems.None)
        {
            Result<MailboxStatus> status = await session.Store.StatusAsync(info.Name, cancel);
            if (status.IsOk) Commands.Status.Write(session, status.Value, StatusItems);
        }

        if ((Returns & ListReturns.MyRights) != 0) MyRights.Write(session, info.Name.Value, info.Rights);
        if (Metadata.Count > 0 && MetadataEntry.IsOpenTo(info)) await WriteMetadataAsync(session, info, cancel);
    }

    private async ValueTask WriteMetadataAsync(ImapSession session, MailboxInfo info, CancellationToken cancel)
    {
        SortedDictionary<string, ReadOnlyMemory<byte>> visible = await MetadataEntry.VisibleAsync(session, info, cancel);
        MetadataEntry.Write(session, info.Name.Value, [.. Metadata.Select(entry => (entry, visible.TryGetValue(entry, out ReadOnlyMemory<byte> value) ? value : (ReadOnlyMemory<byte>?)null))]);
    }

    // A level that is no mailbox, and CHILDINFO, are told only for what the client does not hear of anyway (RFC 9051 section 6.3.9.6).
    private bool IsWanted(MailboxNode node, bool isAbove, out bool childInfo)
    {
        bool recursive = (Selection & ListSelection.RecursiveMatch) != 0;
        childInfo = recursive && isAbove;
        return IsSelected(node) || isAbove && (recursive || (Selection & ListSelection.Criteria) == ListSelection.None);
    }

    private bool IsSelected(MailboxNode node) =>
        ((Selection & ListSelection.SpecialUse) == 0 || node.Use != SpecialUse.None) && ((Selection & ListSelection.Subscribed) != 0 ? node.IsSubscribed : node.Exists);

    /// <summary>The levels above mailboxes that are selected but do not fit the patterns.</summary>
    private HashSet<string> LevelsAbove(MailboxTree tree, HashSet<MailboxNode> fitting, char separator)
    {
        HashSet<string> above = new(StringComparer.Ordinal);
        foreach (MailboxNode node in tree.Nodes)
        {
            if (fitting.Contains(node) || !IsSelected(node)) continue;
            for (int at = node.Name.LastIndexOf(separator); at > 0 && above.Add(node.Name[..at]); at = node.Name.LastIndexOf(separator, at - 1)) { }
        }

        return above;
    }

    private void Write(ImapSession session, MailboxNode node, bool childInfo)
    {
        bool subscribed = node.IsSubscribed && ((Selection & ListSelection.Subscribed) != 0 || (Returns & ListReturns.Subscribed) != 0);
        // Old clients know \Noselect only, which \NonExistent implies for those who send extended LIST (RFC 5258 section 3.4) and for IMAP4rev2 (RFC 9051 section 7.3.1).
        // With STATUS a mailbox that may be listed and not read is marked, since nothing follows of it (RFC 5819 section 2).
        bool unreadable = StatusItems != StatusItems.None && node.Info?.Rights.HasFlag(MailboxRights.Read) == false;
        MailboxTree.WriteLine(session, "LIST ("u8, node, !node.Exists ? (session.Mode.Rev2 || Returns != ListReturns.None ? "\\NonExistent "u8 : "\\NonExistent \\Noselect "u8) : unreadable ? "\\Noselect "u8 : [], subscribed);
        if (childInfo)
        {
            string[] criteria = [.. new[] { (ListSelection.Subscribed, "\"SUBSCRIBED\""), (ListSelection.SpecialUse, "\"SPECIAL-USE\"") }.Where(each => (Selection & each.Item1) != 0).Select(each => each.Item2)];
            session.Out.Raw($" (\"CHILDINFO\" ({string.Join(' ', criteria)}))");
        }

        session.Out.End();
    }

    private static ListSelection ParseSelection(ref ImapReader args)
    {
        ListSelection selection = ListSelection.None;
        args.Take((byte)'(');
        if (args.TryTake((byte)')')) return ListSelection.None;
        do
        {
            if (args.TryWord("SUBSCRIBED"u8)) selection |= ListSelection.Subscribed;
            else if (args.TryWord("REMOTE"u8)) selection |= ListSelection.Remote;
            else if (args.TryWord("RECURSIVEMATCH"u8)) selection |= ListSelection.RecursiveMatch;
            else if (args.TryWord("SPECIAL-USE"u8)) selection |= ListSelection.SpecialUse;
            else args.Fail("a list selection option");
        }
        while (args.TrySpace());
        // RFC 5258 section 3: RECURSIVEMATCH says nothing on its own or with REMOTE alone.
        if ((selection & ListSelection.RecursiveMatch) != 0 && (selection & ListSelection.Criteria) == 0) args.Fail("RECURSIVEMATCH with SUBSCRIBED");
        args.Take((byte)')');
        return selection;
    }

    private static List<string> ParsePatterns(ref ImapReader args, out bool extended)
    {
        List<string> patterns = [];
        int count = 0;
        extended = args.TryTake((byte)'(');
        do
        {
            if (MailboxPattern.TryParse(ref args, out string pattern)) patterns.Add(pattern);
            if (++count > args.Dialect.Limits.MaxListPatterns) args.Fail("fewer patterns");
        }
        while (extended && args.TrySpace());
        if (extended) args.Take((byte)')');
        return patterns;
    }

    private static ListReturns ParseReturns(ref ImapReader args, ref StatusItems status, List<string> metadata)
    {
        ListReturns returns = ListReturns.Extended;
        if (!args.TryWord("RETURN"u8)) args.Fail("RETURN");
        args.Space();
        args.Take((byte)'(');
        if (args.TryTake((byte)')')) return returns;
        do
        {
            if (args.TryWord("SUBSCRIBED"u8)) returns |= ListReturns.Subscribed;
            else if (args.TryWord("CHILDREN"u8) || args.TryWord("SPECIAL-USE"u8)) { } // told in any case
            else if (args.TryWord("STATUS"u8))
            {
                args.Space();
                status |= Commands.Status.ParseItems(ref args);
            }
            else if (args.TryWord("MYRIGHTS"u8)) returns |= ListReturns.MyRights;
            else if (args.TryWord("METADATA"u8))
            {
                args.Space();
                if (args.Next != '(') args.Fail("'('");
                metadata.AddRange(MetadataEntry.ParseList(ref args, root: false));
            }
            else args.Fail("a list return option");
        }
        while (args.TrySpace());
        args.Take((byte)')');
        return returns;
    }
}

/// <summary>Which mailboxes LIST tells.</summary>
[Flags]
internal enum ListSelection
{
    None = 0,
    Subscribed = 1,
    Remote = 2,
    RecursiveMatch = 4,
    SpecialUse = 8,

    /// <summary>Those that say something of a mailbox itself.</summary>
    Criteria = Subscribed | SpecialUse,
}

/// <summary>What LIST tells of them.</summary>
[Flags]
internal enum ListReturns
{
    None = 0,
    Extended = 1,
    Subscribed = 2,
    MyRights = 4,
}
