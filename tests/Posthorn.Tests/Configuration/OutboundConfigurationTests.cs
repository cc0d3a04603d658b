using Posthorn.Configuration;
using Posthorn.Core;
using Posthorn.Testing;
using Posthorn.Transport;

namespace Posthorn.Tests.Configuration;

/// <summary>Routes, relay hosts and TLS policies in the configuration, and what <c>check</c> says of mistakes.</summary>
public sealed class OutboundConfigurationTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private ConfigurationResult Load(string outbound) => ConfigurationLoader.Load(_folder.Write("posthorn.toml", "hostname = \"mail.example.org\"\ndata = \"data\"\n[[domain]]\nname = \"example.org\"\n" + outbound));

    [Fact]
    public void Every_kind_of_route_is_read()
    {
        _folder.Write("secret", "s3cret\n");
        ConfigurationResult result = Load("""
            lmtp = "/run/dovecot/lmtp"
            [outbound]
            relay-host = "smtp.example.net"
            relay-port = 465
            relay-user = "me"
            relay-password = { file = "secret" }
            relay-tls = "verify"
            fallback-host = "backup.example.net"
            tls = "encrypt"
            addresses = "prefer-ipv4"
            [[outbound.route]]
            to = ["Bücher.example", ".below.example"]
            tls = "dane-only"
            [[outbound.route]]
            from = ["shop.example", "<>"]
            host = "smtp.mailer.example"
            protocol = "smtps"
            user = "shop"
            password = "p"
            mechanisms = "xoauth2"
            tls-minimum = "1.3"
            [[outbound.route]]
            to = "ann@partner.example"
            socket = "/run/lmtp"
            [[outbound.route]]
            to = "backup.example"
            accept = true
            host = "192.0.2.7"
            port = 2525
            tls = "fingerprint"
            fingerprints = "AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99"
            [[outbound.route]]
            to = "dead.example"
            refuse = "550 5.1.2 That company is gone"
            """);
        Assert.False(result.HasErrors, string.Join('\n', result.Problems));
        OutboundOptions options = result.Configuration!.Outbound.Options;
        Assert.Equal("/run/dovecot/lmtp", Assert.IsType<NextHop.Lmtp>(options.Behind[DomainName.Create("example.org")]).EndPoint.ToString());
        NextHop.Host relay = Assert.IsType<NextHop.Host>(options.Relay);
        Assert.Equal(("smtp.example.net", 465, true, "me", "s3cret", OutboundTls.Verify), (relay.Name, relay.Port, relay.ImplicitTls, relay.Login!.User, relay.Login.Password, relay.Tls!.Level));
        Assert.Equal("backup.example.net", options.Fallback!.Name);
        Assert.Equal((OutboundTls.Encrypt, AddressPreference.PreferIPv4), (options.Tls.Level, options.Addresses));
        NextHop Find(string to, string from) => options.Routes.First(rule => rule.Matches(EmailAddress.Parse(to), from.Length == 0 ? ReversePath.Null : ReversePath.Of(EmailAddress.Parse(from)))).Hop;
        Assert.Equal(OutboundTls.DaneOnly, Assert.IsType<NextHop.Mx>(Find("x@bücher.example", "a@b.example")).Tls!.Level);
        Assert.Equal(OutboundTls.DaneOnly, Assert.IsType<NextHop.Mx>(Find("x@a.below.example", "a@b.example")).Tls!.Level);
        NextHop.Host mailer = Assert.IsType<NextHop.Host>(Find("x@any.example", "a@shop.example"));
        Assert.Equal(("smtp.mailer.example", 465, true, "XOAUTH2", true), (mailer.Name, mailer.Port, mailer.ImplicitTls, Assert.Single(mailer.Login!.Mechanisms), mailer.Tls!.OnlyTls13));
        Assert.Same(mailer, Find("x@any.example", ""));
        Assert.IsType<NextHop.Lmtp>(Find("Ann@partner.example", "a@b.example"));
        Assert.Equal(64, Assert.Single(Assert.IsType<NextHop.Host>(Find("x@backup.example", "a@b.example")).Tls!.Fingerprints).Length);
        Assert.Equal("5.1.2", Assert.IsType<NextHop.Refuse>(Find("x@dead.example", "a@b.example")).Reply.Status);
        Assert.DoesNotContain(options.Routes, rule => rule.Matches(EmailAddress.Parse("x@else.example"), ReversePath.Of(EmailAddress.Parse("a@b.example"))));
    }

    [Theory]
    [InlineData("smtp.example.net", "smtp.example.net", 25)]
    [InlineData("Smtp.Example.net.", "smtp.example.net", 25)]
    [InlineData("smtp.example.net:587", "smtp.example.net", 587)]
    [InlineData("[smtp.example.net]:587", "smtp.example.net", 587)]
    [InlineData("[smtp.example.net]", "smtp.example.net", 25)]
    [InlineData("192.0.2.7:2525", "192.0.2.7", 2525)]
    [InlineData("2001:db8::25", "2001:db8::25", 25)]
    [InlineData("[2001:db8::25]:587", "2001:db8::25", 587)]
    [InlineData("mail_relay", "mail_relay", 25)]
    public void Hosts_are_named_in_every_usual_way(string text, string name, int port)
    {
        ConfigurationResult result = Load($"[outbound]\nrelay-host = \"{text}\"\nfallback-host = \"{text}\"\n[[outbound.route]]\nto = \"a.example\"\nhost = \"{text}\"\n");
        Assert.False(result.HasErrors, string.Join('\n', result.Problems));
        OutboundOptions options = result.Configuration!.Outbound.Options;
        foreach (NextHop? hop in (NextHop?[])[options.Relay, options.Fallback, Assert.Single(options.Routes).Hop])
        {
            NextHop.Host host = Assert.IsType<NextHop.Host>(hop);
            Assert.Equal((name, port), (host.Name, host.Port));
        }
    }

    /// <summary>A server that is to get a password proves who it is, unless it is said otherwise; and then the administrator hears what comes of it.</summary>
    [Theory]
    [InlineData("", null, false)]
    [InlineData("tls-minimum = \"1.3\"", OutboundTls.Verify, false)]
    [InlineData("certificate-names = \"else.example\"", OutboundTls.Verify, false)]
    [InlineData("tls = \"verify\"", OutboundTls.Verify, false)]
    [InlineData("tls = \"encrypt\"", OutboundTls.Encrypt, true)]
    [InlineData("tls = \"may\"", OutboundTls.May, true)]
    [InlineData("tls = \"dane\"", OutboundTls.Dane, true)]
    [InlineData("tls = \"dane-only\"", OutboundTls.DaneOnly, false)]
    [InlineData("tls = \"encrypt\"\nmechanisms = \"SCRAM-SHA-256\"", OutboundTls.Encrypt, false)]
    public void A_login_wants_proof(string keys, OutboundTls? level, bool warns)
    {
        string relay = string.Concat(keys.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(key => $"relay-{key}\n"));
        foreach (string host in (string[])["smtp.example.net", "127.0.0.1"])
        {
            ConfigurationResult result = Load($"[outbound]\nrelay-host = \"{host}\"\nrelay-user = \"u\"\nrelay-password = \"p\"\n{relay}[[outbound.route]]\nto = \"a.example\"\nhost = \"{host}\"\nuser = \"u\"\npassword = \"p\"\n{keys}\n");
            Assert.False(result.HasErrors, string.Join('\n', result.Problems));
            OutboundOptions options = result.Configuration!.Outbound.Options;
            Assert.Equal((level, level), (options.Relay!.Tls?.Level, Assert.Single(options.Routes).Hop.Tls?.Level));
            Assert.Equal(warns && host != "127.0.0.1" ? 2 : 0, result.Problems.Count(problem => problem.ToString().Contains("by SCRAM alone", StringComparison.Ordinal)));
        }
    }

    [Theory]
    [InlineData("tls = \"sometimes\"", "one of \"none\", \"may\"")]
    [InlineData("tls = \"fingerprint\"", "there are no 'fingerprints'")]
    [InlineData("fingerprints = \"AA\"", "64 hexadecimal digits")]
    [InlineData("relay-user = \"me\"", "needs both 'relay-user' and 'relay-password'")]
    [InlineData("relay-user = \"me\"\nrelay-password = \"p\"", "'outbound.relay-host' is missing")]
    [InlineData("relay-host = \"h\"\nrelay-user = \"me\"\nrelay-password = \"p\"\nrelay-tls = \"none\"", "passwords never go out in clear text")]
    [InlineData("relay-mechanisms = \"CRAM-MD5\"", "known are SCRAM-SHA-256")]
    [InlineData("bind-ipv4 = \"::1\"", "expected an address of this host")]
    [InlineData("authorities = \"/nonexistent.pem\"", "/nonexistent.pem")]
    [InlineData("[[outbound.route]]\nto = \"a b\"", "expected a domain")]
    [InlineData("[[outbound.route]]\nto = \"*\"\nhost = \"h\"\naccept = true", "open relay")]
    [InlineData("[[outbound.route]]\nto = \".example\"\nhost = \"h\"\naccept = true", "open relay")]
    [InlineData("[[outbound.route]]\nhost = \"h\"\nsocket = \"/s\"", "not several")]
    [InlineData("[[outbound.route]]\nsocket = \"/s\"\nprotocol = \"smtp\"", "'socket' goes with protocol")]
    [InlineData("[[outbound.route]]\nport = 26", "go with a 'host'")]
    [InlineData("[[outbound.route]]\nhost = \"mail.example\"\nprotocol = \"lmtp\"", "with LMTP expected an address")]
    [InlineData("[[outbound.route]]\nuser = \"u\"\npassword = \"p\"", "needs a 'host'")]
    [InlineData("[[outbound.route]]\nrefuse = \"no\"", "expected a reply such as")]
    [InlineData("[[outbound.route]]\nto = \"example.org\"\nhost = \"h\"", "is never used")]
    [InlineData("[[outbound.route]]\nto = \"x.example\"\ntls = \"dane-only\"\n[dns]\nservers = [\"192.0.2.53\"]", "wait for ever")]
    [InlineData("relay-host = \"http://x\"", "'outbound.relay-host' is \"http://x\"; expected the name or the address of a host")]
    [InlineData("relay-host = \"smtp example\"", "with its port in 'relay-port' or as in")]
    [InlineData("relay-host = \"smtp.example.net:0\"", "expected the name or the address")]
    [InlineData("relay-host = \"smtp.example.net:\"", "expected the name or the address")]
    [InlineData("relay-host = \"192.0.2.256\"", "expected the name or the address")]
    [InlineData("relay-host = \"[smtp.example.net]587\"", "expected the name or the address")]
    [InlineData("relay-host = \"smtp.example.net:587\"\nrelay-port = 25", "'relay-port' is 25: say the port once")]
    [InlineData("fallback-host = \"a b\"", "'outbound.fallback-host' is")]
    [InlineData("[[outbound.route]]\nhost = \"a b\"", "'outbound.route.host' is \"a b\"")]
    [InlineData("[[outbound.route]]\nhots = \"h\"", "did you mean 'outbound.route.host'")]
    public void Mistakes_are_explained(string outbound, string expected)
    {
        ConfigurationResult result = Load("[outbound]\n" + outbound);
        Assert.Contains(result.Problems, problem => problem.ToString().Contains(expected, StringComparison.Ordinal));
    }
}
