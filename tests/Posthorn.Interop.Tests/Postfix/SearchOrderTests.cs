using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using Posthorn.Core;
using Posthorn.Directory.Lookups;
using Posthorn.Interop.Tests.Harness;

namespace Posthorn.Interop.Tests.Postfix;

/// <summary>Which key of a table decides about an address: a running Postfix and we say the same, over tables with some of the keys that an address has.</summary>
public sealed class SearchOrderTests
{
    private const int Rounds = 6;
    private static readonly string[] Locals = ["ann", "ann+x", "Bob", "\"an n\"", "\"an n+y\""];
    private static readonly string[] Domains = ["foreign.example", "a.b.example", "b.example", "example.org"];

    // As recipient_delimiter = +, for every domain; the names of users stand alone where mail is Postfix's own.
    private sealed class Splitter : IAddressSplitter
    {
        public string Split(EmailAddress address, out string extension)
        {
            int plus = address.LocalPart.IndexOf('+', StringComparison.Ordinal);
            extension = plus <= 0 ? "" : address.LocalPart[plus..];
            return plus <= 0 ? address.LocalPart : address.LocalPart[..plus];
        }

        public bool IsOwn(DomainName domain) => domain.Ascii == "foreign.example";
    }

    private static IEnumerable<EmailAddress> Addresses => Locals.SelectMany(local => Domains.Select(domain => EmailAddress.Parse($"{local}@{domain}")));

    [Theory]
    [InlineData(false)] // a domain stands for those below it, as Postfix has it for access tables unless it is told otherwise
    [InlineData(true)] // .domain stands for those below it
    public async Task Access_tables(bool dotted)
    {
        string[] parents = dotted ? [".b.example", ".example", ".org"] : ["b.example", "example", "org"];
        string[] keys = [.. Keys("@"), .. Locals.Select(local => local + "@"), "ann@", "\"an n\"@", .. dotted ? Domains.Except(["b.example"]) : Domains, .. parents];
        await CompareAsync("smtpd_sender_restrictions", "check_sender_access", keys, "REJECT ", dotted ? "parent_domain_matches_subdomains =" : "parent_domain_matches_subdomains = smtpd_access_maps",
            address => $"MAIL FROM:<{address}>", async (tables, address) => await LookupSearch.AccessAsync(tables, ReversePath.Of(address), new Splitter(), default));
    }

    /// <summary>relocated(5); canonical(5), generic(5) and the bcc tables are searched in the same way.</summary>
    [Fact]
    public Task Address_tables() => CompareAsync("relocated_maps", "", [.. Keys("@"), .. Locals, "ann", "\"an n\"", .. Domains.Select(domain => "@" + domain)], "", "virtual_mailbox_maps = inline:{x@y.example=z}",
        address => $"RCPT TO:<{address}>", async (tables, address) => (await LookupSearch.AddressAsync(tables, address, new Splitter(), default)).Result, address => address.Domain.Ascii == "foreign.example");

    private static string[] Keys(string at) => [.. Domains.SelectMany(domain => Locals.Concat(["ann", "\"an n\""]).Distinct().Select(local => local + at + domain))];

    private static async Task CompareAsync(string setting, string restriction, string[] keys, string action, string other, Func<EmailAddress, string> command, Func<IReadOnlyList<ILookupTable>, EmailAddress, Task<LookupResult>> ask, Func<EmailAddress, bool>? only = null)
    {
        string postfix = Peer.Require("postfix", "postfix"), postmap = Peer.Require("postmap", "postfix");
        if (!Environment.IsPrivilegedProcess) Assert.Skip("needs root: Postfix's master runs as root");
        using TemporaryFolder folder = new();
        int port = Ports.Free();
        await using PostfixServer peer = await PostfixServer.StartAsync(postfix, folder.Path, port, "");
        string path = Path.Combine(peer.ConfigurationFolder, "table");
        Random random = new(7);
        int found = 0, silent = 0;
        for (int round = 0; round < Rounds; round++)
        {
            string table = $"{path}{round}";
            string[] some = [.. keys.Distinct(StringComparer.OrdinalIgnoreCase).Where(_ => random.Next(4) == 0)];
            await File.WriteAllTextAsync(table, string.Concat(some.Select((key, i) => $"{key} {action}key{i}\n")), TestContext.Current.CancellationToken);
            await Peer.SucceedAsync(postmap, [$"hash:{table}"]);
            await Peer.SucceedAsync("postconf", ["-c", peer.ConfigurationFolder, "-e", $"{setting} = {restriction} hash:{table}", other, "smtpd_delay_reject = no", "recipient_delimiter = +", "myorigin = foreign.example", "smtpd_hard_error_limit = 1000", "smtpd_error_sleep_time = 0"]);
            await peer.RestartAsync();
            LookupTables ours = new(new() { Tables = new Dictionary<string, LookupSource> { ["t"] = new(LookupType.Hash, table) } }, TimeProvider.System, NullLogger.Instance);
            foreach (EmailAddress address in Addresses.Where(only ?? (_ => true)))
            {
                string theirs = await TheirsAsync(port, command(address));
                string said = await ask(ours.Find(["t"]), address) is LookupResult.Found hit ? hit.Value[action.Length..] : "";
                Assert.True(theirs == said, $"{address}: Postfix says '{theirs}', we say '{said}'\n{await File.ReadAllTextAsync(table, TestContext.Current.CancellationToken)}");
                if (said.Length > 0) found++;
                else silent++;
            }
        }
        Assert.True(found > 15 && silent > 0, $"{found} found, {silent} not");
    }

    // The word of the key that decided, in the reply; nothing where nobody had anything against it.
    private static async Task<string> TheirsAsync(int port, string command)
    {
        await using RawClient client = await RawClient.ConnectAsync(port);
        await client.ReplyAsync();
        await client.CommandAsync("EHLO client.example");
        if (command.StartsWith("RCPT", StringComparison.Ordinal)) await client.CommandAsync("MAIL FROM:<>");
        string reply = await client.CommandAsync(command);
        int at = reply.LastIndexOf("key", StringComparison.Ordinal);
        return at < 0 ? "" : new StringBuilder().Append(reply.AsSpan(at).TrimEnd()).ToString();
    }
}
