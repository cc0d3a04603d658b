using System.Globalization;
using Microsoft.Extensions.Logging.Abstractions;
using Posthorn.Core;
using Posthorn.Directory;
using Posthorn.Interop.Tests.Harness;

namespace Posthorn.Interop.Tests.Postfix;

/// <summary>
/// Generated tables of virtual(5) and addresses of a domain that is Postfix's own and of another that it hosts: a running Postfix and our directory lead each address to the same places,
/// over the order of keys, extensions, catch-alls, bare names, several targets and aliases of aliases.
/// </summary>
public sealed class AliasTests : IAsyncLifetime
{
    private const int Rounds = 8;
    private const string Own = "foreign.example", Hosted = "b.example";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);
    private static readonly string[] Names = ["ann", "bob", "carl", "dora"];
    private static readonly string[] Locals = ["ann", "ann+x", "Bob", "bob+x+y", "carl", "\"an n\"", "\"an n+y\"", "dora"];

    private readonly TemporaryFolder _folder = new();
    private readonly ScriptedPeer _peer = new() { Name = "next.example" };
    private readonly Random _random = new(11);
    private PostfixServer? _postfix;
    private int _port;

    public async ValueTask InitializeAsync()
    {
        string postfix = Peer.Require("postfix", "postfix");
        if (!Environment.IsPrivilegedProcess) Assert.Skip("needs root: Postfix's master runs as root");
        string next = string.Create(CultureInfo.InvariantCulture, $"[127.0.0.1]:{_peer.Listen().Port}");
        _postfix = await PostfixServer.StartAsync(postfix, _folder.Path, _port = Ports.Free(), next);
        await SetAsync($"mydestination = {Own}", $"myorigin = {Own}", "local_recipient_maps =", $"virtual_mailbox_domains = {Hosted}", "virtual_mailbox_maps = static:any", $"local_transport = smtp:{next}", $"virtual_transport = smtp:{next}",
            "recipient_delimiter = +", "append_dot_mydomain = no", "smtp_tls_security_level = none", "mynetworks = 127.0.0.0/8");
    }

    public async ValueTask DisposeAsync()
    {
        if (_postfix is not null) await _postfix.DisposeAsync();
        await _peer.DisposeAsync();
        _folder.Dispose();
    }

    [Fact]
    public async Task Virtual_aliases_lead_to_the_same_places()
    {
        string postmap = Peer.Require("postmap", "postfix");
        string users = Path.Combine(_folder.Path, "users");
        await File.WriteAllTextAsync(users, string.Concat(Names.SelectMany(name => (string[])[$"{name}@{Own}:{{PLAIN}}x::::::\n", $"{name}@{Hosted}:{{PLAIN}}x::::::\n"])));
        int aliased = 0, several = 0, taken = 0;
        for (int round = 0; round < Rounds; round++)
        {
            string table = Path.Combine(_postfix!.ConfigurationFolder, $"virtual{round}");
            await File.WriteAllTextAsync(table, Table(), TestContext.Current.CancellationToken);
            await Peer.SucceedAsync(postmap, [$"hash:{table}"]);
            await SetAsync($"virtual_alias_maps = hash:{table}");
            using MailDirectory ours = Directory(users, table);
            Dictionary<string, (EmailAddress Address, string[] Targets)> questions = [];
            foreach (EmailAddress address in Locals.SelectMany(local => (string[])[$"{local}@{Own}", $"{local}@{Hosted}"]).Select(EmailAddress.Parse))
                if (Targets(ours, address) is { } targets) questions.Add($"q{questions.Count}r{round}@label", (address, targets));
            if (questions.Count == 0) continue;
            ILookup<string, string> theirs = await TheirsAsync(questions.ToDictionary(one => one.Key, one => one.Value.Address), taken, questions.Values.Sum(one => one.Targets.Length));
            taken = _peer.Messages.Count;
            foreach ((string label, (EmailAddress address, string[] targets)) in questions)
            {
                string[] said = [.. theirs[label].Select(Lower).Order(StringComparer.Ordinal)];
                Assert.True(said.SequenceEqual(targets), $"{address}: Postfix says {string.Join(' ', said)}, we say {string.Join(' ', targets)}\n{await File.ReadAllTextAsync(table, TestContext.Current.CancellationToken)}");
                if (targets is not [var only] || only != Lower(address.ToString())) aliased++;
                if (targets.Length > 1) several++;
            }
        }
        Assert.True(aliased > 30 && several > 5, $"{aliased} aliased, {several} to several");
    }

    // Keys of all kinds, each to one or more targets; every target is somewhere else or has an account.
    private string Table()
    {
        string[] keys = [.. Locals.SelectMany(local => (string[])[$"{local}@{Own}", $"{local}@{Hosted}", local]), "\"an n\"", $"@{Own}", $"@{Hosted}"];
        return string.Concat(keys.Distinct(StringComparer.OrdinalIgnoreCase).Where(_ => _random.Next(4) == 0).Select((key, i) =>
        {
            List<string> targets = [];
            // Alone: Postfix 3.7 makes one quoted name of "@other, t@far", where virtual(5) says that it works for the first of several.
            if (_random.Next(8) == 0) return $"{key} @{(_random.Next(2) == 0 ? "far.example" : Hosted)}\n";
            for (int more = _random.Next(3); more >= 0; more--)
            {
                string name = Names[_random.Next(Names.Length)];
                targets.Add(_random.Next(8) switch { 0 => name, 1 => $"{name}@{Own}", 2 => $"{name}+z@{Hosted}", _ => $"t{i}.{more}@far.example" });
            }
            return $"{key} {string.Join(", ", targets)}\n";
        }));
    }

    private static MailDirectory Directory(string users, string table) => new(new()
    {
        Domains = [new() { Name = DomainName.Create(Own) }, new() { Name = DomainName.Create(Hosted) }],
        DefaultDomain = DomainName.Create(Own), Aliases = [table], PasswdFile = users, MailHomeTemplate = "/nonexistent/{domain}/{localpart}", MailLocationTemplate = "maildir:/nonexistent/{domain}/{localpart}",
    }, TimeProvider.System, NullLogger.Instance);

    // Where an address ends, in order. Null where nobody has it, or aliases go round in circles: then Postfix bounces the message, and we do not take it.
    private static string[]? Targets(MailDirectory directory, EmailAddress address) => directory.Resolve(address) switch
    {
        Resolution.Recipients { Targets: var targets } => [.. targets.Select(target => Lower((target is Target.Local local ? local.FinalAddress : ((Target.Remote)target).Address).ToString())).Order(StringComparer.Ordinal)],
        Resolution.Loop or Resolution.Unknown => null,
        { } other => throw new InvalidOperationException(other.ToString()),
    };

    // One message for all, each recipient under a label of its own; what Postfix hands on by the labels.
    private async Task<ILookup<string, string>> TheirsAsync(Dictionary<string, EmailAddress> questions, int before, int expected)
    {
        await using RawClient client = await RawClient.ConnectAsync(_port);
        await client.ReplyAsync();
        foreach (string command in (string[])["EHLO client.example", "MAIL FROM:<>", .. questions.Select(one => $"RCPT TO:<{one.Value}> NOTIFY=NEVER ORCPT=rfc822;{one.Key}"), "DATA", "Subject: x\r\n\r\nx\r\n."])
        {
            string reply = await client.CommandAsync(command);
            Assert.True(reply[0] is '2' or '3', $"{command}: {reply}");
        }
        // While it looks, a message may move past it from one queue to another: empty is what is empty twice, with all there that we expect.
        using CancellationTokenSource patience = new(Patience);
        for (int empty = 0; empty < 2 || !patience.IsCancellationRequested && _peer.Messages.Skip(before).Sum(message => message.To.Count) < expected;)
        {
            empty = (await Peer.SucceedAsync("postqueue", ["-c", _postfix!.ConfigurationFolder, "-p"])).Output.Contains("queue is empty", StringComparison.Ordinal) ? empty + 1 : 0;
            await Task.Delay(20, TestContext.Current.CancellationToken);
        }
        return _peer.Messages.Skip(before).SelectMany(message => message.To).ToLookup(
            to => to[(to.IndexOf("ORCPT=rfc822;", StringComparison.Ordinal) + 13)..].Split(' ')[0], to => to[1..to.LastIndexOf('>')]);
    }

    private async Task SetAsync(params string[] settings)
    {
        await Peer.SucceedAsync("postconf", ["-c", _postfix!.ConfigurationFolder, "-e", .. settings]);
        await _postfix.RestartAsync();
    }

    private static string Lower(string address) => address.ToLowerInvariant();
}
