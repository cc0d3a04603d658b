using Posthorn.Configuration;
using Posthorn.Testing;
using Posthorn.Transport.Policy;
using Posthorn.Transport.Policy.Rules;

namespace Posthorn.Tests.Configuration;

/// <summary>Rules in the configuration, and what <c>check</c> says of mistakes.</summary>
public sealed class RuleConfigurationTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private ConfigurationResult Load(string rules) => ConfigurationLoader.Load(_folder.Write("posthorn.toml", "hostname = \"mail.example.org\"\ndata = \"data\"\n[[domain]]\nname = \"example.org\"\n" + rules));

    [Fact]
    public void Every_key_is_read()
    {
        _folder.Write("access", "192.0.2.0/24 REJECT\n");
        ConfigurationResult result = Load("""
            [[rule]]
            name = "bad neighbours"
            stage = "connect"
            client = ["!192.0.2.5", "192.0.2.0/24"]
            client-name = ".example.net"
            trusted = false
            dns-lists = ["zen.spamhaus.org=127.0.0.[2..11]*3", "list.dnswl.org=127.0.[0..255].[1..3]*-2"]
            dns-score = 3
            action = "reject"
            reply = "550 5.7.1 {client} is in {list}"
            [[rule]]
            stage = "sender"
            listeners = ["submission", "submissions"]
            helo = "x.example"
            sender = "<>"
            authenticated = true
            account = "example.org"
            tls = true
            login-mismatch = false
            action = "defer"
            reply = "Slowly"
            [[rule]]
            recipient = "ann@example.org"
            action = "redirect"
            to = "bob@example.org"
            [[rule]]
            action = "prepend"
            header = "X-A: b"
            [[rule]]
            action = "hold"
            reason = "odd"
            [[rule]]
            stage = "data"
            action = "ask"
            server = "inet:127.0.0.1:10023"
            timeout = "20s"
            on-failure = "DUNNO"
            [[rule]]
            stage = "message"
            action = "ask"
            server = "unix:/run/policy"
            [[rule]]
            lookup = ["hash:access", "blocked"]
            lookup-key = "sender"
            action = "lookup"
            [[rule]]
            lookup = "blocked"
            lookup-key = "client"
            action = "reject"
            [[lookup]]
            name = "blocked"
            source = "cidr:access"
            """);
        Assert.False(result.HasErrors, string.Join('\n', result.Problems));
        IReadOnlyList<RuleSection> rules = result.Configuration!.Rules;
        Assert.Equal("posthorn.toml:5 (bad neighbours)", rules[0].Rule.Label);
        Assert.Equal([CheckStage.Connect, CheckStage.Sender, CheckStage.Recipient, CheckStage.Recipient, CheckStage.Recipient, CheckStage.Data, CheckStage.Message, CheckStage.Recipient, CheckStage.Recipient], rules.Select(rule => rule.Rule.Stage));
        Assert.Equal(4, rules[0].Rule.Conditions.Count);
        Assert.Equal("550 5.7.1 {client} is in {list}", Refusal(rules[0]));
        Assert.Equal(["submission", "submissions"], rules[1].Rule.Listeners.Order(StringComparer.Ordinal));
        Assert.Equal(6, rules[1].Rule.Conditions.Count);
        Assert.Equal("450 4.7.1 Slowly", Refusal(rules[1]));
        Assert.Equal("127.0.0.1:10023", rules[5].Server!.Place.ToString());
        Assert.Equal(TimeSpan.FromSeconds(20), rules[5].Server!.Timeout);
        Assert.IsType<PolicyAction.Pass>(rules[5].OnFailure);
        Assert.IsType<PolicyAction.Refuse>(rules[6].OnFailure);
        Assert.Equal(("blocked", TableKey.Sender), (Assert.IsType<AskTable>(rules[7].Rule.Action).Question.Names[1], Assert.IsType<AskTable>(rules[7].Rule.Action).Question.Key));
        Assert.IsType<IsInTable>(Assert.Single(rules[8].Rule.Conditions));
    }

    [Theory]
    [InlineData("action = \"refuse\"", "'rule.action' is \"refuse\"; expected one of \"permit\"")]
    [InlineData("client = \"192.0.2.0/24\"", "a [[rule]] needs an action")]
    [InlineData("action = \"reject\"\nclient = \"192.0.2.300\"", "'rule.client' names \"192.0.2.300\"; expected a network")]
    [InlineData("action = \"reject\"\nsender = \"a b\"", "'rule.sender' names \"a b\"; expected an address")]
    [InlineData("action = \"reject\"\nstage = \"helo\"\nrecipient = \"*\"", "'rule.recipient' is not yet known at stage = \"helo\"; it is from \"recipient\" on")]
    [InlineData("action = \"reject\"\nstage = \"connect\"\ndns-lists = \"sender:rhs.example\"", "'rule.dns-lists' is not yet known at stage = \"connect\"; it is from \"sender\" on")]
    [InlineData("action = \"reject\"\ndns-lists = \"a.example=127.0.0\"", "'rule.dns-lists' names \"a.example=127.0.0\"")]
    [InlineData("action = \"reject\"\ndns-score = 3", "counts only with 'dns-lists'")]
    [InlineData("action = \"reject\"\nreply = \"450 4.7.1 x\"", "expected a 5xx reply")]
    [InlineData("action = \"permit\"\nreply = \"x\"", "counts only with action = \"reject\" or \"defer\"")]
    [InlineData("action = \"redirect\"", "needs an address")]
    [InlineData("action = \"prepend\"\nheader = \"no field\"", "needs a field")]
    [InlineData("action = \"ask\"", "needs a 'server'")]
    [InlineData("action = \"reject\"\nserver = \"inet:127.0.0.1:1\"", "needs action = \"ask\"")]
    [InlineData("action = \"ask\"\nserver = \"tcp:1\"", "expected \"unix:/path\" or \"inet:ADDRESS:PORT\"")]
    [InlineData("action = \"ask\"\nserver = \"inet:127.0.0.1:1\"\non-failure = \"maybe\"", "'rule.on-failure': \"MAYBE\" is no action")]
    [InlineData("action = \"reject\"\nlisteners = \"imap\"", "'rule.listeners' names \"imap\"; known are smtp")]
    [InlineData("action = \"lookup\"", "needs a table")]
    [InlineData("action = \"reject\"\nlookup = \"nothing\"\nlookup-key = \"sender\"", "'rule.lookup' names the table \"nothing\", which no [[lookup]] defines")]
    [InlineData("action = \"reject\"\nlookup-key = \"sender\"", "counts only with 'lookup'")]
    [InlineData("action = \"reject\"\nlookup = \"hash:posthorn.toml\"", "'rule.lookup' needs 'lookup-key'")]
    [InlineData("action = \"reject\"\nstage = \"connect\"\nlookup = \"hash:posthorn.toml\"\nlookup-key = \"helo\"", "'rule.lookup-key' is not yet known at stage = \"connect\"")]
    [InlineData("action = \"reject\"\nsendr = \"x\"", "did you mean 'rule.sender'?")]
    public void Each_mistake_is_named(string rule, string expected)
    {
        ConfigurationResult result = Load("[[rule]]\n" + rule);
        Assert.Contains(result.Problems, problem => problem.Text.Contains(expected, StringComparison.Ordinal));
        Assert.All(result.Problems.Where(problem => !problem.IsWarning), problem => Assert.InRange(problem.Place.Line, 5, 9));
    }

    private static string Refusal(RuleSection rule) => Assert.IsType<PolicyAction.Refuse>(Assert.IsType<FixedAction>(rule.Rule.Action).Action).Reply.ToString();
}
