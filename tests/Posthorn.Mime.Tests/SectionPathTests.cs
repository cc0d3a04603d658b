namespace Posthorn.Mime.Tests;

public class SectionPathTests
{
    // The example of RFC 9051 section 6.4.5.1.
    private static readonly byte[] Message = MimeText.Crlf("""
        Subject: outer
        Content-Type: multipart/mixed; boundary=A

        --A
        Content-Type: text/plain

        one
        --A
        Content-Type: application/octet-stream

        two
        --A
        Content-Type: message/rfc822

        Subject: three
        Content-Type: multipart/mixed; boundary=B

        --B
        X: y

        three.one
        --B
        Content-Type: application/octet-stream

        three.two
        --B--
        --A
        Content-Type: multipart/mixed; boundary=C

        --C
        Content-Type: image/gif

        gif
        --C
        Content-Type: message/rfc822

        Subject: four.two

        plain
        --C--
        --A--

        """);

    [Theory]
    [InlineData("1", "one")]
    [InlineData("1.MIME", "Content-Type: text/plain\r\n\r\n")]
    [InlineData("2", "two")]
    [InlineData("3.HEADER", "Subject: three\r\nContent-Type: multipart/mixed; boundary=B\r\n\r\n")]
    [InlineData("3.1", "three.one")]
    [InlineData("3.1.MIME", "X: y\r\n\r\n")]
    [InlineData("3.2", "three.two")]
    [InlineData("3.MIME", "Content-Type: message/rfc822\r\n\r\n")]
    [InlineData("4.1", "gif")]
    [InlineData("4.1.mime", "Content-Type: image/gif\r\n\r\n")]
    [InlineData("4.2.HEADER", "Subject: four.two\r\n\r\n")]
    [InlineData("4.2.TEXT", "plain")]
    [InlineData("4.2.1", "plain")]
    [InlineData("4.2.1.MIME", "Subject: four.two\r\n\r\n")]
    [InlineData("4.2", "Subject: four.two\r\n\r\nplain")]
    [InlineData("HEADER", "Subject: outer\r\nContent-Type: multipart/mixed; boundary=A\r\n\r\n")]
    [InlineData("HEADER.FIELDS (subject X-None)", "Subject: outer\r\n\r\n")]
    [InlineData("HEADER.FIELDS.NOT (\"Subject\")", "Content-Type: multipart/mixed; boundary=A\r\n\r\n")]
    [InlineData("3.HEADER.FIELDS (Subject)", "Subject: three\r\n\r\n")]
    [InlineData("5", "NIL")]
    [InlineData("1.1", "NIL")]
    [InlineData("1.HEADER", "NIL")]
    [InlineData("1.TEXT", "NIL")]
    [InlineData("4.2.2", "NIL")]
    [InlineData("MIME", "BAD")]
    [InlineData("0", "BAD")]
    [InlineData("01", "BAD")]
    [InlineData("1.", "BAD")]
    [InlineData("1..2", "BAD")]
    [InlineData("99999999999", "BAD")]
    [InlineData("HEADER.FIELDS ()", "BAD")]
    [InlineData("TEXT.1", "BAD")]
    public void Resolves(string section, string expected) => Assert.Equal(expected, MimeText.Section(Message, section));

    [Fact]
    public void WholeMessageAndText()
    {
        Assert.Equal(System.Text.Encoding.Latin1.GetString(Message), MimeText.Section(Message, ""));
        Assert.StartsWith("--A\r\n", MimeText.Section(Message, "TEXT"));
        Assert.StartsWith("--B\r\n", MimeText.Section(Message, "3.TEXT"));
    }

    [Fact]
    public void PlainMessageHasAPartOne()
    {
        byte[] plain = MimeText.Crlf("Subject: x\n\nbody\n");
        Assert.Equal("body\r\n", MimeText.Section(plain, "1"));
        Assert.Equal("Subject: x\r\n\r\n", MimeText.Section(plain, "1.MIME"));
        Assert.Equal("NIL", MimeText.Section(plain, "2"));
        Assert.Equal("NIL", MimeText.Section(plain, "1.1"));
    }

    [Fact]
    public void StructureThatWasWrittenAndReadResolvesAlike()
    {
        System.Buffers.ArrayBufferWriter<byte> bytes = new();
        MimeStructure.Parse(Message, MimeLimits.Default).WriteTo(bytes);
        MimeStructure back = MimeStructure.Read(bytes.WrittenSpan);
        SectionPath.TryParse("3.2"u8, out SectionPath path);
        Assert.True(path.TryResolve(back, out SectionRange range));
        Assert.Equal("three.two"u8, range.Of(Message));
    }
}
