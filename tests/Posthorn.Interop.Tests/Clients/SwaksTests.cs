using System.Text;
using Posthorn.Interop.Tests.Harness;

namespace Posthorn.Interop.Tests.Clients;

/// <summary>swaks: plain, STARTTLS, TLS from the start, login.</summary>
public sealed class SwaksTests
{
    private static readonly string Swaks = "swaks";

    [Fact]
    public async Task Delivers_in_clear_text_on_the_mx_port()
    {
        string swaks = Peer.Require(Swaks, "swaks");
        await using PosthornProcess server = await PosthornProcess.StartAsync();
        await Peer.SucceedAsync(swaks, Arguments(server, "smtp", "--from", "x@elsewhere.example", "--to", server["ann"].Address, "--body", "plain"));
        await AssertLastAsync(server, "plain", "with ESMTP ");
    }

    [Fact]
    public async Task Delivers_with_starttls_and_says_so_in_received()
    {
        string swaks = Peer.Require(Swaks, "swaks");
        await using PosthornProcess server = await PosthornProcess.StartAsync();
        await Peer.SucceedAsync(swaks, Arguments(server, "smtp", "-tls", "--from", "x@elsewhere.example", "--to", server["ann"].Address, "--body", "secret"));
        await AssertLastAsync(server, "secret", "with ESMTPS ");
        await AssertLastAsync(server, "secret", "TLSv1.3 with cipher");
    }

    [Theory]
    [InlineData("submission", "-tls", "PLAIN")]
    [InlineData("submission", "-tls", "LOGIN")]
    [InlineData("submissions", "-tlsc", "PLAIN")]
    public async Task Submits_after_login(string listener, string tls, string mechanism)
    {
        string swaks = Peer.Require(Swaks, "swaks");
        await using PosthornProcess server = await PosthornProcess.StartAsync();
        Account ann = server["ann"];
        await Peer.SucceedAsync(swaks, Arguments(server, listener, tls, "--auth", mechanism, "--auth-user", ann.Login, "--auth-password", ann.Password,
            "--from", ann.Address, "--to", server["bob"].Address, "--body", "submitted"));
        await AssertLastAsync(server, "submitted", "with ESMTPSA ", "bob");
    }

    [Fact]
    public async Task A_wrong_password_is_refused()
    {
        string swaks = Peer.Require(Swaks, "swaks");
        await using PosthornProcess server = await PosthornProcess.StartAsync();
        Account ann = server["ann"];
        PeerResult result = await Peer.RunAsync(swaks, [.. Arguments(server, "submission", "-tls", "--auth", "PLAIN", "--auth-user", ann.Login, "--auth-password", "wrong", "--from", ann.Address, "--to", ann.Address)]);
        Assert.Equal(28, result.Status); // swaks: authentication failed
        Assert.Contains("535 5.7.8", result.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("wrong", server.Log, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Login_is_not_offered_without_tls_off_trusted_networks_nor_on_the_mx_port()
    {
        string swaks = Peer.Require(Swaks, "swaks");
        await using PosthornProcess server = await PosthornProcess.StartAsync();
        PeerResult result = await Peer.RunAsync(swaks, [.. Arguments(server, "smtp", "--quit-after", "EHLO")]);
        Assert.DoesNotContain("AUTH", result.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Lmtp_answers_for_each_recipient()
    {
        string swaks = Peer.Require(Swaks, "swaks");
        await using PosthornProcess server = await PosthornProcess.StartAsync();
        PeerResult result = await Peer.SucceedAsync(swaks, Arguments(server, "lmtp", "--protocol", "LMTP", "--from", "x@elsewhere.example",
            "--to", $"{server["ann"].Address},{server["bob"].Address}", "--body", "by lmtp"));
        Assert.Equal(2, result.Output.Split('\n').Count(l => l.Contains("250 2.", StringComparison.Ordinal) && l.Contains('@', StringComparison.Ordinal) && l.StartsWith("<-", StringComparison.Ordinal)));
        await AssertLastAsync(server, "by lmtp", "with LMTP ");
        await AssertLastAsync(server, "by lmtp", "with LMTP ", "bob");
    }

    [Fact]
    public async Task An_unknown_recipient_is_refused_at_rcpt()
    {
        string swaks = Peer.Require(Swaks, "swaks");
        await using PosthornProcess server = await PosthornProcess.StartAsync();
        PeerResult result = await Peer.RunAsync(swaks, [.. Arguments(server, "smtp", "--from", "x@elsewhere.example", "--to", "nobody@posthorn.test")]);
        Assert.Equal(24, result.Status); // swaks: no recipient accepted
        Assert.Contains("550 5.1.1", result.Output, StringComparison.Ordinal);
    }

    private static IEnumerable<string> Arguments(PosthornProcess server, string listener, params string[] more) =>
        ["--server", "127.0.0.1", "--port", server.Port(listener).ToString(System.Globalization.CultureInfo.InvariantCulture), "--helo", "client.example", .. more];

    private static async Task AssertLastAsync(PosthornProcess server, string body, string header, string account = "ann")
    {
        string last = Encoding.UTF8.GetString((await Mail.ReadAllAsync(server, server[account]))[^1]);
        Assert.Contains(body, last, StringComparison.Ordinal);
        Assert.Contains(header, last.ReplaceLineEndings(" ").Replace("\t", "", StringComparison.Ordinal), StringComparison.Ordinal);
    }
}
