using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Posthorn.Core;
using Posthorn.Journal;
using Posthorn.Journal.Volume;
using Posthorn.Net;
using Posthorn.Store;
using Posthorn.Store.Engine;
using Posthorn.Testing;
using Posthorn.Testing.Directories;
using Posthorn.Testing.Stores;

namespace Posthorn.Imap.Tests;

/// <summary>An IMAP server over the store in memory, for transcripts and other tests.</summary>
/// <remarks>
/// What <c>given</c> understands: <c>logged in</c>; <c>selected NAME</c>; <c>sent COMMAND</c> (said by every new connection, its answers swallowed);
/// <c>NAME has N messages</c>; <c>NAME gets RAW MESSAGE</c>; <c>NAME loses UID</c>; <c>NAME marks UID FLAGS</c>; <c>mailbox NAME</c>; <c>subscribed NAME</c>;
/// <c>time passes 31m</c>; <c>strict network</c>; <c>passwords change</c>; <c>quota N</c>; <c>option NAME N</c>.
/// </remarks>
internal sealed partial class ImapHost : ITranscriptHost
{
    private readonly List<string> _prelude = [];
    private readonly List<Task> _sessions = [];
    private readonly ConnectionSet _connections;
    private readonly TemporaryFolder? _folder;
    private Journal.Journal? _journal;
    private ImapServer? _server;
    private int _number;

    /// <param name="folder">Where the Maildir engine is to work; null uses the store in memory.</param>
    /// <param name="change">Changes the engine's options.</param>
    public ImapHost(TemporaryFolder? folder = null, Func<MaildirStoreOptions, MaildirStoreOptions>? change = null)
    {
        Time = new(new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero));
        Directory = new(folder?.Path ?? "");
        _folder = folder;
        _connections = new(Time);
        Stores = folder is null ? new MemoryMailStores(Time, new() { Separator = '/' }) : OpenEngine(folder.Path, change ?? (options => options));
    }

    public FakeTimeProvider Time { get; }
    public IMailStores Stores { get; }
    public FakeDirectory Directory { get; }
    public ImapOptions Options { get; set; } = new() { HostName = "mail.example.org", FailedLoginDelay = TimeSpan.Zero, CommandsPerSecond = 0, MetadataAdmin = "mailto:admin@example.org" };
    public TlsIdentity? Tls { get; set; }

    /// <summary>STATUS finds a broken disk.</summary>
    public bool BreaksStatus { get; init; }

    /// <summary>Stores of accounts cannot be let go.</summary>
    public bool BreaksLeaving { get; init; }

    /// <summary>Text searches, COPY and MOVE wait for this.</summary>
    public Task? StallsSearches { get; init; }

    /// <summary>What STATUS finds instead.</summary>
    public Exception? StatusProblem { get; init; }

    /// <summary>No APPEND is durable before so many have begun.</summary>
    public int GatesAppends { get; init; }

    public Task LastSession => _sessions[^1];

    public Connection LastConnection { get; private set; } = null!;

    private ImapServer Server => _server ??= new(Options, new(BreaksLeaving ? FaultyStores.Wrap(Stores, nameof(IAsyncDisposable.DisposeAsync)) : BreaksStatus ? FaultyStores.Wrap(Stores, nameof(IMailStore.StatusAsync), StatusProblem) : GatesAppends > 0 ? FaultyStores.Gate(Stores, GatesAppends) : StallsSearches is not null ? FaultyStores.Stall(Stores, StallsSearches) : Stores, Directory, Tls, Time, NullLogger.Instance) { Limits = Directory });

    public MemoryChannel Connect(ReadSplit serverReads) => Connect(serverReads, 1024 * 1024);

    public MemoryChannel Connect(ReadSplit serverReads, int window)
    {
        (MemoryChannel client, MemoryChannel server) = MemoryChannel.Pair(serverReads, window);
        Connection connection = new(server, new($"s{++_number}"), Time);
        _connections.Add(connection);
        LastConnection = connection;
        _sessions.Add(ServeAsync(connection));
        if (_prelude.Count > 0) SayPreludeAsync(client).GetAwaiter().GetResult();
        return client;
    }

    public async ValueTask GivenAsync(string text)
    {
        Match match = Given().Match(text);
        string name = match.Groups["name"].Value, rest = match.Groups["rest"].Value;
        switch (text)
        {
            case "logged in": _prelude.Add("LOGIN ann nna"); return;
            case "passwords change":
                Directory.Passwords++;
                _connections.Review();
                return;
            case "ann is an administrator": Options = Options with { Administrators = [Directory.Ann.Address] }; return;
            case "strict network": Directory.TrustsEveryNetwork = false; return;
        }
        if (text.StartsWith("sent ", StringComparison.Ordinal)) _prelude.Add(text[5..]);
        else if (text.StartsWith("selected ", StringComparison.Ordinal)) _prelude.AddRange(["LOGIN ann nna", "SELECT " + text[9..]]);
        else if (text.StartsWith("mailbox ", StringComparison.Ordinal)) Assert.True((await (await StoreAsync()).CreateAsync(Name(text[8..]), SpecialUse.None, default)).IsOk);
        else if (text.StartsWith("subscribed ", StringComparison.Ordinal)) await (await StoreAsync()).SubscribeAsync(Name(text[11..]), true, default);
        else if (text.StartsWith("time passes ", StringComparison.Ordinal)) await PassAsync(text[12..]);
        else if (text.StartsWith("quota ", StringComparison.Ordinal)) Directory.Ann = Directory.Ann with { QuotaBytes = long.Parse(text[6..], CultureInfo.InvariantCulture) };
        else if (text.StartsWith("option ", StringComparison.Ordinal)) Options = WithOption(text[7..].Split(' '));
        else switch (match.Groups["verb"].Value)
        {
            case "has":
                int count = int.Parse(rest.Split(' ')[0], CultureInfo.InvariantCulture);
                for (int i = 1; i <= count; i++) await DeliverAsync(name, Sample(i));
                break;
            case "gets": await DeliverAsync(name, Transcript.Unescape(rest)); break;
            case "loses": await ExpungeAsync(name, uint.Parse(rest, CultureInfo.InvariantCulture)); break;
            case "marks": await MarkAsync(name, rest.Split(' ')); break;
            default: throw new FormatException($"given what? {text}");
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _connections.StopAllAsync(TimeSpan.FromSeconds(10)).WaitAsync(TimeSpan.FromSeconds(30));
        await Task.WhenAll(_sessions).WaitAsync(TimeSpan.FromSeconds(30));
        await _connections.DisposeAsync();
        _server?.Dispose();
        Tls?.Dispose();
        await Stores.DisposeAsync();
        if (_journal is not null) await _journal.DisposeAsync();
        _folder?.Dispose();
    }

    public ValueTask<IMailStore> StoreAsync() => StoreOfAsync(Directory.Ann);

    public async Task DeliverAsync(string mailbox, byte[] message)
    {
        await using IMessageSink sink = Stores.CreateSink();
        await sink.WriteAsync(message, default);
        DeliveryReceipt receipt = await Stores.DeliverAsync(sink, [new(Directory.Ann, Name(mailbox), SystemFlags.None, KeywordSet.Empty, default)], null, default);
        Assert.True(receipt.Outcomes[0].IsOk);
    }

    public static byte[] Sample(int number) => Encoding.ASCII.GetBytes(
        $"From: Sender {number} <s{number}@example.com>\r\nTo: Ann <ann@example.org>\r\nSubject: Message {number}\r\n" +
        $"Date: Thu, {number:00} Jan 2026 10:00:00 +0100\r\nMessage-ID: <m{number}@example.com>\r\n\r\nBody of message {number}.\r\n");

    private MaildirStores OpenEngine(string path, Func<MaildirStoreOptions, MaildirStoreOptions> change)
    {
        LinuxVolume volume = new();
        MaildirStores stores = new(change(new() { AccountsDirectory = path + "/accounts", Separator = '/' }), volume, Time, NullLogger.Instance);
        JournalOptions options = new() { Directory = path + "/journal", SegmentSize = 4 << 20 };
        _journal = Journal.Journal.OpenAsync(options, volume, [stores], Time, NullLogger.Instance, default).AsTask().GetAwaiter().GetResult();
        stores.Start(_journal);
        return stores;
    }

    private async ValueTask<IMailStore> StoreOfAsync(MailAccount account) => (await Stores.OpenAsync(account, default)).Value;

    private async Task ServeAsync(Connection connection)
    {
        await using (connection)
        {
            try { await Server.ServeAsync(connection, default); }
            catch (IOException) { /* the client left first */ }
            finally { _connections.Remove(connection); }
        }
    }

    private async Task SayPreludeAsync(MemoryChannel client)
    {
        await ReadToAsync(client, "* OK");
        int number = 0;
        foreach (string line in _prelude)
        {
            string tag = $"given{++number}";
            await client.SendAsync(Encoding.UTF8.GetBytes($"{tag} {line}\r\n"), default);
            string answer = await ReadToAsync(client, tag);
            Assert.StartsWith($"{tag} OK", answer, StringComparison.Ordinal);
        }
    }

    // Byte by byte, so that nothing behind the line is taken.
    private static async Task<string> ReadToAsync(MemoryChannel client, string start)
    {
        byte[] one = new byte[1];
        while (true)
        {
            List<byte> line = [];
            while (line is not [.., (byte)'\n'])
            {
                if (await client.ReceiveAsync(one, default) == 0) throw new IOException($"closed before {start}");
                line.Add(one[0]);
            }
            string text = Encoding.UTF8.GetString([.. line]);
            if (text.StartsWith(start, StringComparison.Ordinal)) return text;
        }
    }

    private async Task ExpungeAsync(string mailbox, uint uid)
    {
        IMailStore store = await StoreAsync();
        MailboxId id = await IdAsync(store, mailbox);
        await store.ChangeFlagsAsync(id, [new(uid)], new(FlagOperation.Add, SystemFlags.Deleted, KeywordSet.Empty), null, default);
        Assert.Single((await store.ExpungeAsync(id, [new(uid)], default)).Value);
    }

    private async Task MarkAsync(string mailbox, string[] words)
    {
        IMailStore store = await StoreAsync();
        SystemFlags flags = SystemFlags.None;
        List<Keyword> keywords = [];
        foreach (string word in words[1..])
            if (word[0] == '\\') flags |= Enum.Parse<SystemFlags>(word[1..]);
            else if (Keyword.TryCreate(word, out Keyword keyword)) keywords.Add(keyword);
        await store.ChangeFlagsAsync(await IdAsync(store, mailbox), [new(uint.Parse(words[0], CultureInfo.InvariantCulture))], new(FlagOperation.Add, flags, KeywordSet.Of(keywords)), null, default);
    }

    private static async Task<MailboxId> IdAsync(IMailStore store, string mailbox) =>
        (await store.ListAsync(default)).Single(info => info.Name == Name(mailbox)).Id!.Value;

    private async Task PassAsync(string span)
    {
        double number = double.Parse(span[..^1], CultureInfo.InvariantCulture);
        TimeSpan wanted = span[^1] switch { 's' => TimeSpan.FromSeconds(number), 'm' => TimeSpan.FromMinutes(number), _ => TimeSpan.FromHours(number) };
        // In steps, as timers see it; sessions get their turn between.
        for (TimeSpan step = TimeSpan.FromSeconds(1); wanted > TimeSpan.Zero; wanted -= step)
        {
            if (step > wanted) step = wanted;
            Time.Advance(step);
            await Task.Yield();
        }
    }

    private ImapOptions WithOption(string[] words)
    {
        int value = int.Parse(words[1], CultureInfo.InvariantCulture);
        return words[0] switch
        {
            "SieveServer" => Options with { SieveServer = "sieve://mail.example.org", EventScript = "all" },
            "MaxLine" => Options with { MaxLine = value },
            "MaxCommand" => Options with { MaxCommand = value },
            "MaxCommandBeforeLogin" => Options with { MaxCommandBeforeLogin = value },
            "MaxMessage" => Options with { MaxMessage = value },
            "MaxSkippedLiteral" => Options with { MaxSkippedLiteral = value },
            "MaxAppendedOctets" => Options with { MaxAppendedOctets = value },
            "MaxAppendedMessages" => Options with { MaxAppendedMessages = value },
            "MaxSearchDepth" => Options with { MaxSearchDepth = value },
            "MaxSearchKeys" => Options with { MaxSearchKeys = value },
            "MaxFetchItems" => Options with { MaxFetchItems = value },
            "MaxHeaderNames" => Options with { MaxHeaderNames = value },
            "MaxListPatterns" => Options with { MaxListPatterns = value },
            "CommandsPerSecond" => Options with { CommandsPerSecond = value },
            "MaxContexts" => Options with { MaxContexts = value },
            "Unauthenticate" => Options with { Unauthenticate = value != 0 },
            "MessageLimit" => Options with { MessageLimit = value },
            "MaxAnnotation" => Options with { MaxAnnotation = value },
            "MaxAnnotations" => Options with { MaxAnnotations = value },
            "MaxKeywords" => Options with { MaxKeywords = value },
            "MaxWildcards" => Options with { MaxWildcards = value },
            "MaxBadCommands" => Options with { MaxBadCommands = value },
            "MaxFailedLogins" => Options with { MaxFailedLogins = value },
            "MaxConnectionsPerAccount" => Options with { MaxConnectionsPerAccount = value },
            _ => throw new FormatException($"no such option: {words[0]}"),
        };
    }

    private static MailboxName Name(string text) => MailboxName.TryCreate(text, '/', out MailboxName name) ? name : throw new FormatException(text);

    [GeneratedRegex(@"^(?<name>\S+) (?<verb>has|gets|loses|marks) (?<rest>.*)$")]
    private static partial Regex Given();
}
