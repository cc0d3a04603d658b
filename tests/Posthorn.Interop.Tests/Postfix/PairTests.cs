using System.Globalization;
using System.Text;
using Posthorn.Interop.Tests.Harness;
using Posthorn.Interop.Tests.Servers;

namespace Posthorn.Interop.Tests.Postfix;

/// <summary>A real Postfix before and behind Posthorn: octets, by SMTP and LMTP, and what the envelope wishes (DSN, SMTPUTF8) pass between them whole.</summary>
public sealed class PairTests : IAsyncLifetime
{
    private readonly TemporaryFolder _folder = new();
    private readonly int _postfixPort = Ports.Free(), _smtpPort = Ports.Free(), _lmtpPort = Ports.Free();
    private PostfixServer _postfix = null!;
    private PosthornProcess _server = null!;
    private Account _ann = null!, _bob = null!;

    private string LmtpSocket => Path.Combine(_folder.Path, "lmtp");

    public async ValueTask InitializeAsync()
    {
        string postfix = Peer.Require("postfix", "postfix");
        if (!Environment.IsPrivilegedProcess) Assert.Skip("needs root: Postfix's master runs as root");
        _postfix = await PostfixServer.StartAsync(postfix, _folder.Path, _postfixPort, $"[127.0.0.1]:{_smtpPort}");
        (_server, IReadOnlyList<Account> accounts) = await QuickServer.StartAsync(Path.Combine(_folder.Path, "q"), text => text
            .Replace("relay = [] ", "relay = [\"127.0.0.1\"] ", StringComparison.Ordinal)
            .Replace("smtp = [\"127.0.0.1:0\"]", $"smtp = [\"127.0.0.1:{_smtpPort}\"]", StringComparison.Ordinal)
            .Replace("lmtp = [\"127.0.0.1:0\"]", string.Create(CultureInfo.InvariantCulture, $"lmtp = [{{ unix = \"{LmtpSocket}\", mode = \"0666\" }}, \"127.0.0.1:{_lmtpPort}\"]"), StringComparison.Ordinal)
            + string.Create(CultureInfo.InvariantCulture, $"\n[[outbound.route]]\nto = \"foreign.example\"\nhost = \"127.0.0.1\"\nport = {_postfixPort}\n"));
        (_ann, _bob) = (accounts.Single(a => a.LocalPart == "ann"), accounts.Single(a => a.LocalPart == "bob"));
    }

    public async ValueTask DisposeAsync()
    {
        if (_server is not null) await _server.DisposeAsync();
        if (_postfix is not null) await _postfix.DisposeAsync();
        _folder.Dispose();
    }

    [Fact]
    public async Task Octets_stay_both_ways()
    {
        foreach (string body in NeighbourTests.Bodies) await NeighbourTests.SendAsync(_smtpPort, _ann.Address, "carl@foreign.example", body);
        NeighbourTests.AssertBodies(await _postfix.WaitForAsync(NeighbourTests.Bodies.Count));
        await BackAsync(_ann, "with ESMTPS ");
    }

    /// <summary>An existing Postfix stays in front and hands mail over by LMTP (RFC 2033), over a socket and over TCP.</summary>
    [Fact]
    public async Task Postfix_in_front_hands_over_by_lmtp()
    {
        await _postfix.ChangeAsync(string.Create(CultureInfo.InvariantCulture, $"transport_maps = inline:{{{_ann.Address}=lmtp:unix:{LmtpSocket}, {_bob.Address}=lmtp:inet:127.0.0.1:{_lmtpPort}, {"nobody@posthorn.test"}=lmtp:unix:{LmtpSocket}}}"));
        await BackAsync(_ann, "with LMTP ");
        await BackAsync(_bob, "with LMTP ");
        // What LMTP refuses is known to Postfix at once: it tells the sender.
        await NeighbourTests.SendAsync(_postfixPort, "carl@foreign.example", "nobody@posthorn.test", "x\r\n");
        string bounce = Assert.Single(await _postfix.WaitForAsync(1));
        Assert.Contains("Final-Recipient: rfc822; nobody@posthorn.test", bounce, StringComparison.Ordinal);
        Assert.Contains("Status: 5.1.1", bounce, StringComparison.Ordinal);
    }

    /// <summary>RFC 3461: wishes go to the server that delivers, and its report comes back with what the sender called things.</summary>
    [Fact]
    public async Task Reports_that_were_asked_for_come_back_from_either()
    {
        await SayAsync(_smtpPort, $"MAIL FROM:<{_ann.Address}> RET=HDRS ENVID=our+2Bid", "RCPT TO:<carl@foreign.example> NOTIFY=SUCCESS ORCPT=rfc822;carl+2Bx@else.example");
        string theirs = Unfolded((await Mail.WaitForAsync(_server, _ann, 2))[^1]); // the first one welcomes Ann
        Assert.Contains("Reporting-MTA: dns; mx.foreign.example\n", theirs, StringComparison.Ordinal);
        Assert.Contains("Original-Envelope-Id: our+id\n", theirs, StringComparison.Ordinal);
        Assert.Contains("Original-Recipient: rfc822;carl+x@else.example\n", theirs, StringComparison.Ordinal);
        Assert.Contains("Action: delivered\n", theirs, StringComparison.Ordinal);

        await SayAsync(_postfixPort, "MAIL FROM:<carl@foreign.example> RET=HDRS ENVID=their+2Bid", $"RCPT TO:<{_bob.Address}> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;bob+2By@else.example");
        string ours = Unfolded(Encoding.Latin1.GetBytes((await _postfix.WaitForAsync(2)).Single(mail => mail.Contains("multipart/report", StringComparison.OrdinalIgnoreCase))));
        Assert.Contains("Original-Envelope-Id: their+id\n", ours, StringComparison.Ordinal);
        Assert.Contains("Original-Recipient: rfc822; bob+y@else.example\n", ours, StringComparison.Ordinal);
        Assert.Contains("Action: delivered\n", ours, StringComparison.Ordinal);
        Assert.DoesNotContain("Reporting-MTA: dns; mx.foreign.example\n", ours, StringComparison.Ordinal);
        Assert.Contains("text/rfc822-headers", ours, StringComparison.Ordinal); // RET=HDRS
    }

    /// <summary>RFC 6531: addresses and headers outside ASCII, said to be so at each hop.</summary>
    [Fact]
    public async Task Addresses_and_headers_in_utf8_pass_both_ways()
    {
        string subject = Encoding.Latin1.GetString(Encoding.UTF8.GetBytes("Subject: caf\u00e9")), sender = Encoding.Latin1.GetString(Encoding.UTF8.GetBytes("j\u00f6rg"));
        await SayAsync(_smtpPort, $"MAIL FROM:<{sender}@posthorn.test> SMTPUTF8 BODY=8BITMIME", "RCPT TO:<carl@foreign.example>", subject);
        string there = Assert.Single(await _postfix.WaitForAsync(1));
        Assert.Contains($"Return-Path: <{sender}@posthorn.test>\n", there, StringComparison.Ordinal);
        Assert.Contains($"\n{subject}\n", there, StringComparison.Ordinal);

        await SayAsync(_postfixPort, $"MAIL FROM:<{sender}@foreign.example> SMTPUTF8 BODY=8BITMIME", $"RCPT TO:<{_bob.Address}>", subject);
        string here = Unfolded((await Mail.WaitForAsync(_server, _bob, 2))[^1]);
        Assert.Contains($"Return-Path: <{sender}@foreign.example>\n", here, StringComparison.Ordinal);
        Assert.Contains($"\n{subject}\n", here, StringComparison.Ordinal);
        Assert.Contains("with UTF8SMTPS ", here, StringComparison.Ordinal); // RFC 6531 section 4.3
    }

    private async Task BackAsync(Account to, string protocol)
    {
        foreach (string body in NeighbourTests.Bodies) await NeighbourTests.SendAsync(_postfixPort, "carl@foreign.example", to.Address, body);
        string[] inbox = [.. (await Mail.WaitForAsync(_server, to, 1 + NeighbourTests.Bodies.Count)).Skip(1).Select(Encoding.Latin1.GetString)]; // the first one welcomes the user
        NeighbourTests.AssertBodies(inbox);
        Assert.All(inbox, mail => Assert.Contains(protocol, mail, StringComparison.Ordinal));
    }

    private static string Unfolded(byte[] mail) => Encoding.Latin1.GetString(mail).ReplaceLineEndings("\n").Replace("\n\t", " ", StringComparison.Ordinal).Replace("\n ", " ", StringComparison.Ordinal);

    private static async Task SayAsync(int port, string mail, string rcpt, string subject = "Subject: x")
    {
        await using RawClient client = await RawClient.ConnectAsync(port);
        await client.ReplyAsync();
        foreach (string command in (string[])["EHLO tester.example", mail, rcpt, "DATA", $"{subject}\r\n\r\ntext\r\n."])
            Assert.Matches("^[23]", await client.CommandAsync(command));
    }
}
