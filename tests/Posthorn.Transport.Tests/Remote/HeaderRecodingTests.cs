using System.Text;
using Posthorn.Core;
using Posthorn.Testing;
using Posthorn.Transport.Tests.Fakes;

namespace Posthorn.Transport.Tests.Remote;

/// <summary>Messages with headers in UTF-8 for servers without SMTPUTF8 (RFC 6531 section 3.2): our users' go on in ASCII where that can be, others' come back.</summary>
public sealed class HeaderRecodingTests
{
    private const string Message = "From: J\u00f6rg <ann@example.org>\nDate: x\nMessage-ID: <1@x>\nSubject: caf\u00e9\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Disposition: attachment; filename=\"\u00fc.txt\"\n\nText\n.dot\n--b--\n";

    [Fact]
    public async Task A_header_is_written_in_ascii_and_all_else_stays_octet_for_octet()
    {
        await using OutboundRig rig = new();
        ScriptedPeer peer = rig.AddPeer("203.0.113.1", "example.com", new() { Extensions = ["PIPELINING"] });
        await SendAsync(rig, rig.Rig.User, Message);
        await rig.UntilEmptyAsync();
        Assert.Empty(await rig.Rig.MailAsync(rig.Rig.Ann));
        PeerMessage sent = Assert.Single(peer.Messages);
        Assert.DoesNotContain("SMTPUTF8", sent.From, StringComparison.Ordinal);
        string text = OutboundRig.Text(sent);
        Assert.True(Ascii.IsValid(text));
        Assert.EndsWith("From: =?utf-8?Q?J=C3=B6rg?= <ann@example.org>\r\nDate: x\r\nMessage-ID: <1@x>\r\nSubject: =?utf-8?Q?caf=C3=A9?=\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
            + "--b\r\nContent-Disposition: attachment; filename*=utf-8''%C3%BC.txt\r\n\r\nText\r\n.dot\r\n--b--\r\n", text, StringComparison.Ordinal);
    }

    private const string Parts = "From: ann@example.org\nDate: x\nMessage-ID: <1@x>\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n"
        + "--b\nContent-Disposition: attachment; filename=\"\u00fc.txt\"\n\nText\n--b\nContent-Type: message/rfc822\n\nSubject: caf\u00e9\n\nOld\n--b--\n";

    private const string PartsInAscii = "From: ann@example.org\r\nDate: x\r\nMessage-ID: <1@x>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
        + "--b\r\nContent-Disposition: attachment; filename*=utf-8''%C3%BC.txt\r\n\r\nText\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: =?utf-8?Q?caf=C3=A9?=\r\n\r\nOld\r\n--b--\r\n";

    /// <summary>Nothing is outside ASCII but what stands in headers below the first.</summary>
    [Theory]
    [InlineData(true, "PIPELINING")]
    [InlineData(true, "8BITMIME")]
    [InlineData(false, "PIPELINING")]
    public async Task Headers_of_parts_are_written_in_ascii_too(bool declared, string extension)
    {
        await using OutboundRig rig = new();
        ScriptedPeer peer = rig.AddPeer("203.0.113.1", "example.com", new() { Extensions = [extension] });
        await SendAsync(rig, rig.Rig.User, Parts, declared);
        await rig.UntilEmptyAsync();
        Assert.EndsWith(PartsInAscii, OutboundRig.Text(Assert.Single(peer.Messages)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Headers_of_parts_are_said_to_be_there_where_they_are_taken()
    {
        await using OutboundRig rig = new();
        ScriptedPeer peer = rig.AddPeer("203.0.113.1", "example.com", new() { Extensions = ["8BITMIME", "SMTPUTF8"] });
        await SendAsync(rig, rig.Rig.User, Parts);
        await rig.UntilEmptyAsync();
        PeerMessage sent = Assert.Single(peer.Messages);
        Assert.Contains(" SMTPUTF8", sent.From, StringComparison.Ordinal);
        Assert.EndsWith(Utf8(Parts).ReplaceLineEndings("\r\n"), OutboundRig.Text(sent), StringComparison.Ordinal);
    }

    /// <summary>Text of a body needs 8BITMIME alone.</summary>
    [Fact]
    public async Task A_body_in_utf8_needs_no_more_than_before()
    {
        await using OutboundRig rig = new();
        ScriptedPeer peer = rig.AddPeer("203.0.113.1", "example.com", new() { Extensions = ["8BITMIME", "SMTPUTF8"] });
        await SendAsync(rig, rig.Rig.User, "From: ann@example.org\n\ncaf\u00e9: yes\n");
        await rig.UntilEmptyAsync();
        Assert.DoesNotContain("SMTPUTF8", Assert.Single(peer.Messages).From, StringComparison.Ordinal);
    }

    /// <summary>Of headers in no known charset nothing can be made: the parts go as they always did, where nobody said SMTPUTF8.</summary>
    [Fact]
    public async Task Headers_of_parts_in_another_charset_stay()
    {
        await using OutboundRig rig = new();
        ScriptedPeer peer = rig.AddPeer("203.0.113.1", "example.com", new() { Extensions = ["PIPELINING"] });
        await SendAsync(rig, rig.Rig.User, Parts, declared: false, raw: true);
        await rig.UntilEmptyAsync();
        Assert.Contains("filename=\"\u00fc.txt\"", OutboundRig.Text(Assert.Single(peer.Messages)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_server_that_takes_it_gets_it_as_it_is()
    {
        await using OutboundRig rig = new();
        ScriptedPeer peer = rig.AddPeer("203.0.113.1", "example.com", new() { Extensions = ["8BITMIME", "SMTPUTF8"] });
        await SendAsync(rig, rig.Rig.User, Message);
        await rig.UntilEmptyAsync();
        PeerMessage sent = Assert.Single(peer.Messages);
        Assert.Contains(" SMTPUTF8", sent.From, StringComparison.Ordinal);
        Assert.EndsWith(Utf8(Message).ReplaceLineEndings("\r\n"), OutboundRig.Text(sent), StringComparison.Ordinal);
    }

    /// <summary>A signature that would break, a local part, what is only in a comment of a part that is signed: it comes back.</summary>
    [Theory]
    [InlineData("DKIM-Signature: v=1; a=rsa-sha256; b=x\nFrom: ann@example.org\nSubject: caf\u00e9\n\nx\n")]
    [InlineData("From: ann@example.org\nCc: j\u00f6rg@example.net\n\nx\n")]
    [InlineData("From: ann@example.org\nSubject: caf\u00e9\nContent-Type: multipart/signed; boundary=b\n\n--b\nContent-Description: \u00fc\n\nx\n--b--\n")]
    public async Task What_cannot_be_written_so_comes_back(string message)
    {
        await using OutboundRig rig = new();
        ScriptedPeer peer = rig.AddPeer("203.0.113.1", "example.com", new() { Extensions = ["8BITMIME", "PIPELINING"] });
        await SendAsync(rig, rig.Rig.User, message);
        await rig.UntilEmptyAsync();
        Assert.Empty(peer.Messages);
        Assert.Contains("Status: 5.6.9", Assert.Single(await rig.Rig.MailAsync(rig.Rig.Ann)), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(Message)]
    [InlineData(Parts)]
    public async Task What_others_sent_comes_back(string message)
    {
        await using OutboundRig rig = new();
        ScriptedPeer peer = rig.AddPeer("203.0.113.1", "example.com", new() { Extensions = ["8BITMIME"] });
        await SendAsync(rig, TransportRig.Trusted, message);
        await rig.UntilEmptyAsync();
        Assert.Empty(peer.Messages);
        Assert.Contains("Status: 5.6.9", Assert.Single(await rig.Rig.MailAsync(rig.Rig.Ann)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Who_wants_nothing_recoded_gets_it_back()
    {
        await using OutboundRig rig = new(options => options with { Outbound = options.Outbound with { EightBit = EightBitPolicy.Refuse } });
        ScriptedPeer peer = rig.AddPeer("203.0.113.1", "example.com", new() { Extensions = ["8BITMIME"] });
        await SendAsync(rig, rig.Rig.User, Message);
        await rig.UntilEmptyAsync();
        Assert.Empty(peer.Messages);
        Assert.Contains("Status: 5.6.9", Assert.Single(await rig.Rig.MailAsync(rig.Rig.Ann)), StringComparison.Ordinal);
    }

    private static async Task SendAsync(OutboundRig rig, ClientContext client, string message, bool declared = true, bool raw = false)
    {
        Envelope envelope = new() { Id = rig.Rig.Transport.NewQueueId(), Client = client, From = ReversePath.Of(rig.Rig.Ann.Address), SmtpUtf8 = declared, Body = BodyType.EightBitMime };
        envelope.Recipients.Add(new(EmailAddress.Parse("far@example.com"), DsnNotify.Unspecified, null));
        await rig.SendAsync(envelope, raw ? message : Utf8(message));
    }

    // The rig sends each character as an octet.
    private static string Utf8(string text) => Encoding.Latin1.GetString(Encoding.UTF8.GetBytes(text));
}
