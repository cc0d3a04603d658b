using Posthorn.Core;
using Posthorn.Imap.Session;
using Posthorn.Imap.Wire;
using Posthorn.Store;

namespace Posthorn.Imap.Commands;

/// <summary>GETMETADATA: annotations of a mailbox, or of the server when the name is empty (RFC 5464 section 4.2).</summary>
/// <remarks>
/// <c>getmetadata = "GETMETADATA" [SP getmetadata-options] SP mailbox SP entries</c>. The RFC's examples put the options behind the mailbox, and entries without parentheses one behind the other:
/// both are read.
/// </remarks>
internal sealed record GetMetadata(MailboxName? Mailbox, IReadOnlyList<string> Entries, uint? MaxSize, int Depth) : IImapCommand<GetMetadata>
{
    public static GetMetadata Parse(ref ImapReader args)
    {
        uint? maxSize = null;
        int depth = 0;
        args.Space();
        if (args.Next == '(')
        {
            ParseOptions(ref args, ref maxSize, ref depth);
            args.Space();
        }

        MailboxName? mailbox = MailboxOrServer(ref args);
        args.Space();
        if (args.Next == '(' && args.Second is not ((byte)'/' or (byte)'"' or (byte)'{'))
        {
            ParseOptions(ref args, ref maxSize, ref depth);
            args.Space();
        }

        List<string> entries = MetadataEntry.ParseList(ref args, root: depth > 0);
        args.End();
        return new(mailbox, entries, maxSize, depth);
    }

    /// <summary>A mailbox's name; null for the empty one, which is the server.</summary>
    public static MailboxName? MailboxOrServer(ref ImapReader args)
    {
        string text = args.MailboxText();
        return text.Length == 0 ? null : args.ToMailbox(text);
    }

    public async ValueTask<Completion> RunAsync(ImapSession session, Numbering by, CancellationToken cancel)
    {
        MailboxInfo? info = Mailbox is { } name ? await session.Store.FindAsync(name, cancel) : null;
        if (Mailbox is not null && info is null) return Completion.From(new(RefusalKind.NoSuchMailbox, "No such mailbox"));
        if (info is not null && !MetadataEntry.IsOpenTo(info)) return Completion.No("NOPERM", "You have not the rights for annotations of this mailbox");
        SortedDictionary<string, ReadOnlyMemory<byte>> visible = await MetadataEntry.VisibleAsync(session, info, cancel);
        List<(string, ReadOnlyMemory<byte>?)> told = [];
        long longest = 0;
        HashSet<string> seen = [];
        foreach (string entry in Entries)
        {
            bool found = false;
            foreach ((string at, ReadOnlyMemory<byte> value) in visible)
            {
                if (!IsWithin(at, entry)) continue;
                found = true;
                if (!seen.Add(at)) continue;
                if (value.Length > MaxSize) longest = Math.Max(longest, value.Length);
                else told.Add((at, value));
            }

            if (!found && seen.Add(entry)) told.Add((entry, null));
        }

        if (told.Count > 0) MetadataEntry.Write(session, Mailbox?.Value ?? "", told);
        return longest > 0 ? Completion.Ok($"METADATA LONGENTRIES {longest}", "Told, but for those that are too long") : Completion.Ok("Metadata told");
    }

    private bool IsWithin(string at, string entry)
    {
        if (at == entry) return true;
        if (Depth == 0 || at.Length <= entry.Length || at[entry.Length] != '/' || !at.StartsWith(entry, StringComparison.Ordinal)) return false;
        return Depth > 1 || at.IndexOf('/', entry.Length + 1) < 0;
    }

    private static void ParseOptions(ref ImapReader args, ref uint? maxSize, ref int depth)
    {
        args.Take((byte)'(');
        do
        {
            if (args.TryWord("MAXSIZE"u8))
            {
                args.Space();
                maxSize = args.Number();
            }
            else if (args.TryWord("DEPTH"u8))
            {
                args.Space();
                depth = args.TryWord("infinity"u8) ? int.MaxValue : args.TryTake((byte)'1') ? 1 : 0;
                if (depth == 0) args.Take((byte)'0');
            }
            else args.Fail("MAXSIZE or DEPTH");
        }
        while (args.TrySpace());
        args.Take((byte)')');
    }
}
