namespace Posthorn.Testing.Stores;

/// <summary>How a <see cref="MemoryMailStores"/> behaves.</summary>
public sealed record MemoryStoreOptions
{
    /// <summary>What parts the levels of mailbox names.</summary>
    public char Separator { get; init; } = '.';

    /// <summary>Whether a new account gets Drafts, Sent, Junk, Trash and Archive beside INBOX.</summary>
    public bool SpecialMailboxes { get; init; } = true;
}
