using Posthorn.Core;

namespace Posthorn.Store.Sharing;

/// <summary>Where users find mailboxes that are not their own (RFC 2342).</summary>
public sealed record SharingOptions
{
    /// <summary>The first level of other users' mailboxes, such as <c>Other Users/bob@example.org/INBOX</c>; null for no such place.</summary>
    public string? OtherUsers { get; init; } = "Other Users";

    /// <summary>The first level of mailboxes that belong to nobody.</summary>
    public string Public { get; init; } = "Public";

    /// <summary>The account whose mailboxes those are; null for none.</summary>
    public EmailAddress? PublicAccount { get; init; }

    /// <summary>Nothing but one's own.</summary>
    public static SharingOptions None { get; } = new() { OtherUsers = null };
}
