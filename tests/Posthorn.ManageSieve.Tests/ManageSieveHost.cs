using System.Globalization;
using System.Net;
using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Posthorn.Core;
using Posthorn.Directory;
using Posthorn.Journal.Volume;
using Posthorn.Net;
using Posthorn.Store;
using Posthorn.Store.Scripts;
using Posthorn.Testing;
using Posthorn.Testing.Stores;

namespace Posthorn.ManageSieve.Tests;

/// <summary>A ManageSieve server with scripts in a folder of its own, for transcripts and other tests.</summary>
/// <remarks>
/// What <c>given</c> understands: <c>logged in</c> (every new connection); <c>strict network</c>; <c>mailbox NAME</c>; <c>script NAME CONTENT</c> (escapes as in raw lines);
/// <c>active NAME</c>; <c>time passes 31m</c>; <c>option NAME N</c>; <c>limit NAME N</c>; <c>mechanisms A B</c>; <c>broken scripts</c>.
/// </remarks>
internal sealed class ManageSieveHost : ITranscriptHost
{
    private readonly TemporaryFolder _folder = new();
    private readonly ConnectionSet _connections;
    private readonly List<Task> _sessions = [];
    private bool _saysLogin, _isBroken;
    private bool _isTrusted = true;
    private string[] _mechanisms = ["SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN", "LOGIN"];
    private ScriptLimits _limits = new();
    private ManageSieveServer? _server;
    private MailDirectory? _directory;
    private IScriptStore? _scripts;
    private int _number;

    public ManageSieveHost()
    {
        _connections = new(Time);
        WritePasswords("nna");
        Stores = new(Time, new() { Separator = '/' });
    }

    public FakeTimeProvider Time { get; } = new(new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero));
    public MemoryMailStores Stores { get; }
    public ManageSieveOptions Options { get; set; } = new() { FailedLoginDelay = TimeSpan.Zero, Sieve = new() { MailboxSeparator = '/' } };
    public TlsIdentity? Tls { get; set; }
    public Connection LastConnection { get; private set; } = null!;
    public Task LastSession => _sessions[^1];

    public MailDirectory Directory => _directory ??= new(DirectoryOptions, Time, NullLogger.Instance);

    private DirectoryOptions DirectoryOptions => new()
    {
        Domains = [new() { Name = DomainName.Create("example.org") }],
        MailHomeTemplate = _folder.Path + "/home/{localpart}",
        MailLocationTemplate = "maildir:" + _folder.Path + "/mail/{localpart}",
        PasswdFile = Path.Combine(_folder.Path, "users"),
        Mechanisms = _mechanisms,
        AuthTrustedNetworks = _isTrusted ? [IPNetwork.Parse("192.0.2.0/24")] : [],
    };

    public IScriptStore Scripts => _scripts ??= new FileScriptStore(_limits, new LinuxVolume(), Time);

    public MailAccount Ann => Directory.FindLogin("ann")!;

    private ManageSieveServer Server => _server ??= new(Options, new(_isBroken ? new BrokenScripts(Scripts) : Scripts, Stores, Directory, Tls, Time, NullLogger.Instance));

    public MemoryChannel Connect(ReadSplit serverReads) => Connect(serverReads, 1024 * 1024);

    public MemoryChannel Connect(ReadSplit serverReads, int window)
    {
        (MemoryChannel client, MemoryChannel server) = MemoryChannel.Pair(serverReads, window);
        Connection connection = new(server, new($"s{++_number}"), Time);
        _connections.Add(connection);
        LastConnection = connection;
        _sessions.Add(ServeAsync(connection));
        if (_saysLogin) LogInAsync(client).GetAwaiter().GetResult();
        return client;
    }

    public async ValueTask GivenAsync(string text)
    {
        string[] words = text.Split(' ');
        switch (words)
        {
            case ["logged", "in"]: _saysLogin = true; break;
            case ["strict", "network"]: _isTrusted = false; break;
            case ["broken", "scripts"]: _isBroken = true; break;
            case ["mechanisms", .. string[] names]: _mechanisms = names; break;
            case ["mailbox", string name]:
                await using (IMailStore store = (await Stores.OpenAsync(Ann, default)).Value)
                    Assert.True((await store.CreateAsync(MailboxName.TryCreate(name, '/', out MailboxName mailbox) ? mailbox : default, SpecialUse.None, default)).IsOk);
                break;
            case ["script", string name, ..]: Assert.True((await Scripts.PutAsync(Ann, Name(name), Transcript.Unescape(string.Join(' ', words[2..])), default)).IsOk); break;
            case ["active", string name]: Assert.True((await Scripts.ActivateAsync(Ann, Name(name), default)).IsOk); break;
            case ["passwords", "change"]:
                WritePasswords("changed");
                Directory.Reload(DirectoryOptions);
                _connections.Review();
                break;
            case ["time", "passes", string span]: await PassAsync(span); break;
            case ["option", string name, string number]: Options = WithOption(name, int.Parse(number, CultureInfo.InvariantCulture)); break;
            case ["limit", string name, string number]: _limits = WithLimit(name, int.Parse(number, CultureInfo.InvariantCulture)); break;
            default: throw new FormatException($"given what? {text}");
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _connections.StopAllAsync(TimeSpan.FromSeconds(10)).WaitAsync(TimeSpan.FromSeconds(60));
        await Task.WhenAll(_sessions).WaitAsync(TimeSpan.FromSeconds(60));
        await _connections.DisposeAsync();
        _directory?.Dispose();
        Tls?.Dispose();
        await Stores.DisposeAsync();
        _folder.Dispose();
    }

    private void WritePasswords(string ann) => File.WriteAllText(Path.Combine(_folder.Path, "users"), $"ann:{{PLAIN}}{ann}\nbob:{{PLAIN}}bob\n");

    private async Task ServeAsync(Connection connection)
    {
        await using (connection)
        {
            try { await Server.ServeAsync(connection, default); }
            catch (IOException) { /* the client left first */ }
            finally { _connections.Remove(connection); }
        }
    }

    private static async Task LogInAsync(MemoryChannel client)
    {
        await ReadToAsync(client, "OK");
        await client.SendAsync("AUTHENTICATE \"PLAIN\" \"AGFubgBubmE=\"\r\n"u8.ToArray(), default);
        await ReadToAsync(client, "OK");
    }

    // Byte by byte, so that nothing behind the line is taken.
    private static async Task ReadToAsync(MemoryChannel client, string start)
    {
        byte[] one = new byte[1];
        for (List<byte> line = []; ;)
        {
            if (await client.ReceiveAsync(one, default) == 0) throw new IOException($"closed before {start}");
            line.Add(one[0]);
            if (one[0] != '\n') continue;
            if (Encoding.UTF8.GetString([.. line]).StartsWith(start, StringComparison.Ordinal)) return;
            line.Clear();
        }
    }

    private async Task PassAsync(string span)
    {
        double number = double.Parse(span[..^1], CultureInfo.InvariantCulture);
        // In steps, as timers see it; sessions get their turn between.
        for (TimeSpan wanted = span[^1] == 's' ? TimeSpan.FromSeconds(number) : TimeSpan.FromMinutes(number); wanted > TimeSpan.Zero; wanted -= TimeSpan.FromSeconds(1))
        {
            Time.Advance(TimeSpan.FromSeconds(1));
            await Task.Yield();
        }
    }

    private ManageSieveOptions WithOption(string name, int value) => name switch
    {
        "MaxLine" => Options with { MaxLine = value },
        "MaxCommandOverhead" => Options with { MaxCommandOverhead = value },
        "MaxCommandBeforeLogin" => Options with { MaxCommandBeforeLogin = value },
        "MaxSkippedLiteral" => Options with { MaxSkippedLiteral = value },
        "MaxBadCommands" => Options with { MaxBadCommands = value },
        "MaxFailedLogins" => Options with { MaxFailedLogins = value },
        "MaxConnectionsPerAccount" => Options with { MaxConnectionsPerAccount = value },
        _ => throw new FormatException($"no such option: {name}"),
    };

    private ScriptLimits WithLimit(string name, int value) => name switch
    {
        "ScriptOctets" => _limits with { ScriptOctets = value },
        "Scripts" => _limits with { Scripts = value },
        "TotalOctets" => _limits with { TotalOctets = value },
        _ => throw new FormatException($"no such limit: {name}"),
    };

    private static ScriptName Name(string text) => ScriptName.TryCreate(text, out ScriptName name) ? name : throw new FormatException(text);

    // LISTSCRIPTS finds a broken disk.
    private sealed class BrokenScripts(IScriptStore inner) : IScriptStore
    {
        public ScriptLimits Limits => inner.Limits;
        public ValueTask<IReadOnlyList<ScriptInfo>> ListAsync(MailAccount account, CancellationToken cancel) => throw new IOException("The disk is gone.");
        public ValueTask<Result<StoredScript>> GetAsync(MailAccount account, ScriptName name, CancellationToken cancel) => inner.GetAsync(account, name, cancel);
        public ValueTask<Result<StoredScript>> ActiveAsync(MailAccount account, CancellationToken cancel) => inner.ActiveAsync(account, cancel);
        public ValueTask<Result<Done>> HasRoomAsync(MailAccount account, ScriptName name, long octets, CancellationToken cancel) => inner.HasRoomAsync(account, name, octets, cancel);
        public ValueTask<Result<Done>> PutAsync(MailAccount account, ScriptName name, ReadOnlyMemory<byte> content, CancellationToken cancel) => inner.PutAsync(account, name, content, cancel);
        public ValueTask<Result<Done>> DeleteAsync(MailAccount account, ScriptName name, CancellationToken cancel) => inner.DeleteAsync(account, name, cancel);
        public ValueTask<Result<Done>> RenameAsync(MailAccount account, ScriptName from, ScriptName target, CancellationToken cancel) => inner.RenameAsync(account, from, target, cancel);
        public ValueTask<Result<Done>> ActivateAsync(MailAccount account, ScriptName? name, CancellationToken cancel) => inner.ActivateAsync(account, name, cancel);
    }
}
