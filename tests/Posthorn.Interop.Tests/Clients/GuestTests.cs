using System.Text;
using Posthorn.Interop.Tests.Harness;

namespace Posthorn.Interop.Tests.Clients;

/// <summary>Real programs that speak for others: swaks with PROXY headers and XCLIENT, Postfix with XFORWARD.</summary>
public sealed class GuestTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("1", "TCP4", "198.51.100.7", "192.0.2.1", "[198.51.100.7]")]
    [InlineData("1", "TCP6", "2001:db8::7", "2001:db8::1", "[IPv6:2001:db8::7]")]
    [InlineData("2", "AF_INET", "198.51.100.8", "192.0.2.1", "[198.51.100.8]")]
    [InlineData("2", "AF_INET6", "2001:db8::8", "2001:db8::1", "[IPv6:2001:db8::8]")]
    public async Task Swaks_behind_a_proxy_is_the_client_that_the_proxy_names(string version, string family, string source, string destination, string expected)
    {
        string swaks = Peer.Require("swaks", "swaks");
        (Account ann, string configuration) = await PrepareAsync("smtp = [{ address = \"127.0.0.1:0\", proxy = [\"127.0.0.0/8\"] }]", "");
        await using PosthornProcess server = await PosthornProcess.ServeAsync(configuration);
        await Peer.SucceedAsync(swaks, [.. To(server, ann), "-tls", "--proxy-version", version, "--proxy-family", family, "--proxy-source", source, "--proxy-source-port", "4711", "--proxy-dest", destination, "--proxy-dest-port", "25"]);
        Assert.Contains($"from client.example ({expected})", await LastAsync(server, ann), StringComparison.Ordinal);
        Assert.Contains("with ESMTPS ", await LastAsync(server, ann), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("send-proxy")]
    [InlineData("send-proxy-v2")]
    public async Task Haproxy_says_who_the_client_is_and_its_checks_are_no_errors(string version)
    {
        string haproxy = Peer.Require("haproxy", "haproxy"), swaks = Peer.Require("swaks", "swaks");
        (Account ann, string configuration) = await PrepareAsync("smtp = [{ address = \"127.0.0.1:0\", proxy = [\"127.0.0.1\"] }]", "");
        await using PosthornProcess server = await PosthornProcess.ServeAsync(configuration);
        int port = Ports.Free();
        string file = _folder.Write("haproxy.cfg", string.Create(System.Globalization.CultureInfo.InvariantCulture, $"""
            defaults
              mode tcp
              timeout connect 30s
              timeout client 60s
              timeout server 60s
              timeout check 60s
            listen mail
              bind 127.0.0.1:{port}
              option smtpchk EHLO haproxy
              server posthorn 127.0.0.1:{server.Port("smtp")} check inter 1s check-send-proxy {version}

            """));
        using Daemon proxy = Daemon.Start(haproxy, "-db", "-f", file);
        await FilterServer.ReadyAsync(port);
        await Peer.SucceedAsync(swaks, ["--server", "127.0.0.1", "--port", port.ToString(System.Globalization.CultureInfo.InvariantCulture), "--local-interface", "127.0.0.9", "-tls",
            "--helo", "client.example", "--from", "x@elsewhere.example", "--to", ann.Address, "--body", "by haproxy"]);
        Assert.Contains("from client.example ([127.0.0.9])", await LastAsync(server, ann), StringComparison.Ordinal);
        await server.StopAsync();
        Assert.DoesNotContain("PROXY header", server.Log, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task Swaks_speaks_for_a_client_by_xclient_where_it_may()
    {
        string swaks = Peer.Require("swaks", "swaks");
        (Account ann, string configuration) = await PrepareAsync(null, "xclient = [\"127.0.0.1\"]");
        await using PosthornProcess server = await PosthornProcess.ServeAsync(configuration);
        await Peer.SucceedAsync(swaks, [.. To(server, ann), "--xclient-addr", "198.51.100.9", "--xclient-name", "host.example.net", "--xclient-helo", "said by xclient".Split(' ')[0]]);
        Assert.Contains("([198.51.100.9])", await LastAsync(server, ann), StringComparison.Ordinal);
        Assert.Contains("xclient", server.Log, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Postfix_says_from_whom_it_had_the_mail_by_xforward()
    {
        string postfix = Peer.Require("postfix", "postfix");
        if (!Environment.IsPrivilegedProcess) Assert.Skip("needs root: Postfix's master runs as root");
        (Account ann, string configuration) = await PrepareAsync(null, "xforward = [\"127.0.0.1\"]");
        await using PosthornProcess server = await PosthornProcess.ServeAsync(configuration);
        await using PostfixServer peer = await PostfixServer.StartAsync(postfix, _folder.Path, Ports.Free(), $"[127.0.0.1]:{server.Port("smtp")}");
        await Peer.SucceedAsync("postconf", ["-c", peer.ConfigurationFolder, "-e", "smtp_send_xforward_command=yes"]);
        await Peer.SucceedAsync(postfix, ["-c", peer.ConfigurationFolder, "reload"]);
        await Peer.SucceedAsync("/usr/sbin/sendmail", ["-C", peer.ConfigurationFolder, "-f", "carl@foreign.example", ann.Address], "Subject: from postfix\n\nhello\n");
        string mail = Encoding.ASCII.GetString((await Mail.WaitForAsync(server, ann, 2))[^1]);
        Assert.Contains("Subject: from postfix", mail, StringComparison.Ordinal);
        Assert.Contains("xforward", server.Log, StringComparison.Ordinal);
        Assert.Contains("source=LOCAL", server.Log, StringComparison.Ordinal);
    }

    // A quickstart's folder, with another way in.
    private async Task<(Account Ann, string Configuration)> PrepareAsync(string? smtp, string network)
    {
        Account ann;
        await using (PosthornProcess quick = await PosthornProcess.StartAsync(directory: Path.Combine(_folder.Path, "q")))
        {
            ann = quick["ann"];
            await quick.StopAsync();
        }
        string configuration = Path.Combine(_folder.Path, "q", "posthorn.toml");
        string text = await File.ReadAllTextAsync(configuration);
        if (smtp is not null)
        {
            Assert.Contains("smtp = [\"127.0.0.1:0\"]", text, StringComparison.Ordinal);
            text = text.Replace("smtp = [\"127.0.0.1:0\"]", smtp, StringComparison.Ordinal);
        }
        if (network.Length > 0) text = text.Contains("[network]", StringComparison.Ordinal) ? text.Replace("[network]", "[network]\n" + network, StringComparison.Ordinal) : text + "\n[network]\n" + network + "\n";
        await File.WriteAllTextAsync(configuration, text);
        return (ann, configuration);
    }

    private static IEnumerable<string> To(PosthornProcess server, Account ann) =>
        ["--server", "127.0.0.1", "--port", server.Port("smtp").ToString(System.Globalization.CultureInfo.InvariantCulture), "--helo", "client.example", "--from", "x@elsewhere.example", "--to", ann.Address, "--body", "by proxy"];

    private static async Task<string> LastAsync(PosthornProcess server, Account ann) => Encoding.UTF8.GetString((await Mail.WaitForAsync(server, ann, 2))[^1]);
}
