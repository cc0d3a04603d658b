namespace Posthorn.Core;

/// <summary>One account: who it is and where its mail lies. Equal by address alone.</summary>
public sealed record MailAccount
{
    /// <summary>The account's own address, its name in every log and path.</summary>
    public required EmailAddress Address { get; init; }

    /// <summary>The root of its mail, absolute (for Maildir the folder that holds <c>cur</c>, <c>new</c>, <c>tmp</c>).</summary>
    public required string MailRoot { get; init; }

    /// <summary>How another server lays it out.</summary>
    public MailLayout Layout { get; init; } = MailLayout.Plain;

    /// <summary>The folder for Sieve scripts and the like, absolute (Dovecot's <c>mail_home</c>).</summary>
    public required string Home { get; init; }

    /// <summary>Another account that is configured to have its mail in the same tree, and has it there; null where there is none.</summary>
    public EmailAddress? TreeOf { get; init; }

    /// <summary>The most octets its mail may take; null is no limit.</summary>
    public long? QuotaBytes { get; init; }

    /// <summary>The most messages it may hold; null is no limit.</summary>
    public long? QuotaMessages { get; init; }

    /// <summary>Whether another word on the same account says the same of where its mail lies.</summary>
    public bool LiesWhere(MailAccount other)
    {
        ArgumentNullException.ThrowIfNull(other);
        return MailRoot == other.MailRoot && Home == other.Home && TreeOf == other.TreeOf;
    }

    public bool Equals(MailAccount? other) => other is not null && Address.Equals(other.Address);
    public override int GetHashCode() => Address.GetHashCode();
    public override string ToString() => Address.ToString();
}
