using System.Buffers;
using System.Text;

namespace Posthorn.Mime.Tests;

public class TextTests
{
    [Theory]
    [InlineData("plain", "plain")]
    [InlineData(" folded\r\n text ", "folded text")]
    [InlineData("=?utf-8?q?J=C3=B6rg?=", "J\u00f6rg")]
    [InlineData("=?utf-8*de?Q?J=C3=B6rg?=", "J\u00f6rg")]
    [InlineData("=?iso-8859-1?B?SvZyZw==?= x", "J\u00f6rg x")]
    [InlineData("=?utf-8?q?a?= =?utf-8?q?b?=\r\n =?utf-8?q?c?=", "abc")]
    [InlineData("=?utf-8?q?a?= b =?utf-8?q?c?=", "a b c")]
    [InlineData("=?utf-8?q?a_b?=", "a b")]
    [InlineData("=?utf-8?q?=C3?= =?utf-8?q?=B6?=", "\u00f6")]
    [InlineData("=?utf-8?b?w7Y?=", "\u00f6")]
    [InlineData("=?no-such?q?=C3=B6?=", "\u00f6")]
    [InlineData("=?utf-8?q?broken", "=?utf-8?q?broken")]
    [InlineData("=?utf-8?x?y?=", "=?utf-8?x?y?=")]
    [InlineData("=?utf-8?q?=XY?=", "=XY")]
    [InlineData("a=?utf-8?q?b?=c", "abc")]
    [InlineData("=?iso-2022-jp?B?GyRCRnxLXBsoQg==?=", "\u65e5\u672c")]
    [InlineData("=?gb2312?B?1tC5+g==?=", "\u4e2d\u56fd")]
    [InlineData("J\u00c3\u00b6rg", "J\u00f6rg")]
    [InlineData("J\u00f6rg", "J\u00f6rg")]
    public void EncodedWords(string raw, string expected) => Assert.Equal(expected, EncodedWord.Decode(MimeText.Bytes(raw)));

    [Theory]
    [InlineData("x; name=a", "a")]
    [InlineData("x; NAME=\"a \\\"b\\\"\"", "a \"b\"")]
    [InlineData("x; name*=utf-8'de'%C3%B6", "\u00f6")]
    [InlineData("x; name*0*=iso-8859-1''%F6; name*1=b; name*2*=%F6", "\u00f6b\u00f6")]
    [InlineData("x; name=plain; name*=utf-8''best", "best")]
    [InlineData("x; name=\"=?utf-8?q?=C3=B6?=\"", "\u00f6")]
    [InlineData("x/y name=a", "a")]
    [InlineData("(c;d=e) x (f) / y (g); name=a", "a")]
    [InlineData("; name=a", "a")]
    [InlineData("x; other=a", null)]
    [InlineData("x", null)]
    public void Parameters(string raw, string? expected) => Assert.Equal(expected, MimeParameters.Get(MimeText.Bytes(raw), "name"u8, MimeLimits.Default));

    [Theory]
    [InlineData("message/delivery-status", true)]
    [InlineData("MESSAGE/disposition-notification", true)]
    [InlineData("message/partial; id=1; number=1", true)]
    [InlineData("application/octet-stream", false)]
    [InlineData("image/png", false)]
    public void BodyReadsReportsAsText(string type, bool read)
    {
        byte[] message = MimeText.Bytes($"Content-Type: multipart/report; boundary=b\r\n\r\n--b\r\nContent-Type: {type}\r\n\r\nStatus: 5.1.1\r\n--b--\r\n");
        Assert.Equal(read, MessageText.Contains(message, MimeStructure.Parse(message, MimeLimits.Default), TextScope.Body, new TextMatcher("status: 5.1"), MimeLimits.Default));
    }

    [Fact]
    public void ParametersBeyondTheLimitAreNotSeen()
    {
        byte[] raw = MimeText.Bytes("x; a=1; b=2; name=c");
        Assert.Equal("c", MimeParameters.Get(raw, "name"u8, MimeLimits.Default with { MaxParameters = 3 }));
        Assert.Null(MimeParameters.Get(raw, "name"u8, MimeLimits.Default with { MaxParameters = 2 }));
    }

    [Fact]
    public void AddressesInGroupsAreFoundAndChecked()
    {
        IReadOnlyList<MailAddress> found = AddressList.Parse("Friends: =?utf-8?q?J=C3=B6rg?= <j@x.example>;, \"odd one\"@y.example"u8, MimeLimits.Default);
        Assert.Equal([new("J\u00f6rg", "j", "x.example", "Friends"), new("", "odd one", "y.example", null)], found);
        Assert.True(found[1].TryGetEmailAddress(out Core.EmailAddress address));
        Assert.Equal("\"odd one\"@y.example", address.ToString());
    }

    [Theory]
    [InlineData("Mon, 2 Jan 2006 15:04:05 -0700", "2006-01-02T15:04:05-07:00")]
    [InlineData("Mon, 2 Jan 2006 15:04:05 -0700 (MST)", "2006-01-02T15:04:05-07:00")]
    [InlineData("2 Jan 2006 15:04 GMT", "2006-01-02T15:04:00+00:00")]
    [InlineData("2 Jan 06 15:04:05 EST", "2006-01-02T15:04:05-05:00")]
    [InlineData("Mon, 02 Jan 99 15:04:05 Z", "1999-01-02T15:04:05+00:00")]
    [InlineData("Mon, 2 Jan 106 15:04:05 +0000", "2006-01-02T15:04:05+00:00")]
    [InlineData("Mon Jan  2 15:04:05 2006", "2006-01-02T15:04:05+00:00")]
    [InlineData("Mon Jan  2 15:04:05 CET 2006", "2006-01-02T15:04:05+01:00")]
    [InlineData("2006-01-02T15:04:05Z", "2006-01-02T15:04:05+00:00")]
    [InlineData("2006-01-02 15:04:05.123 +02:00", "2006-01-02T15:04:05+02:00")]
    [InlineData("2-Jan-2006 3:04:05 PM", "2006-01-02T15:04:05+00:00")]
    [InlineData("Fri, 31 Dec 2016 23:59:60 +0000", "2016-12-31T23:59:59+00:00")]
    [InlineData("2 January 2006 99:99:99 +9999", "2006-01-02T00:00:00+00:00")]
    [InlineData("Mon, (c) 2 (c) Jan 2006 15:04:05 A", "2006-01-02T15:04:05+00:00")]
    [InlineData("Mon, 2 Jan 2006", "2006-01-02T00:00:00+00:00")]
    [InlineData("31 Feb 2006 00:00:00 +0000", null)]
    [InlineData("yesterday", null)]
    [InlineData("", null)]
    public void Dates(string raw, string? expected) =>
        Assert.Equal(expected, MailDate.TryParse(MimeText.Bytes(raw), out DateTimeOffset date) ? $"{date:yyyy-MM-ddTHH:mm:sszzz}" : null);

    [Theory]
    [InlineData(TransferEncoding.Base64, "QUJD\r\nREVG\r\n", "ABCDEF")]
    [InlineData(TransferEncoding.Base64, "QUI=QUI=", "ABAB")]
    [InlineData(TransferEncoding.Base64, "Q!U*J D", "ABC")]
    [InlineData(TransferEncoding.Base64, "QUJDR", "ABC")]
    [InlineData(TransferEncoding.QuotedPrintable, "a=3Db=\r\nc \t\r\nd", "a=bc\r\nd")]
    [InlineData(TransferEncoding.QuotedPrintable, "a= \nb=ZZ=", "ab=ZZ")]
    [InlineData(TransferEncoding.UuEncode, "junk\nbegin 644 x\n#04)#\n`\nend\nmore", "ABC")]
    [InlineData(TransferEncoding.EightBit, "a=41", "a=41")]
    public void Decodes(TransferEncoding encoding, string body, string expected)
    {
        ArrayBufferWriter<byte> output = new();
        TransferDecoder.DecodeAll(encoding, MimeText.Bytes(body), output);
        Assert.Equal(expected, Encoding.Latin1.GetString(output.WrittenSpan));
    }

    [Fact]
    public void BlanksBeyondWhatIsHeldBackAreKept()
    {
        TransferDecoder decoder = new(TransferEncoding.QuotedPrintable);
        ArrayBufferWriter<byte> output = new();
        decoder.Decode(MimeText.Bytes(new string(' ', TransferDecoder.MaxHeld + 1)), false, output);
        Assert.Equal(TransferDecoder.MaxHeld + 1, output.WrittenCount);
    }

    [Theory]
    [InlineData("Hello", "Hello", false)]
    [InlineData("Re: Hello", "Hello", true)]
    [InlineData("RE: fwd: Re : Hello (fwd) (FWD)", "Hello", true)]
    [InlineData("[list] Re: Hello", "Hello", true)]
    [InlineData("Re: [list] Hello", "Hello", true)]
    [InlineData("Re[2]: Hello", "Hello", true)]
    [InlineData("[list] [other]", "[other]", false)]
    [InlineData("[list]", "[list]", false)]
    [InlineData("[Fwd: Re: Hello]", "Hello", true)]
    [InlineData("[Fwd: [Fwd: Hello] (fwd)]", "Hello", true)]
    [InlineData("a\t b   c", "a b c", false)]
    [InlineData("Re:", "", true)]
    [InlineData("", "", false)]
    [InlineData("Regards", "Regards", false)]
    [InlineData("=?utf-8?q?Re=3A_J=C3=B6rg?=", "J\u00f6rg", true)]
    public void BaseSubjects(string raw, string expected, bool reply) => Assert.Equal(new BaseSubject(expected, reply), BaseSubject.Of(MimeText.Bytes(raw), MimeLimits.Default));

    [Fact]
    public void References()
    {
        Assert.Equal(["a@b", "c d@e"], MessageIds.References("References: <a@b>\r\n junk <\"c d\"@e> <no-at> <open\r\nIn-Reply-To: <z@z>\r\n\r\n"u8, MimeLimits.Default));
        Assert.Equal(["z@z"], MessageIds.References("References: none\r\nIn-Reply-To: <z@z> <y@y>\r\n\r\n"u8, MimeLimits.Default));
        Assert.Equal("01KF8JCEOCBS0045PS@xxx.yyy.com", MessageIds.Own("Message-ID: <\"01KF8JCEOCBS0045PS\"@xxx.yyy.com>\r\n\r\n"u8, MimeLimits.Default));
        Assert.Equal(MessageIds.MaxIds, MessageIds.Parse(MimeText.Bytes(string.Concat(Enumerable.Repeat("<a@b>", MessageIds.MaxIds + 1)))).Count);
    }

    [Theory]
    [InlineData("stra\u00dfe", "Die Stra\u00dfe", true)]
    [InlineData("\u00c9COLE", "\u00e9cole", true)]
    [InlineData("e\u0301cole", "\u00c9cole", true)]
    [InlineData("hello", "say HELLO", true)]
    [InlineData("hello", "hell o", false)]
    [InlineData("", "x", true)]
    public void Matches(string key, string text, bool expected)
    {
        Assert.Equal(expected, new TextMatcher(key).IsIn(text));
        TextMatcher byOne = new(key);
        bool found = key.Length == 0;
        foreach (char c in text.Normalize()) found |= byOne.Feed([c]);
        Assert.Equal(expected, found);
    }

    private static readonly byte[] Mixed = MimeText.Crlf("""
        Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=
        Content-Type: multipart/mixed; boundary=b

        --b
        Content-Type: text/html; charset=iso-8859-1
        Content-Transfer-Encoding: quoted-printable

        <html><head><title>no</title></head><body><style>x{}</style><p>Sch=F6ne <b>Gr=
        =FC</b>&szlig;e</p><!-- c -->&amp; mehr
        --b
        Content-Type: message/rfc822

        Subject: inner
        Content-Type: text/plain
        Content-Transfer-Encoding: base64

        U2VjcmV0IHRleHQ=
        --b--
        """);

    [Theory]
    [InlineData("gr\u00fc\u00dfe", TextScope.Header, true)]
    [InlineData("subject: gr", TextScope.Header, true)]
    [InlineData("inner", TextScope.Header, false)]
    [InlineData("inner", TextScope.All, true)]
    [InlineData("secret TEXT", TextScope.Body, true)]
    [InlineData("Sch\u00d6ne <b>Gr\u00dc", TextScope.Body, true)]
    [InlineData("U2VjcmV0", TextScope.All, false)]
    public void Searches(string key, TextScope scope, bool expected) => Assert.Equal(expected,
        MessageText.Contains(Mixed, MimeStructure.Parse(Mixed, MimeLimits.Default), scope, new TextMatcher(key), MimeLimits.Default));

    [Fact]
    public void SearchesAcrossChunks()
    {
        byte[] message = MimeText.Bytes("A: b\n\n" + new string('x', 4090) + "needle\u00c3\u00b6" + new string('y', 9000));
        foreach (string key in new[] { "xneedle\u00f6y", "NEEDLE" })
            Assert.True(MessageText.Contains(message, MimeStructure.Parse(message, MimeLimits.Default), TextScope.Body, new TextMatcher(key), MimeLimits.Default));
    }

    [Fact]
    public void PreviewIsPlainAndShort()
    {
        Assert.Equal("Sch\u00f6ne Gr\u00fc\u00dfe & mehr", Preview.Make(Mixed, MimeStructure.Parse(Mixed, MimeLimits.Default), MimeLimits.Default));
        byte[] quoted = MimeText.Crlf("A: b\n\n> old\n> words\n\nNew   words\n" + string.Concat(Enumerable.Repeat("\u00f0\u009f\u0098\u0080", 300)));
        string preview = Preview.Make(quoted, MimeStructure.Parse(quoted, MimeLimits.Default), MimeLimits.Default);
        Assert.StartsWith("New words \U0001F600", preview);
        Assert.Equal(200, preview.EnumerateRunes().Count());
    }
}
