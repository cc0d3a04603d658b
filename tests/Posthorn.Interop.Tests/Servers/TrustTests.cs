using System.Globalization;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Posthorn.Interop.Tests.Harness;

namespace Posthorn.Interop.Tests.Servers;

/// <summary>DANE with a signed zone and a validating unbound, MTA-STS over HTTPS on loopback: mail goes where it may and nowhere else.</summary>
public sealed class TrustTests
{
    private const string Zone = "posthorn-trust.net";

    [Fact]
    public async Task Signed_zones_and_policies_say_where_mail_may_go()
    {
        using TemporaryFolder folder = new();
        using TestAuthority authority = new();
        using X509Certificate2 shown = authority.Issue($"mx.dane.{Zone}", $"mx.sts.{Zone}"), web = authority.Issue($"mta-sts.sts.{Zone}", $"mta-sts.stsbad.{Zone}");
        await using ScriptedPeer peer = new() { Certificate = shown, Extensions = ["PIPELINING", "8BITMIME", "REQUIRETLS"] };
        int port = peer.Listen().Port;
        using Socket listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen();
        using CancellationTokenSource stop = new();
        Task serving = ServePoliciesAsync(listener, web, stop.Token);
        string key = Convert.ToHexString(SHA256.HashData(shown.PublicKey.ExportSubjectPublicKeyInfo())), wrong = new('A', 64);
        StringBuilder records = new();
        foreach ((string name, string? tlsa) in ((string, string?)[])[("dane", key), ("wrong", wrong), ("bogus", key), ("sts", null), ("stsbad", null)])
        {
            records.Append(CultureInfo.InvariantCulture, $"{name} IN MX 10 mx.{name}.{Zone}.\nmx.{name} IN A 127.0.0.1\n");
            if (tlsa is not null) records.Append(CultureInfo.InvariantCulture, $"_{port}._tcp.mx.{name} IN TLSA 3 1 1 {tlsa}\n");
            else records.Append(CultureInfo.InvariantCulture, $"_mta-sts.{name} IN TXT \"v=STSv1; id=1\"\nmta-sts.{name} IN A 127.0.0.1\n");
        }
        // Another key in the signed record: what an attacker would put there.
        string Forge(string signed) => string.Join('\n', signed.Split('\n').Select(line =>
            line.StartsWith(string.Create(CultureInfo.InvariantCulture, $"_{port}._tcp.mx.bogus."), StringComparison.Ordinal) && line.Contains("TLSA\t3", StringComparison.Ordinal) ? line.Replace(key.ToLowerInvariant(), wrong, StringComparison.OrdinalIgnoreCase) : line));
        using SignedZone zone = await SignedZone.StartAsync(folder.Path, Zone, records.ToString(), Forge);

        await using PosthornProcess server = await ServeAsync(folder.Path, authority, zone.ResolverPort, port, ((IPEndPoint)listener.LocalEndPoint!).Port);
        foreach (string name in (string[])["dane", "wrong", "bogus", "sts", "stsbad"])
            await SubmitAsync(server, $"carl@{name}.{Zone}", name == "dane" ? " REQUIRETLS" : "");
        using CancellationTokenSource patience = new(TimeSpan.FromSeconds(60));
        while (peer.Messages.Count < 2 || Deferred(server).Count < 3)
        {
            try { await Task.Delay(50, patience.Token); }
            catch (OperationCanceledException) { Assert.Fail($"{peer.Messages.Count} messages arrived\n{server.Log}"); }
        }
        Assert.Equal([$"<carl@dane.{Zone}>", $"<carl@sts.{Zone}>"], peer.Messages.SelectMany(message => message.To).Select(to => to.Split(' ')[0].Trim()).Order());
        Assert.Contains(peer.Messages, message => message.From.Contains("REQUIRETLS", StringComparison.Ordinal));
        Assert.Equal(["bogus", "stsbad", "wrong"], Deferred(server));
        await stop.CancelAsync();
        await serving;
    }

    private static List<string> Deferred(PosthornProcess server) =>
        [.. new[] { "bogus", "stsbad", "wrong" }.Where(name => server.Log.Split('\n').Any(line => line.Contains("deferred", StringComparison.Ordinal) && line.Contains($"carl@{name}.", StringComparison.Ordinal) && line.Contains("4.7.5", StringComparison.Ordinal)))];

    private static async Task SubmitAsync(PosthornProcess server, string to, string parameters)
    {
        await using RawClient client = await RawClient.ConnectAsync(server.Port("smtp"));
        await client.ReplyAsync();
        await client.CommandAsync("EHLO tester.example");
        Assert.StartsWith("220", await client.CommandAsync("STARTTLS"), StringComparison.Ordinal);
        await client.StartTlsAsync();
        Assert.Contains("REQUIRETLS", await client.CommandAsync("EHLO tester.example"), StringComparison.Ordinal);
        Assert.StartsWith("250", await client.CommandAsync($"MAIL FROM:<ann@posthorn.test>{parameters}"), StringComparison.Ordinal);
        Assert.StartsWith("250", await client.CommandAsync($"RCPT TO:<{to}>"), StringComparison.Ordinal);
        Assert.StartsWith("354", await client.CommandAsync("DATA"), StringComparison.Ordinal);
        Assert.StartsWith("250", await client.CommandAsync("Subject: x\r\n\r\nx\r\n."), StringComparison.Ordinal);
    }

    // A web server of one page, whatever is asked for.
    private static async Task ServePoliciesAsync(Socket listener, X509Certificate2 certificate, CancellationToken stop)
    {
        while (true)
        {
            Socket socket;
            try { socket = await listener.AcceptAsync(stop); }
            catch (OperationCanceledException) { return; }
            await using SslStream tls = new(new NetworkStream(socket, ownsSocket: true));
            try
            {
                await tls.AuthenticateAsServerAsync(new SslServerAuthenticationOptions { ServerCertificate = certificate }, stop);
                using StreamReader reader = new(tls, Encoding.ASCII, false, 1024, leaveOpen: true);
                while (await reader.ReadLineAsync(stop) is { Length: > 0 }) { }
                string policy = $"version: STSv1\r\nmode: enforce\r\nmx: *.sts.{Zone}\r\nmx: *.stsbad.{Zone}\r\nmax_age: 86400\r\n";
                await tls.WriteAsync(Encoding.ASCII.GetBytes($"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {policy.Length}\r\nConnection: close\r\n\r\n{policy}"), stop);
            }
            catch (Exception e) when (e is IOException or System.Security.Authentication.AuthenticationException) { /* the client thought better of it */ }
        }
    }

    private static async Task<PosthornProcess> ServeAsync(string folder, TestAuthority authority, int dns, int port, int web)
    {
        string root = Path.Combine(folder, "posthorn");
        Folder.CreateDirectory(root);
        (string certificate, string key) = TestCertificate.WritePem(TestCertificate.Shared, root);
        await File.WriteAllTextAsync(Path.Combine(root, "authority.pem"), authority.Certificate.ExportCertificatePem());
        string configuration = Path.Combine(root, "posthorn.toml");
        await File.WriteAllTextAsync(configuration, string.Create(CultureInfo.InvariantCulture, $"""
            hostname = "mail.posthorn.test"
            data = "data"
            [[domain]]
            name = "posthorn.test"
            [tls]
            certificate = "{certificate}"
            key = "{key}"
            [listen]
            smtp = ["127.0.0.1:0"]
            [dns]
            servers = ["127.0.0.1:{dns}"]
            [outbound]
            port = {port}
            policy-port = {web}
            authorities = "authority.pem"
            """));
        return await PosthornProcess.ServeAsync(configuration);
    }
}
