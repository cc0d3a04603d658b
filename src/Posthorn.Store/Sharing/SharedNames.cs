using System.Diagnostics.CodeAnalysis;
using Posthorn.Core;

namespace Posthorn.Store.Sharing;

/// <summary>The names of other accounts' mailboxes, as one user sees them.</summary>
internal sealed class SharedNames(SharingOptions options, char separator)
{
    /// <summary>Stands for the separator within an address: mailbox names on servers whose separator is a dot.</summary>
    private const char Substitute = '^';

    /// <summary>Takes a name apart; false when it is the user's own.</summary>
    internal bool TryParse(MailboxName name, out EmailAddress owner, out MailboxName local)
    {
        (owner, local) = (default, default);
        string text = name.Value;
        if (options.PublicAccount is { } account && TryRest(text, options.Public, out string? rest))
        {
            owner = account;
            return MailboxName.TryCreate(rest, separator, out local);
        }

        if (options.OtherUsers is null || !TryRest(text, options.OtherUsers, out string? others)) return false;
        int at = others.IndexOf(separator, StringComparison.Ordinal);
        return at > 0 && EmailAddress.TryParse(others[..at].Replace(Substitute, separator), out owner) && MailboxName.TryCreate(others[(at + 1)..], separator, out local);
    }

    /// <summary>Whether a name lies where others' mailboxes are.</summary>
    internal bool IsForeign(MailboxName name) =>
        options.OtherUsers is { } users && (name.Value == users || TryRest(name.Value, users, out _))
        || options.PublicAccount is not null && (name.Value == options.Public || TryRest(name.Value, options.Public, out _));

    /// <summary>The name under which a mailbox of another account is seen; false when it would be too long, or nowhere.</summary>
    internal bool TryName(EmailAddress owner, MailboxName local, out MailboxName name)
    {
        name = default;
        string? place = owner == options.PublicAccount ? options.Public
            : options.OtherUsers is { } users ? $"{users}{separator}{owner.ToString().Replace(separator, Substitute)}" : null;
        return place is not null && MailboxName.TryCreate($"{place}{separator}{local.Value}", separator, out name);
    }

    private bool TryRest(string text, string place, [NotNullWhen(true)] out string? rest)
    {
        rest = text.Length > place.Length + 1 && text[place.Length] == separator && text.StartsWith(place, StringComparison.Ordinal) ? text[(place.Length + 1)..] : null;
        return rest is not null;
    }
}
