using System.Text.Json;

namespace Posthorn.Interop.Tests.Harness;

/// <summary>One Thunderbird and one server for all tests of a class: a start takes seconds. Each test takes an account of its own.</summary>
public sealed class ThunderbirdDesk : IAsyncDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly Dictionary<string, Account> _accounts = [];
    private PosthornProcess? _server;
    private Thunderbird? _thunderbird;

    /// <summary>Makes an account in Thunderbird. Where the program is missing the test skips, saying so.</summary>
    /// <param name="name">The account; each test has another.</param>
    /// <param name="kind"><c>imap</c> or <c>pop3</c>.</param>
    /// <param name="condstore">Whether it asks for changes by modification sequence; it does not by itself.</param>
    internal async Task<ThunderbirdSeat> SitAsync(string name, string kind = "imap", bool condstore = false)
    {
        string program = Peer.Require("thunderbird", "thunderbird");
        _server ??= await ServeAsync();
        _thunderbird ??= await Thunderbird.StartAsync(program);
        Account account = _accounts[name];
        int port = _server.Port(kind + "s"), sendPort = _server.Port("submission");
        JsonElement key = await _thunderbird.RunAsync("trust(args[0], args[1]); return await addAccount(args[2])", await File.ReadAllTextAsync(Path.Combine(_server.Directory, "tls", "certificate.pem")), (int[])[port, sendPort],
            new { kind, port, tls = true, sendPort, login = account.Login, password = account.Password, address = account.Address, condstore });
        return new(_server, account, _thunderbird, key.GetString()!);
    }

    public async ValueTask DisposeAsync()
    {
        if (_thunderbird is not null) await _thunderbird.DisposeAsync();
        if (_server is not null) await _server.DisposeAsync();
        _folder.Dispose();
    }

    // Each account may hold a gigabyte, and Thunderbird shows how much of it is taken.
    private async Task<PosthornProcess> ServeAsync()
    {
        string root = Path.Combine(_folder.Path, "q");
        IReadOnlyList<Account> accounts;
        await using (PosthornProcess quick = await PosthornProcess.StartAsync("reader,marker,keeper,sender,seeker,idler,returner,popper", root))
        {
            accounts = quick.Accounts;
            await quick.StopAsync();
        }
        string users = Path.Combine(root, "users");
        await File.WriteAllLinesAsync(users, (await File.ReadAllLinesAsync(users)).Select(line => line.StartsWith('#') ? line : line + "::::::userdb_quota_rule=*:storage=1G:messages=1000"));
        PosthornProcess server = await PosthornProcess.ServeAsync(Path.Combine(root, "posthorn.toml"));
        foreach (Account account in accounts) _accounts.Add(account.LocalPart, account);
        return server;
    }
}

/// <summary>An account in Thunderbird.</summary>
internal sealed record ThunderbirdSeat(PosthornProcess Server, Account Account, Thunderbird Thunderbird, string Key)
{
    /// <summary>Runs a script that knows the account as <c>key</c>.</summary>
    public Task<JsonElement> RunAsync(string script, params object?[] arguments) => Thunderbird.RunAsync($"const key = args.shift();\n{script}", [Key, .. arguments]);
}
