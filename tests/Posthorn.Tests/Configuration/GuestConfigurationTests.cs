using System.Net;
using Posthorn.Configuration;
using Posthorn.Net;
using Posthorn.Testing;

namespace Posthorn.Tests.Configuration;

/// <summary>Proxies, servers before this one, and limits by address in the configuration.</summary>
public sealed class GuestConfigurationTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private ConfigurationResult Load(string rest) => ConfigurationLoader.Load(_folder.Write("posthorn.toml", "hostname = \"mail.example.org\"\ndata = \"data\"\n[[domain]]\nname = \"example.org\"\n" + rest));

    [Fact]
    public void Every_key_is_read()
    {
        ConfigurationResult result = Load("""
            [listen]
            smtp = [":25", { address = "127.0.0.1:2525", proxy = ["10.0.0.0/8", "2001:db8::5"] }]
            imap = { address = ":143", proxy = "10.1.1.1" }
            [network]
            xclient = "10.0.0.0/8"
            xforward = ["127.0.0.1/32"]
            [limits]
            ipv6-prefix = 56
            rate-window = "5m"
            connection-rate = 10
            message-rate = 20
            recipient-rate = 30
            failure-window = "1h"
            errors = 40
            failed-logins = 50
            greeting-delay = "4s"
            forbid-early-talk = false
            tarpit = "2s"
            tarpit-after = 3
            """);
        Assert.False(result.HasErrors, string.Join('\n', result.Problems));
        ServerConfiguration configuration = result.Configuration!;
        ListenOptions[] listeners = [.. configuration.Listeners.Select(entry => entry.Options)];
        Assert.Equal(["smtp", "smtp", "imap"], listeners.Select(one => one.Name));
        Assert.True(listeners[0].Proxies.IsEmpty);
        Assert.True(listeners[1].Proxies.Contains(IPAddress.Parse("10.2.3.4")) && listeners[1].Proxies.Contains(IPAddress.Parse("2001:db8::5")) && !listeners[1].Proxies.Contains(IPAddress.Parse("2001:db8::6")));
        Assert.True(listeners[2].Proxies.Contains(IPAddress.Parse("10.1.1.1")));
        // The same file read again is the same: a reload has nothing to start anew for.
        Assert.Equal(listeners, ConfigurationLoader.Load(configuration.File).Configuration!.Listeners.Select(entry => entry.Options));
        Assert.Equal((new RateLimit(10, TimeSpan.FromMinutes(5), 56), new RateLimit(50, TimeSpan.FromHours(1), 56)), (configuration.Limits.Rate(configuration.Limits.ConnectionRate), configuration.Limits.Failures(configuration.Limits.FailedLogins)));
        Assert.Equal(("10.0.0.0/8", "127.0.0.1/32"), (configuration.Network.XClient.Single().ToString(), configuration.Network.XForward.Single().ToString()));
        Assert.Equal((4, false, 2, 3), (configuration.Limits.GreetingDelay.Seconds, configuration.Limits.ForbidEarlyTalk, configuration.Limits.Tarpit.Seconds, configuration.Limits.TarpitAfter));
    }

    [Theory]
    [InlineData("[listen]\nsmtp = { address = \":25\", proxy = \"0.0.0.0/0\" }", "everybody could claim any address")]
    [InlineData("[listen]\nsmtp = { address = \":25\", proxy = [\"10.0.0.300\"] }", "expected a network or an address")]
    [InlineData("[listen]\nsmtp = { address = \":25\", proxi = \"10.0.0.1\" }", "unknown key 'listen.smtp.proxi'; known beside 'address': proxy, tls-resume")]
    [InlineData("[listen]\nsmtp = { address = \":25\", tls-resume = 1 }", "expected true or false")]
    [InlineData("[listen]\nsmtp = { address = 25 }", "'listen.smtp.address' is the number 25")]
    [InlineData("[network]\nxclient = \"::/0\"", "everybody could send as anybody")]
    [InlineData("[limits]\nipv6-prefix = 8", "expected a number from 32 to 128")]
    public void Each_mistake_is_named(string rest, string expected) => Assert.Contains(Load(rest).Problems, problem => problem.Text.Contains(expected, StringComparison.Ordinal));
}
