using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Posthorn.Core;
using Posthorn.Directory.Passwords;

namespace Posthorn.Setup;

/// <summary>An account of a quickstart folder, with its password in clear: it is printed each time.</summary>
internal sealed record QuickstartAccount(string LocalPart, string Password);

/// <summary>What <c>quickstart.json</c> keeps from one run to the next.</summary>
internal sealed record QuickstartState(string Domain, int PortBase, List<QuickstartAccount> Accounts);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true)]
[JsonSerializable(typeof(QuickstartState))]
internal sealed partial class QuickstartJson : JsonSerializerContext;

/// <summary>What the command line asked of quickstart; nulls leave what the folder has, or the default.</summary>
internal sealed record QuickstartWishes(string Directory, int? PortBase, DomainName? Domain, IReadOnlyList<string> Accounts);

/// <summary>The folder of a quickstart server: configuration, certificate, accounts and mail, made on the first run and found again on the next.</summary>
internal sealed class QuickstartFolder : IDisposable
{
    private const int DefaultPortBase = 20_000;

    /// <summary>What a listener's port is above the base; also the order of the printed table.</summary>
    private static readonly (string Name, int Port)[] Ports =
    [
        ("smtp", 25), ("submission", 587), ("submissions", 465), ("imap", 143), ("imaps", 993), ("pop3", 110), ("pop3s", 995), ("managesieve", 4190), ("lmtp", 24),
    ];

    private readonly string _root;
    private readonly FileStream _lock;

    private QuickstartFolder(string root, FileStream held, QuickstartState state) => (_root, _lock, State) = (root, held, state);

    public QuickstartState State { get; }

    public string ConfigurationFile => Path.Combine(_root, "posthorn.toml");

    private string CertificateFile => Path.Combine(_root, "tls", "certificate.pem");

    private string UsersFile => Path.Combine(_root, "users");

    private string AliasesFile => Path.Combine(_root, "aliases");

    /// <summary>Where a quickstart lives when no folder is named.</summary>
    public static string DefaultPath()
    {
        string? data = Environment.GetEnvironmentVariable("XDG_DATA_HOME");
        if (string.IsNullOrEmpty(data)) data = Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".local", "share");
        return Path.Combine(data, "posthorn", "quickstart");
    }

    /// <summary>Makes the folder or brings an existing one up to the wishes; tells each step.</summary>
    /// <exception cref="IOException">A file cannot be read or written.</exception>
    public static QuickstartFolder Prepare(QuickstartWishes wishes, TimeProvider time, Action<string> tell)
    {
        string root = Path.GetFullPath(wishes.Directory);
        PrivateFile.MakeFolder(root);
        FileStream held = Lock(root);
        string stateFile = Path.Combine(root, "quickstart.json");
        QuickstartState? known = Read(stateFile);
        tell(known is null ? $"made the folder {root}" : $"found the folder {root}");
        QuickstartState state = Merge(known, wishes);
        QuickstartFolder folder = new(root, held, state);
        folder.WriteCertificate(time, tell);
        folder.WriteAccounts(known, tell);
        PrivateFile.Write(stateFile, JsonSerializer.Serialize(state, QuickstartJson.Default.QuickstartState) + "\n");
        folder.WriteConfiguration(tell);
        return folder;
    }

    /// <summary>Lets another run have the folder.</summary>
    public void Dispose() => _lock.Dispose();

    // Held while the server runs: a second run must not change what the first one serves.
    private static FileStream Lock(string root)
    {
        string path = Path.Combine(root, "quickstart.lock");
        try { return new(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None); }
        catch (IOException e) { throw new IOException($"{root}: another quickstart serves this folder (its {Path.GetFileName(path)} is taken). Stop it first, or name another --directory.", e); }
    }

    private static QuickstartState? Read(string file)
    {
        if (!File.Exists(file)) return null;
        try { return JsonSerializer.Deserialize(File.ReadAllText(file), QuickstartJson.Default.QuickstartState); }
        catch (JsonException e) { throw new IOException($"{file} is not what quickstart wrote: {e.Message}. Mend it, or name another --directory.", e); }
    }

    private static QuickstartState Merge(QuickstartState? known, QuickstartWishes wishes)
    {
        List<QuickstartAccount> accounts = known?.Accounts ?? [];
        IReadOnlyList<string> wanted = wishes.Accounts.Count > 0 ? wishes.Accounts : known is null ? ["alice", "bob"] : [];
        foreach (string name in wanted)
            if (!accounts.Any(a => a.LocalPart.Equals(name, StringComparison.OrdinalIgnoreCase))) accounts.Add(new(name, Passwords.New()));
        return new(wishes.Domain?.Ascii ?? known?.Domain ?? "posthorn.test", wishes.PortBase ?? known?.PortBase ?? DefaultPortBase, accounts);
    }

    private void WriteCertificate(TimeProvider time, Action<string> tell)
    {
        string key = Path.Combine(_root, "tls", "key.pem");
        if (File.Exists(CertificateFile) && File.Exists(key)) return;
        PrivateFile.MakeFolder(Path.Combine(_root, "tls"));
        SelfSignedCertificate.Write(CertificateFile, key, DomainName.Create("mail." + State.Domain), time);
        tell("made a self-signed certificate");
    }

    private void WriteAccounts(QuickstartState? known, Action<string> tell)
    {
        if (!File.Exists(AliasesFile))
            PrivateFile.Write(AliasesFile, $"# Aliases, as in Postfix's virtual(5): ADDRESS TARGET...\nroot@{State.Domain} {State.Accounts[0].LocalPart}@{State.Domain}\n");
        string old = File.Exists(UsersFile) ? File.ReadAllText(UsersFile) : "# Accounts, as in Dovecot's passwd-file: user@domain:{SCHEME}hash\n";
        string added = "";
        foreach (QuickstartAccount account in State.Accounts)
        {
            string address = $"{account.LocalPart}@{State.Domain}";
            if (old.Split('\n').Any(l => l.StartsWith(address + ":", StringComparison.OrdinalIgnoreCase))) continue;
            added += $"{address}:{PasswordHasher.Argon2Id(account.Password)}\n";
            tell($"made the account {address}");
        }
        if (added.Length > 0 || known is null) PrivateFile.Write(UsersFile, old + added);
    }

    // Written anew on each run: it holds nothing that the state file does not say.
    private void WriteConfiguration(Action<string> tell)
    {
        string listen = string.Join('\n', Ports.Select(p => string.Create(CultureInfo.InvariantCulture, $"{p.Name} = [\"127.0.0.1:{(State.PortBase == 0 ? 0 : State.PortBase + p.Port)}\"]")));
        File.WriteAllText(ConfigurationFile, $"""
            # Written by 'posthorn quickstart' on each run. For a server of your own: posthorn init DOMAIN
            hostname = "mail.{State.Domain}"
            data = "data"

            [[domain]]
            name = "{State.Domain}"
            aliases = "aliases"

            [mail]
            location = "maildir:{_root}/mail/{"{localpart}"}"

            [auth]
            passwd-file = "users"

            [network]
            relay = []                       # nobody sends elsewhere without a login, nor logs in to send without TLS

            [tls]
            certificate = "tls/certificate.pem"
            key = "tls/key.pem"

            [listen]
            {listen}

            """);
        tell("wrote the configuration");
    }
}
