using Posthorn.Core;

namespace Posthorn.Sieve.Testsuite;

/// <summary>The mail store and the outgoing mail of one test file, in memory.</summary>
internal sealed class TestStore
{
    private readonly Dictionary<MailboxName, List<ReadOnlyMemory<byte>>> _mailboxes = new() { [MailboxName.Inbox] = [] };
    private readonly Dictionary<(MailboxName?, string), string> _metadata = [];

    public List<SieveMail> Sent { get; } = [];

    public bool Exists(MailboxName mailbox) => _mailboxes.ContainsKey(mailbox);

    public void Create(MailboxName mailbox) => _mailboxes.TryAdd(mailbox, []);

    public void Delete(MailboxName mailbox) => _mailboxes.Remove(mailbox);

    public bool TryStore(SieveTarget target, ReadOnlyMemory<byte> octets)
    {
        if (target.Create) Create(target.Mailbox);
        if (!_mailboxes.TryGetValue(target.Mailbox, out List<ReadOnlyMemory<byte>>? messages)) return false;
        messages.Add(octets);
        return true;
    }

    public IReadOnlyList<ReadOnlyMemory<byte>>? Messages(MailboxName mailbox) => _mailboxes.GetValueOrDefault(mailbox);

    public void SetMetadata(MailboxName? mailbox, string entry, string value) => _metadata[(mailbox, entry.ToLowerInvariant())] = value;

    public string? Metadata(MailboxName? mailbox, string entry) => _metadata.GetValueOrDefault((mailbox, entry));
}
