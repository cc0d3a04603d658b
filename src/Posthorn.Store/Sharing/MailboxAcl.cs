using System.Collections.Immutable;
using Posthorn.Core;

namespace Posthorn.Store.Sharing;

/// <summary>One entry of an access control list: whom it is about (an address, <c>anyone</c>, or either behind a <c>-</c>, which takes rights away), and the rights.</summary>
public readonly record struct AclEntry(string Identifier, MailboxRights Rights);

/// <summary>Who may do what with a mailbox (RFC 4314). Immutable. Without entries it is its owner's alone.</summary>
public sealed class MailboxAcl
{
    /// <summary>Everybody who has logged in.</summary>
    public const string Anyone = "anyone";

    /// <summary>What an owner always keeps, so that nobody locks himself out.</summary>
    public const MailboxRights OwnersMinimum = MailboxRights.Lookup | MailboxRights.Administer;

    /// <summary>Each of these lets somebody know that the mailbox is there: he may ask what his rights are (RFC 4314 section 4, MYRIGHTS).</summary>
    public const MailboxRights ToKnow =
        MailboxRights.Lookup | MailboxRights.Read | MailboxRights.Insert | MailboxRights.Create | MailboxRights.Delete | MailboxRights.Administer;

    private MailboxAcl(ImmutableArray<AclEntry> entries) => Entries = entries;

    public static MailboxAcl Empty { get; } = new([]);

    /// <summary>In order of identifier.</summary>
    public ImmutableArray<AclEntry> Entries { get; }

    public static MailboxAcl Of(IEnumerable<AclEntry> entries)
    {
        ImmutableArray<AclEntry> sorted = [.. entries.OrderBy(entry => entry.Identifier, StringComparer.Ordinal)];
        return sorted.Length == 0 ? Empty : new(sorted);
    }

    /// <summary>With one entry set, or without it.</summary>
    public MailboxAcl With(string identifier, MailboxRights? rights)
    {
        IEnumerable<AclEntry> others = Entries.Where(entry => entry.Identifier != identifier);
        return Of(rights is { } granted ? others.Append(new(identifier, granted)) : others);
    }

    /// <summary>The rights of an entry; null when there is none.</summary>
    public MailboxRights? Find(string identifier)
    {
        foreach (AclEntry entry in Entries)
            if (entry.Identifier == identifier) return entry.Rights;
        return null;
    }

    /// <summary>What a user may do: the union of what is given to him and to anyone, less what is taken from him and from anyone. An owner without an entry has all.</summary>
    public MailboxRights RightsOf(EmailAddress user, EmailAddress owner)
    {
        bool owns = user == owner;
        if (Entries.IsEmpty) return owns ? MailboxRights.All : MailboxRights.None;
        string name = IdentifierOf(user);
        MailboxRights given = owns && Find(name) is null ? MailboxRights.All : MailboxRights.None, taken = MailboxRights.None;
        foreach (AclEntry entry in Entries)
        {
            if (entry.Identifier == name || entry.Identifier == Anyone) given |= entry.Rights;
            else if (entry.Identifier[0] == '-' && (entry.Identifier.AsSpan(1).SequenceEqual(name) || entry.Identifier.AsSpan(1).SequenceEqual(Anyone))) taken |= entry.Rights;
        }

        return given & ~taken | (owns ? OwnersMinimum : MailboxRights.None);
    }

    /// <summary>How an account is named in lists.</summary>
    public static string IdentifierOf(EmailAddress user) => user.ToString().ToLowerInvariant();
}
