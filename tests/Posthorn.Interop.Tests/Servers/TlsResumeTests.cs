using Posthorn.Interop.Tests.Harness;

namespace Posthorn.Interop.Tests.Servers;

/// <summary>Clients may take up a TLS session again, but for listeners that do not offer it: openssl says what it got.</summary>
public sealed class TlsResumeTests
{
    [Theory]
    [InlineData("", "-tls1_2", true)]
    [InlineData(", tls-resume = false", "-tls1_2", false)]
    [InlineData(", tls-resume = false", "-tls1_3", false)]
    public async Task Sessions_are_taken_up_where_that_is_offered(string option, string version, bool resumes)
    {
        string openssl = Peer.Require("openssl", "openssl");
        using TemporaryFolder folder = new();
        (PosthornProcess server, _) = await QuickServer.StartAsync(folder.Path, text => text.Replace("smtp = [\"127.0.0.1:0\"]", $"smtp = [{{ address = \"127.0.0.1:0\"{option} }}]", StringComparison.Ordinal));
        await using PosthornProcess running = server;
        string session = Path.Combine(folder.Path, "session");
        string[] Arguments(params string[] more) => ["s_client", "-connect", $"127.0.0.1:{server.Port("smtp")}", "-servername", "mail.posthorn.test", "-starttls", "smtp", version, .. more];
        await Peer.RunAsync(openssl, Arguments("-sess_out", session), "QUIT\r\n", null);
        PeerResult again = await Peer.RunAsync(openssl, File.Exists(session) ? Arguments("-sess_in", session) : Arguments(), "QUIT\r\n", null);
        Assert.Contains(resumes ? "Reused, TLS" : "New, TLS", again.Output, StringComparison.Ordinal);
        Assert.DoesNotContain(resumes ? "New, TLS" : "Reused, TLS", again.Output, StringComparison.Ordinal);
    }
}
