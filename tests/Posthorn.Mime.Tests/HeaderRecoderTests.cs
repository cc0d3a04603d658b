using System.Buffers;
using System.Text;
using CsCheck;
using MimeKit;
using Posthorn.Mime.Recoding;

namespace Posthorn.Mime.Tests;

/// <summary>Headers in UTF-8 for servers that take ASCII alone (RFC 6531 section 3.2). MimeKit reads the result back.</summary>
public sealed class HeaderRecoderTests
{
    [Theory]
    [InlineData("Subject: caf\u00e9", "Subject: =?utf-8?Q?caf=C3=A9?=")]
    [InlineData("Subject: plain caf\u00e9 au lait, na\u00efve  and plain", "Subject: plain =?utf-8?Q?caf=C3=A9_au_lait=2C_na=C3=AFve?=  and plain")]
    [InlineData("Subject: \u65e5\u672c\u8a9e", "Subject: =?utf-8?B?5pel5pys6Kqe?=")]
    [InlineData("Subject: =?iso-8859-1?Q?d=E9j=E0?= vu, \u00fc", "Subject: =?utf-8?Q?d=C3=A9j=C3=A0_vu=2C_=C3=BC?=")]
    [InlineData("Subject: folded\n \u00fc here", "Subject: folded =?utf-8?B?w7w=?= here")]
    [InlineData("X-Odd: \u00fc", "X-Odd: =?utf-8?B?w7w=?=")]
    [InlineData("From: J\u00f6rg M\u00fcller <j@example.org>, Ann <a@example.org>", "From: =?utf-8?Q?J=C3=B6rg_M=C3=BCller?= <j@example.org>, Ann <a@example.org>")]
    [InlineData("From: \"M\u00fcller, \\\"J\\\"\" <j@example.org>", "From: =?utf-8?Q?M=C3=BCller=2C_=22J=22?= <j@example.org>")]
    [InlineData("To: \u00dcbung: a@example.org, b@example.org;", "To: =?utf-8?Q?=C3=9Cbung?= : a@example.org, b@example.org;")]
    [InlineData("Cc: a@example.org (J\u00f6rg \\) M)", "Cc: a@example.org (=?utf-8?Q?J=C3=B6rg_=29_M?=)")]
    [InlineData("To: <a@b\u00fccher.example>, c@b\u00fccher.example", "To: <a@xn--bcher-kva.example>, c@xn--bcher-kva.example")]
    [InlineData("Keywords: caf\u00e9, tea", "Keywords: =?utf-8?Q?caf=C3=A9?= , tea")]
    [InlineData("Date: Fri, 1 Jan 2026 00:00:00 +0000 (\u00fc)", "Date: Fri, 1 Jan 2026 00:00:00 +0000 (=?utf-8?B?w7w=?=)")]
    [InlineData("Content-Type: text/plain; name=\"\u00fc b.txt\"; charset=utf-8", "Content-Type: text/plain; name*=utf-8''%C3%BC%20b.txt; charset=utf-8")]
    [InlineData("Content-Disposition: attachment;\n filename=\u00fc.txt", "Content-Disposition: attachment; filename*=utf-8''%C3%BC.txt")]
    public void Fields(string from, string to)
    {
        Assert.Equal($"A: b\r\n{to}\r\nZ:  as it  is\r\n\r\n", Recode($"A: b\r\n{from.ReplaceLineEndings("\r\n")}\r\nZ:  as it  is\r\n\r\n"));
    }

    /// <summary>What ASCII cannot say.</summary>
    [Theory]
    [InlineData("From: <j\u00f6rg@example.org>")]
    [InlineData("From: j\u00f6rg@example.org")]
    [InlineData("To: \"j\u00f6rg\"@example.org")]
    [InlineData("Message-ID: <\u00fc@example.org>")]
    [InlineData("Received: from a by b for <\u00fc@example.org>; Fri, 1 Jan 2026 00:00:00 +0000")]
    [InlineData("DKIM-Signature: v=1; i=\u00fc@example.org")]
    [InlineData("Content-Type: te\u00fct/plain")]
    [InlineData("S\u00fcbject: x")]
    [InlineData("no field \u00fc")]
    public void What_cannot_be_said(string field) => Assert.Null(Recode($"A: b\r\n{field}\r\n\r\n"));

    [Fact]
    public void Octets_that_are_no_text_are_not_guessed() => Assert.False(HeaderRecoder.TryRecode(Encoding.Latin1.GetBytes("Subject: \u00e9\r\n\r\n"), new ArrayBufferWriter<byte>()));

    [Fact]
    public void Long_text_is_folded_and_no_letter_is_cut()
    {
        string text = string.Concat(Enumerable.Repeat("na\u00efve \U0001F600 \u65e5\u672c ", 40)).Trim();
        string result = Recode($"Subject: {text}\r\nFrom: {text} <a@example.org>\r\nContent-Disposition: attachment; filename=\"{text}\"\r\n\r\n")!;
        Assert.All(result.Split("\r\n"), line => Assert.InRange(line.Length, 0, 76));
        MimeEntity part = MimeEntity.Load(new MemoryStream(Encoding.ASCII.GetBytes(result + "x")));
        Assert.Equal(text, part.Headers["Subject"]);
        Assert.Equal(text, part.ContentDisposition!.FileName);
        Assert.Equal(text, MailboxAddress.Parse(part.Headers["From"]!).Name);
    }

    /// <summary>Whatever the text: the result is ASCII, and reads as before.</summary>
    [Fact]
    public void What_is_read_is_what_was_written() => Gen.OneOf(Gen.Char['\u00a1', '\u024f'], Gen.Char['a', 'z'], Gen.Char['\u3041', '\u3090'], Gen.OneOf(' ', '"', '(', ')', '\\', '=', '?', '_', ',', '<', '@', ';')).Array[1, 120].Sample(chars =>
    {
        string text = string.Join(' ', new string(chars).Split(' ', StringSplitOptions.RemoveEmptyEntries));
        if (text.Length == 0 || Ascii.IsValid(text) || text.Contains("=?", StringComparison.Ordinal)) return;
        string quoted = text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal);
        string result = Recode($"Subject: {text}\r\nFrom: \"{quoted}\" <a@example.org>\r\nContent-Disposition: attachment; filename=\"{quoted}\"\r\n\r\n")!;
        Assert.True(Ascii.IsValid(result));
        MimeEntity part = MimeEntity.Load(new MemoryStream(Encoding.ASCII.GetBytes(result + "x")));
        Assert.Equal(text, part.Headers["Subject"]);
        Assert.Equal(text, part.ContentDisposition!.FileName);
        InternetAddress from = Assert.Single(InternetAddressList.Parse(result.Split("From:")[1].Split("Content-Disposition")[0].Replace("\r\n", "", StringComparison.Ordinal)));
        Assert.Equal(text, from.Name);
        Assert.Equal("a@example.org", ((MailboxAddress)from).Address);
    }, iter: 3000);

    [Fact]
    public void Any_octets_end_well() => Gen.OneOf(Gen.Byte, Gen.OneOf("\r\n:;,<>@\"()\\[]=?* ".Select(c => (byte)c).ToArray())).Array[0, 80].Sample(bytes =>
    {
        foreach (string name in (string[])["Subject", "From", "Content-Type", "Keywords", "Received"])
        {
            ArrayBufferWriter<byte> output = new();
            if (HeaderRecoder.TryRecode([.. Encoding.ASCII.GetBytes(name + ":"), .. bytes], output)) Assert.True(Ascii.IsValid(output.WrittenSpan));
        }
    }, iter: 20_000);

    private static string? Recode(string header)
    {
        ArrayBufferWriter<byte> output = new();
        return HeaderRecoder.TryRecode(Encoding.UTF8.GetBytes(header), output) ? Encoding.ASCII.GetString(output.WrittenSpan) : null;
    }
}
