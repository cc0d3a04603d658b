using System.Globalization;
using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using Posthorn.Core;
using Posthorn.Net;
using Posthorn.Store;
using Posthorn.Testing;
using Posthorn.Testing.Directories;
using Posthorn.Testing.Stores;
using Posthorn.Testing.Time;

namespace Posthorn.Pop3.Tests;

/// <summary>A POP3 server over the store in memory, for transcripts and tests in code.</summary>
/// <remarks>
/// What <c>given</c> understands: <c>message TEXT</c> (delivered into INBOX, escapes as in raw lines); <c>messages N</c> (small ones); <c>gone N</c> (the message with that UID is
/// removed by another client); <c>inbox holds N</c> and <c>seen UID…</c> (checks); <c>strict network</c>; <c>limit NAME N</c>; <c>silence</c> (the clock runs until the server gives up); <c>passwords change</c>; <c>shutdown</c>.
/// </remarks>
internal sealed class Pop3Host : ITranscriptHost
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly List<Task> _sessions = [];
    private readonly List<Connection> _connections = [];
    private readonly ConnectionSet _set;
    private Pop3Server? _server;

    public Pop3Host()
    {
        _set = new(Time);
        Stores = new MemoryMailStores(Time);
    }

    public WatchedTime Time { get; } = new(new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero));
    public IMailStores Stores { get; set; }
    public FakeDirectory Directory { get; } = new("");
    public TlsIdentity? Tls { get; set; }
    public Pop3Options Options { get; set; } = new() { HostName = "mail.example.org", FailedLoginDelay = TimeSpan.Zero };
    public IReadOnlyList<Task> Sessions => _sessions;
    public IReadOnlyList<Connection> Connections => _connections;

    public async ValueTask GivenAsync(string text)
    {
        string[] words = text.Split(' ', 2);
        string rest = words.Length > 1 ? words[1] : "";
        switch (words[0])
        {
            case "message": await DeliverAsync(Transcript.Unescape(rest)); break;
            case "messages":
                for (int i = 1; i <= Number(rest); i++) await DeliverAsync(Encoding.ASCII.GetBytes($"Subject: {i}\r\n\r\nText {i}\r\n"));
                break;
            case "gone": await ExpungeAsync(new((uint)Number(rest))); break;
            case "inbox": Assert.Equal(Number(rest.Split(' ')[^1]), (await StatusAsync()).Messages); break;
            case "seen": await CheckSeenAsync(rest); break;
            case "strict": Directory.TrustsEveryNetwork = false; break;
            case "limit": Options = WithLimit(rest.Split(' ')); break;
            case "passwords":
                Directory.Passwords++;
                _set.Review();
                break;
            case "shutdown":
                foreach (Connection connection in _connections) connection.Stop(StopReason.Shutdown);
                break;
            case "silence":
                while (!_sessions[^1].IsCompleted)
                {
                    Time.Advance(TimeSpan.FromSeconds(5));
                    await Task.Yield();
                }
                break;
            default: throw new FormatException($"given what? {text}");
        }
    }

    public MemoryChannel Connect(ReadSplit serverReads) => Connect(serverReads, 1024 * 1024);

    public MemoryChannel Connect(ReadSplit serverReads, int window)
    {
        (MemoryChannel client, MemoryChannel server) = MemoryChannel.Pair(serverReads, window);
        _server ??= new(Options, new(Stores, Directory, Tls, Time, NullLogger.Instance));
        Connection connection = new(server, new($"s{_connections.Count + 1}"), Time);
        _set.Add(connection);
        _connections.Add(connection);
        _sessions.Add(ServeAsync(connection));
        return client;
    }

    public async Task<IMailStore> StoreAsync() => (await Stores.OpenAsync(Directory.Ann, default)).Value;

    public async Task DeliverAsync(byte[] message)
    {
        await using IMessageSink sink = Stores.CreateSink();
        await sink.WriteAsync(message, default);
        DeliveryReceipt receipt = await Stores.DeliverAsync(sink, [new(Directory.Ann, MailboxName.Inbox, SystemFlags.None, KeywordSet.Empty, default)], null, default);
        Assert.True(receipt.Outcomes[0].IsOk);
    }

    public async Task<MailboxStatus> StatusAsync()
    {
        await using IMailStore store = await StoreAsync();
        return (await store.StatusAsync(MailboxName.Inbox, default)).Value;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (Connection connection in _connections) connection.Abort();
        await Task.WhenAll(_sessions).WaitAsync(Patience);
        await _set.DisposeAsync();
        Tls?.Dispose();
        await Stores.DisposeAsync();
    }

    private async Task ServeAsync(Connection connection)
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        await using (connection)
        {
            try { await _server!.ServeAsync(connection, CancellationToken.None); }
            catch (IOException) { /* as the listener: the peer has gone */ }
            finally { _set.Remove(connection); }
        }
    }

    private async Task ExpungeAsync(Uid uid)
    {
        await using IMailStore store = await StoreAsync();
        MailboxId id = (await store.StatusAsync(MailboxName.Inbox, default)).Value.Info.Id!.Value;
        await store.ChangeFlagsAsync(id, [uid], new(FlagOperation.Add, SystemFlags.Deleted, KeywordSet.Empty), null, default);
        await store.ExpungeAsync(id, [uid], default);
    }

    private async Task CheckSeenAsync(string uids)
    {
        // The session marks them after its last word.
        foreach (Task session in _sessions) await session.WaitAsync(Patience);
        await using IMailStore store = await StoreAsync();
        await using IMailbox box = (await store.OpenMailboxAsync(MailboxName.Inbox, true, default)).Value;
        List<uint> seen = [];
        for (int i = 0; i < box.Current.Count; i++)
            if ((box.Current[i].Flags & SystemFlags.Seen) != 0) seen.Add(box.Current[i].Uid.Value);
        Assert.Equal(uids, string.Join(' ', seen));
    }

    private Pop3Options WithLimit(string[] words) => words[0] switch
    {
        "line" => Options with { MaxLine = Number(words[1]) },
        "auth-line" => Options with { MaxAuthLine = Number(words[1]) },
        "errors" => Options with { MaxErrors = Number(words[1]) },
        "logins" => Options with { MaxFailedLogins = Number(words[1]) },
        "sessions" => Options with { MaxSessionsPerAccount = Number(words[1]) },
        _ => throw new FormatException($"limit what? {words[0]}"),
    };

    private static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);
}
