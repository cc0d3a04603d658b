using Posthorn.Core;

namespace Posthorn.Sieve.Testsuite;

/// <summary>The mail store and the outgoing mail of one test file, in memory.</summary>
internal sealed class TestStore
{
    private readonly Dictionary<MailboxName, List<StoredMessage>> _mailboxes = new() { [MailboxName.Inbox] = [] };
    private readonly Dictionary<(MailboxName?, string), string> _metadata = [];

    public List<SieveMail> Sent { get; } = [];

    public bool Exists(MailboxName mailbox) => _mailboxes.ContainsKey(mailbox);

    public void Create(MailboxName mailbox) => _mailboxes.TryAdd(mailbox, []);

    public void Delete(MailboxName mailbox) => _mailboxes.Remove(mailbox);

    /// <summary>Maildir++ folders are named by their paths with dots, so that no level can hold a slash or be empty.</summary>
    public static bool CanBeNamed(MailboxName mailbox) => !mailbox.Value.Contains('/', StringComparison.Ordinal);

    public bool TryStore(SieveTarget target, ReadOnlyMemory<byte> octets)
    {
        if (target.Create) Create(target.Mailbox);
        if (!_mailboxes.TryGetValue(target.Mailbox, out List<StoredMessage>? messages)) return false;
        messages.Add(new(octets, target.Flags));
        return true;
    }

    public IReadOnlyList<StoredMessage>? Messages(MailboxName mailbox) => _mailboxes.GetValueOrDefault(mailbox);

    public void SetMetadata(MailboxName? mailbox, string entry, string value) => _metadata[(mailbox, entry.ToLowerInvariant())] = value;

    public string? Metadata(MailboxName? mailbox, string entry) => _metadata.GetValueOrDefault((mailbox, entry));
}

/// <summary>A message in a mailbox of the test file.</summary>
internal readonly record struct StoredMessage(ReadOnlyMemory<byte> Octets, IReadOnlyList<string> Flags);
