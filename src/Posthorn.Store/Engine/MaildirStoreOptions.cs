using Posthorn.Core;
using Posthorn.Mime;

namespace Posthorn.Store.Engine;

/// <summary>How lines end in the files of a Maildir. Clients see CRLF in any case.</summary>
public enum FileLineEndings
{
    /// <summary>As the message was received, which is CRLF: exact to the byte, and quick to serve.</summary>
    Crlf,

    /// <summary>LF, for programs that read the files and expect it. A message that could not be given back as it was (with CR before CRLF) is kept as it was received.</summary>
    Lf,
}

/// <summary>How the Maildir engine works.</summary>
public sealed record MaildirStoreOptions
{
    /// <summary>The directory of the catalogues, <c>DOMAIN/LOCALPART/catalogue.db</c> below it.</summary>
    public required string AccountsDirectory { get; init; }

    /// <summary>
    /// What the configuration says of an account now, or null. Whoever comes with another word on where its mail lies comes with an older one: a delivery that was decided on before
    /// a reload, a record of the journal. Null in a store that believes whoever opens an account.
    /// </summary>
    public Func<EmailAddress, MailAccount?>? Accounts { get; init; }

    /// <summary>Told how many messages of an account were taken into a new catalogue since the last call; null where nobody looks.</summary>
    public Action<EmailAddress, int>? Rebuilding { get; init; }

    /// <summary>What parts the levels of mailbox names as clients see them. On disk it is always the dot of Maildir++.</summary>
    public char Separator { get; init; } = '.';

    /// <summary>The name of this machine in file names; characters that Maildir forbids are replaced.</summary>
    public string HostName { get; init; } = "posthorn";

    /// <summary>The mailboxes that a new account gets beside INBOX, subscribed. Clients look for these names first.</summary>
    public IReadOnlyList<(string Name, SpecialUse Use)> SpecialMailboxes { get; init; } =
        [("Drafts", SpecialUse.Drafts), ("Sent", SpecialUse.Sent), ("Junk", SpecialUse.Junk), ("Trash", SpecialUse.Trash), ("Archive", SpecialUse.Archive)];

    /// <summary>How long new mail that nobody looks at may wait before it is put into catalogue and Maildir, several messages in one step; zero for not at all. The journal has it meanwhile, and whoever looks does not wait. A quarter of a second: a program that reads the Maildir itself hardly notices (docs/adr/0010).</summary>
    public TimeSpan ApplyAfter { get; init; } = TimeSpan.FromMilliseconds(250);

    /// <summary>Records of one account that may wait for that. 64: some milliseconds of work.</summary>
    public int UnappliedOfAccount { get; init; } = 64;

    /// <summary>Records of all accounts that may wait for that; more are applied by those who bring them. 4096: some 3 KiB of memory each.</summary>
    public int Unapplied { get; init; } = 4096;

    /// <summary>Accounts whose catalogues stay open while nobody uses them. 256: some 300 KiB each, and opening one costs a millisecond.</summary>
    public int IdleAccounts { get; init; } = 256;

    /// <summary>How long a catalogue stays open while nobody uses it. 2 minutes: mail for it comes in bursts, and a client that was disconnected comes again.</summary>
    public TimeSpan IdleFor { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>Octets that must be free on a mail volume for new mail to be taken. 64 MiB: room for what was accepted and is not yet written.</summary>
    public long SpaceReserve { get; init; } = 64L << 20;

    /// <summary>Mailboxes of one account at most. 10,000: lists stay quick, and a client in a loop is stopped.</summary>
    public int Mailboxes { get; init; } = 10_000;

    /// <summary>Subscriptions of one account at most. 10,000, as mailboxes: all are held in memory, and the file of them is written anew with each change.</summary>
    public int Subscriptions { get; init; } = 10_000;

    /// <summary>Keywords of one message at most. 100: programs set some five, people's labels are some dozens, and each FETCH of the flags tells all.</summary>
    public int MessageKeywords { get; init; } = 100;

    /// <summary>Octets of all sets of keywords that messages of an account have or had. 16 MiB: a hundred thousand sets of ten words; they are held in memory while the account is open.</summary>
    public long KeywordOctets { get; init; } = 16L << 20;

    /// <summary>Octets of the annotations that one user has set in an account, values and names. 16 MiB: they are in no quota, and notes and colours take some hundred.</summary>
    public long AnnotationOctets { get; init; } = 16L << 20;

    /// <summary>What an account's filter remembers at most, senders answered and messages seen together. 10,000: a week of a busy mailbox, half a MiB.</summary>
    public int FilterNotes { get; init; } = 10_000;

    /// <summary>Files of one account that are taken out of sight behind the answer to EXPUNGE, at the latest after <see cref="TidyAfter"/> and before anybody looks at its files; what is beyond waits for them. Zero for none. 20,000: a third of a second of work for who comes next, and some MiB (docs/adr/0012).</summary>
    public int FilesBehind { get; init; } = 20_000;

    /// <summary>Messages whose file names are mended in one step of the background. 200: some milliseconds under the account's lock.</summary>
    public int NamesAtOnce { get; init; } = 200;

    /// <summary>How long after a change names follow and the second home of the numbers is written.</summary>
    public TimeSpan TidyAfter { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>How long an account must be quiet before its <c>dovecot-uidlist</c> files are written between checkpoints. 10 seconds: writing one of a large mailbox costs as many milliseconds as it has thousands of messages.</summary>
    public TimeSpan HomeAfter { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How long a checkpoint waits for one volume before it goes on without it. A minute: a disk that spins up or retries takes seconds, what takes longer hangs.</summary>
    public TimeSpan VolumePatience { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>How long expunged files are kept for undelete.</summary>
    public TimeSpan KeepExpunged { get; init; } = TimeSpan.FromDays(7);

    /// <summary>Whether what was expunged and is still kept counts against an account's limit.</summary>
    public bool CountExpunged { get; init; }

    /// <summary>A mailbox with more messages is opened without a look at its folder first; the background looks a second later. 20,000: listing so many takes some 100 ms.</summary>
    public int LargeMailbox { get; init; } = 20_000;

    /// <summary>How the lines of new files end. What lies there is read as it is, and every record says how its own files are written, so that this may be changed at any time.</summary>
    public FileLineEndings LineEndings { get; init; }

    /// <summary>
    /// Octets of messages that are in memory as a whole at once, over all sessions: for text searches, and for parts of messages whose structure is not kept. 256 MiB: two of the largest messages that
    /// are taken by default, or a thousand common ones; who comes beyond waits for his turn.
    /// </summary>
    public long WholeMessageOctets { get; init; } = 256L << 20;

    /// <summary>Octets of what SORT and THREAD compare that are kept for all accounts together. 64 MiB: some 80,000 messages that were sorted lately.</summary>
    public long SortKeyMemory { get; init; } = 64L << 20;

    /// <summary>Removals of one mailbox that are remembered for clients that were away (RFC 7162 section 5.1); when there are more, the older half is forgotten, and who was away longer is told of every number that is not there. 100,000: some megabytes of catalogue.</summary>
    public int Tombstones { get; init; } = 100_000;

    /// <summary>Whether words are indexed, for text searches. Without it every search reads all mail.</summary>
    public bool WordIndex { get; init; } = true;

    /// <summary>How long an account must be quiet before new mail is indexed; what is not indexed yet is read when somebody searches. One that is never quiet is indexed at every twelfth such time. 5 seconds: a burst of mail is not disturbed.</summary>
    public TimeSpan IndexAfter { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>The largest index file of Dovecot's that is read. 256 MiB: eight million messages, and no more memory than that for a file that somebody made up.</summary>
    public long DovecotIndex { get; init; } = 256L << 20;

    /// <summary>Which boot of the machine this is: when it differs from the last one and the end was not in order, unsynced writes may be lost.</summary>
    public string BootId { get; init; } = ReadBootId();

    /// <summary>Where new ids come from; a test that is to run the same way again gives its own.</summary>
    internal NewIds Ids { get; init; } = new();

    /// <summary>Bounds for reading messages.</summary>
    public MimeLimits Mime { get; init; } = MimeLimits.Default;

    private static string ReadBootId()
    {
        const string path = "/proc/sys/kernel/random/boot_id";
        return File.Exists(path) ? File.ReadAllText(path).Trim() : "unknown";
    }
}
