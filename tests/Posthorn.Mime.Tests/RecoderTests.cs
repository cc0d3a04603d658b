using System.Buffers;
using System.Text;
using CsCheck;
using MimeKit;
using Posthorn.Mime.Recoding;

namespace Posthorn.Mime.Tests;

/// <summary>Recoding for servers that take less (RFC 6152 section 3, RFC 3030 section 3). MimeKit reads the result back.</summary>
public sealed class RecoderTests
{
    [Theory]
    [InlineData("Subject: x\n\nd\u00e9j\u00e0 vu\n", "Subject: x\nMIME-Version: 1.0\nContent-Type: text/plain; charset=unknown-8bit\nContent-Transfer-Encoding: quoted-printable\n\nd=E9j=E0 vu\n")]
    [InlineData("MIME-Version: 1.0\nContent-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: 8bit\n\na long line that is mostly ASCII, with one \u00e9 = and a blank \nend",
        "MIME-Version: 1.0\nContent-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\na long line that is mostly ASCII, with one =E9 =3D and a blank \nend")]
    [InlineData("MIME-Version: 1.0\nContent-Type: text/plain\nContent-Transfer-Encoding: 8bit\n\nonly ASCII\n", "MIME-Version: 1.0\nContent-Type: text/plain\nContent-Transfer-Encoding: 7bit\n\nonly ASCII\n")]
    [InlineData("MIME-Version: 1.0\n\n\u00e9\u00e8\u00e7\n", "MIME-Version: 1.0\nContent-Transfer-Encoding: base64\n\n6ejnDQo=\n")]
    [InlineData("MIME-Version: 1.0\n\nonly ASCII, and nobody says otherwise\n", "MIME-Version: 1.0\n\nonly ASCII, and nobody says otherwise\n")]
    public void Texts(string from, string to) => Assert.Equal(to.Replace("blank \n", "blank=20\n", StringComparison.Ordinal).ReplaceLineEndings("\r\n"), Recode(from, WireForm.SevenBit));

    [Fact]
    public void Only_the_parts_that_need_it_change()
    {
        const string Message = """
            MIME-Version: 1.0
            Content-Type: multipart/mixed; boundary="b 1"
            Content-Transfer-Encoding: 8bit

            pre
            --b 1
            Content-Type: text/plain; charset=utf-8
            Content-Transfer-Encoding: 8bit

            xé and much more ASCII than that
            --b 1
            Content-Type: application/octet-stream
            Content-Transfer-Encoding: base64

            AAEC
            --b 1
            Content-Type: message/rfc822
            Content-Transfer-Encoding: 8bit

            Subject: inner
            Content-Type: text/html; charset=utf-8
            Content-Transfer-Encoding: 8bit

            <p>ü is enough, the rest is ASCII</p>
            --b 1--
            post

            """;
        string result = Recode(Encoding.Latin1.GetString(Encoding.UTF8.GetBytes(Message)), WireForm.SevenBit);
        Assert.True(Ascii.IsValid(result));
        Assert.Equal("""
            MIME-Version: 1.0
            Content-Type: multipart/mixed; boundary="b 1"
            Content-Transfer-Encoding: 7bit

            pre
            --b 1
            Content-Type: text/plain; charset=utf-8
            Content-Transfer-Encoding: quoted-printable

            x=C3=A9 and much more ASCII than that
            --b 1
            Content-Type: application/octet-stream
            Content-Transfer-Encoding: base64

            AAEC
            --b 1
            Content-Type: message/rfc822
            Content-Transfer-Encoding: 7bit

            Subject: inner
            Content-Type: text/html; charset=utf-8
            Content-Transfer-Encoding: quoted-printable

            <p>=C3=BC is enough, the rest is ASCII</p>
            --b 1--
            post

            """.ReplaceLineEndings("\r\n"), result);
    }

    [Fact]
    public void Binary_octets_come_back_whole_and_8bit_text_stays_where_it_may()
    {
        byte[] octets = [.. Enumerable.Range(0, 5000).Select(i => (byte)(i * 7))];
        string message = "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=q\r\nContent-Transfer-Encoding: binary\r\n\r\n--q\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\u00fc\r\n--q\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: binary\r\n\r\n"
            + Encoding.Latin1.GetString(octets) + "\r\n--q--\r\n";
        string result = Recode(message, WireForm.EightBit);
        Assert.Contains("Content-Transfer-Encoding: 8bit\r\n\r\n\u00fc\r\n--q", result, StringComparison.Ordinal);
        Multipart parts = Assert.IsType<Multipart>(Read(result).Body);
        using MemoryStream content = new();
        ((MimeKit.MimePart)parts[1]).Content!.DecodeTo(content);
        Assert.Equal(octets, content.ToArray());
        Assert.All(result.Split("\r\n"), line => Assert.True(line.Length <= 998));
    }

    [Fact]
    public void What_is_signed_within_is_not_touched()
    {
        const string Message = "MIME-Version: 1.0\r\nContent-Type: multipart/signed; boundary=s; protocol=\"application/pgp-signature\"\r\n\r\n--s\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\u00fc\r\n--s\r\nContent-Type: application/pgp-signature\r\n\r\nx\r\n--s--\r\n";
        MimeRecoder recoder = new(WireForm.SevenBit);
        recoder.Survey(Encoding.Latin1.GetBytes(Message));
        Assert.False(recoder.EndSurvey());
    }

    /// <summary>Any text survives quoted-printable and base64, in pieces of any size.</summary>
    [Fact]
    public void Whatever_is_recoded_reads_the_same() =>
        Gen.Select(Gen.OneOf(Gen.Const(" "), Gen.Const("\t"), Gen.Const("\r\n"), Gen.Const("\r"), Gen.Const("\n"), Gen.Const("="), Gen.Const("--b"), Gen.Const("\u00ff"), Gen.Const("\0"), Gen.String[Gen.Char[(char)33, (char)126], 0, 90]).Array[0, 40], Gen.Int[1, 50], Gen.Bool).Sample((pieces, step, text) =>
        {
            string body = string.Concat(pieces) + "\u00fc\0";
            string message = $"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"%%\"\r\n\r\n--%%\r\nContent-Type: {(text ? "text/plain" : "image/gif")}\r\nContent-Transfer-Encoding: binary\r\n\r\n{body}\r\n--%%--\r\n";
            string result = Recode(message, WireForm.SevenBit, step);
            Assert.True(Ascii.IsValid(result));
            Assert.DoesNotContain('\0', result);
            using MemoryStream content = new();
            ((MimeKit.MimePart)((Multipart)Read(result).Body!)[0]).Content!.DecodeTo(content);
            Assert.Equal(body, Encoding.Latin1.GetString(content.ToArray()));
            Assert.All(result.Split("\r\n"), line => Assert.True(line.Length <= 76 && !line.Contains('\r', StringComparison.Ordinal) && !line.Contains('\n', StringComparison.Ordinal)));
        }, iter: 2000);

    /// <summary>Whatever the bytes are, recoding ends, and what needs nothing is left as it is.</summary>
    [Fact]
    public void Garbage_never_throws() => Gen.Byte.Array[0, 400].Sample(bytes =>
    {
        string message = Encoding.Latin1.GetString(bytes);
        MimeRecoder recoder = new(WireForm.EightBit);
        recoder.Survey(bytes);
        Assert.True(recoder.EndSurvey());
        ArrayBufferWriter<byte> output = new();
        recoder.Write(bytes, output);
        recoder.Finish(output);
        if (!recoder.IsNeeded && !message.Contains("ransfer", StringComparison.Ordinal)) Assert.Equal(bytes, output.WrittenSpan.ToArray());
    });

    private static MimeMessage Read(string message) => MimeMessage.Load(new MemoryStream(Encoding.Latin1.GetBytes(message)));

    private static string Recode(string message, WireForm form, int step = int.MaxValue)
    {
        byte[] bytes = Encoding.Latin1.GetBytes(step == int.MaxValue && !message.Contains("\r\n", StringComparison.Ordinal) ? message.ReplaceLineEndings("\r\n") : message);
        MimeRecoder recoder = new(form);
        foreach (byte[] piece in bytes.Chunk(Math.Min(step, 1 << 20))) recoder.Survey(piece);
        Assert.True(recoder.EndSurvey());
        ArrayBufferWriter<byte> output = new();
        foreach (byte[] piece in bytes.Chunk(Math.Min(step, 1 << 20))) recoder.Write(piece, output);
        recoder.Finish(output);
        return Encoding.Latin1.GetString(output.WrittenSpan);
    }
}
