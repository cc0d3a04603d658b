using Posthorn.Imap.Commands;
using Posthorn.Core;
using Posthorn.Imap.Wire;
using Posthorn.Store;

namespace Posthorn.Imap.Session;

/// <summary>One name in the tree of mailboxes; without info only names below it exist.</summary>
internal sealed class MailboxNode(string name)
{
    public string Name => name;
    public MailboxInfo? Info { get; set; }
    public bool Exists => Info?.Id is not null;
    public bool IsSubscribed => Info?.IsSubscribed == true;
    public SpecialUse Use => Info?.Use ?? SpecialUse.None;

    /// <summary>Mailboxes that exist stand below it.</summary>
    public bool HasChildren { get; set; }

    public bool HasSubscribedBelow { get; set; }
}

/// <summary>All mailboxes of an account with the levels above them, as LIST and LSUB tell them.</summary>
internal sealed class MailboxTree
{
    private readonly Dictionary<string, MailboxNode> _byName = new(StringComparer.Ordinal);

    public MailboxTree(IReadOnlyList<MailboxInfo> mailboxes, char separator)
    {
        foreach (MailboxInfo info in mailboxes)
        {
            string name = info.Name.Value;
            Get(name).Info = info;
            for (int at = name.LastIndexOf(separator); at > 0; at = name.LastIndexOf(separator, at - 1))
            {
                MailboxNode parent = Get(name[..at]);
                if (info.Id is not null) parent.HasChildren = true;
                if (info.IsSubscribed) parent.HasSubscribedBelow = true;
            }
        }
        Nodes = [.. _byName.Values.OrderBy(node => node.Name != "INBOX").ThenBy(node => node.Name, StringComparer.Ordinal)];
    }

    /// <summary>INBOX first, then by name.</summary>
    public IReadOnlyList<MailboxNode> Nodes { get; }

    /// <summary>A level by its name; null when neither it nor anything below it is there.</summary>
    public MailboxNode? Find(string name) => _byName.GetValueOrDefault(name);

    /// <summary>Writes a line up to its name; the caller ends it. <paramref name="absence"/> is what says that it cannot be selected, with a space after.</summary>
    public static void WriteLine(ImapSession session, ReadOnlySpan<byte> start, MailboxNode node, ReadOnlySpan<byte> absence, bool subscribed)
    {
        ImapOutput output = session.Out;
        output.Begin(start);
        output.Raw(absence);
        output.Raw(node.HasChildren ? "\\HasChildren"u8 : "\\HasNoChildren"u8);
        if (subscribed) output.Raw(" \\Subscribed"u8);
        if (node.Use != SpecialUse.None)
        {
            output.Raw(" "u8);
            output.Raw(SpecialUses.Name(node.Use));
        }
        output.Raw(") "u8);
        output.String(session.Store.Separator.ToString());
        output.Raw(" "u8);
        output.Mailbox(node.Name);
    }

    /// <summary>Tells a client that has written a name in another form which one it is (RFC 9051 section 6.3.9.7). IMAP4rev1 has no such word.</summary>
    public static ValueTask TellOldNameAsync(ImapSession session, GivenName given, CancellationToken cancel) =>
        session.Mode.Rev2 && given.IsOther ? TellNameAsync(session, given, cancel) : ValueTask.CompletedTask;

    /// <summary>One LIST response for a name, with what the client wrote for it where that is another (RFC 9051 section 6.3.2).</summary>
    public static async ValueTask TellNameAsync(ImapSession session, GivenName given, CancellationToken cancel)
    {
        string below = given.Name.Value + session.Store.Separator;
        MailboxNode node = new(given.Name.Value);
        foreach (MailboxInfo info in await session.Store.ListAsync(cancel))
        {
            if (info.Name == given.Name) node.Info = info;
            else if (info.Id is not null && !node.HasChildren) node.HasChildren = info.Name.Value.StartsWith(below, StringComparison.Ordinal);
        }

        WriteLine(session, "LIST ("u8, node, node.Exists ? [] : "\\NonExistent "u8, subscribed: false);
        if (given.IsOther) WriteOldName(session.Out, given.Text);
        session.Out.End();
    }

    /// <summary>The extended data item behind a name in a LIST response (RFC 9051 section 6.3.9.7, RFC 5465 section 5.4).</summary>
    public static void WriteOldName(ImapOutput output, string name)
    {
        output.Raw(" (\"OLDNAME\" ("u8);
        output.Mailbox(name);
        output.Raw("))"u8);
    }

    private MailboxNode Get(string name)
    {
        if (!_byName.TryGetValue(name, out MailboxNode? node)) _byName[name] = node = new(name);
        return node;
    }
}

/// <summary>A LIST pattern: <c>*</c> is anything, <c>%</c> anything within a level (RFC 9051 section 6.3.9). INBOX fits in any case.</summary>
internal sealed class MailboxPattern(string text, char separator)
{
    // Names are kept so (RFC 9051 section 5.1), and a pattern in another form means the same.
    private readonly string _pattern = text.IsNormalized() ? text : text.Normalize();

    /// <summary>Reads one; false for a pattern that no name can fit or that would be too dear, which is passed over (RFC 9051 section 6.3.9).</summary>
    public static bool TryParse(ref ImapReader args, out string text) =>
        args.TryDecodeName(args.ListPattern(), out text) && !text.Contains('\uFFFE', StringComparison.Ordinal) && text.Count(c => c is '*' or '%') <= args.Dialect.Limits.MaxWildcards;

    public bool Matches(string name)
    {
        bool inbox = name.StartsWith("INBOX", StringComparison.Ordinal) && (name.Length == 5 || name[5] == separator);
        int p = 0, n = 0;
        // Where to go on when the rest does not fit: the last * swallows one more, or the last % behind it does.
        int star = -1, starName = 0, percent = -1, percentName = 0;
        while (n < name.Length || p < _pattern.Length)
        {
            if (p < _pattern.Length && _pattern[p] == '*')
            {
                (star, starName, percent) = (++p, n, -1);
                continue;
            }
            if (p < _pattern.Length && _pattern[p] == '%')
            {
                (percent, percentName) = (++p, n);
                continue;
            }
            if (n < name.Length && p < _pattern.Length && Same(_pattern[p], name[n], inbox && n < 5))
            {
                p++;
                n++;
                continue;
            }
            if (percent >= 0 && percentName < name.Length && name[percentName] != separator) (p, n) = (percent, ++percentName);
            else if (star >= 0 && starName < name.Length) (p, n, percent) = (star, ++starName, -1);
            else return false;
        }
        return true;
    }

    private static bool Same(char pattern, char name, bool anyCase) => pattern == name || anyCase && char.ToUpperInvariant(pattern) == name;
}
