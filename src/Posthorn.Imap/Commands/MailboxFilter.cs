using Posthorn.Core;
using Posthorn.Imap.Wire;
using Posthorn.Store;

namespace Posthorn.Imap.Commands;

/// <summary>Which mailboxes NOTIFY watches and ESEARCH searches.</summary>
internal enum FilterKind
{
    /// <summary>The selected one.</summary>
    Selected,

    /// <summary>The selected one, whose expunges are told when a command allows it.</summary>
    SelectedDelayed,

    /// <summary>All of one's own.</summary>
    Personal,

    /// <summary>All that are subscribed.</summary>
    Subscribed,

    /// <summary>Named ones with all below them.</summary>
    Subtree,

    /// <summary>Named ones with those just below them (RFC 7377).</summary>
    SubtreeOne,

    /// <summary>Named ones.</summary>
    Mailboxes,
}

/// <summary>One mailbox specifier (RFC 5465 section 6, RFC 7377 section 2.2).</summary>
/// <remarks><c>filter-mailboxes = "selected" / "selected-delayed" / "inboxes" / "personal" / "subscribed" / ( "subtree" SP one-or-more-mailbox ) / ( "mailboxes" SP one-or-more-mailbox )</c></remarks>
internal sealed record MailboxFilter(FilterKind Kind, IReadOnlyList<MailboxName> Names)
{
    private const int MaxNames = 1000; // more than that many mailboxes are told with personal or subtree

    public bool IsOfSelected => Kind is FilterKind.Selected or FilterKind.SelectedDelayed;

    public static MailboxFilter Parse(ref ImapReader args, bool forSearch)
    {
        if (args.TryWord("selected"u8)) return new(FilterKind.Selected, []);
        if (!forSearch && args.TryWord("selected-delayed"u8)) return new(FilterKind.SelectedDelayed, []);
        // Scripts may deliver anywhere: where inboxes cannot be told from the rest, they are all of one's own (RFC 5465 section 6.3).
        if (args.TryWord("personal"u8) || args.TryWord("inboxes"u8)) return new(FilterKind.Personal, []);
        if (args.TryWord("subscribed"u8)) return new(FilterKind.Subscribed, []);
        if (args.TryWord("subtree"u8)) return new(FilterKind.Subtree, ParseNames(ref args));
        if (forSearch && args.TryWord("subtree-one"u8)) return new(FilterKind.SubtreeOne, ParseNames(ref args));
        if (args.TryWord("mailboxes"u8)) return new(FilterKind.Mailboxes, ParseNames(ref args));
        args.Fail("which mailboxes");
        return new(FilterKind.Selected, []);
    }

    /// <summary>Whether it names a mailbox; the selected one is its caller's to know.</summary>
    public bool Matches(MailboxInfo info, char separator) => Kind switch
    {
        FilterKind.Personal => info.Owner is null,
        FilterKind.Subscribed => info.IsSubscribed,
        FilterKind.Mailboxes => Names.Contains(info.Name),
        FilterKind.Subtree => Names.Any(name => info.Name == name || info.Name.Value.StartsWith(name.Value + separator, StringComparison.Ordinal)),
        FilterKind.SubtreeOne => Names.Any(name => info.Name == name
            || info.Name.Value.StartsWith(name.Value + separator, StringComparison.Ordinal) && info.Name.Value.IndexOf(separator, name.Value.Length + 1) < 0),
        _ => false,
    };

    private static List<MailboxName> ParseNames(ref ImapReader args)
    {
        List<MailboxName> names = [];
        args.Space();
        bool list = args.TryTake((byte)'(');
        do
        {
            // A name that no mailbox can have names none.
            string text = args.MailboxText();
            if (!args.Failed && MailboxName.TryCreate(text, args.Dialect.Separator, out MailboxName name)) names.Add(name);
            if (names.Count > MaxNames) args.Fail("fewer mailboxes");
        }
        while (list && args.TrySpace());
        if (list) args.Take((byte)')');
        return names;
    }
}
