namespace Posthorn.Mime.Tests;

public class BodyStructureWriterTests
{
    [Fact]
    public void TextWithoutMimeFieldsGetsDefaults() => Assert.Equal(
        "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 6 1 NIL NIL NIL NIL)", MimeText.BodyStructure(MimeText.Crlf("Subject: x\n\nbody\n")));

    [Fact]
    public void BodyHasNoExtensions() => Assert.Equal(
        "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 6 1)", MimeText.BodyStructure(MimeText.Crlf("Subject: x\n\nbody\n"), extended: false));

    [Fact]
    public void SizesOfLfMailAreThoseOfCrlf() => Assert.Equal(
        MimeText.BodyStructure(MimeText.Crlf("A: b\n\none\ntwo\n")), MimeText.BodyStructure(MimeText.Bytes("A: b\n\none\ntwo\n")));

    [Fact]
    public void MultipartWithAttachment() => Assert.Equal(
        "((\"text\" \"plain\" (\"charset\" \"utf-8\") NIL NIL \"8bit\" 2 0 NIL NIL NIL NIL)"
        + "(\"application\" \"pdf\" (\"name\" \"a b.pdf\") \"<id@x>\" \"The file\" \"base64\" 4 \"md5==\" (\"attachment\" (\"filename\" \"a b.pdf\")) (\"en\" \"de\") \"http://x/\")"
        + " \"mixed\" (\"boundary\" \"=_b\") NIL NIL NIL)",
        MimeText.BodyStructure(MimeText.Crlf("""
            Content-Type: multipart/mixed; boundary="=_b"

            preamble
            --=_b
            Content-Type: text/plain; charset=utf-8
            Content-Transfer-Encoding: 8bit

            hi
            --=_b
            Content-Type: application/pdf; name="a b.pdf"
            Content-ID: <id@x>
            Content-Description: The file
            Content-Transfer-Encoding: base64
            Content-MD5: md5==
            Content-Disposition: attachment; filename="a b.pdf"
            Content-Language: en, de
            Content-Location: http://x/

            QUJD
            --=_b--
            epilogue
            """)));

    [Fact]
    public void NestedMessageHasEnvelopeBodyAndLines() => Assert.Equal(
        "(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 20 (NIL \"in\" NIL NIL NIL NIL NIL NIL NIL NIL) "
        + "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 5 1 NIL NIL NIL NIL) 3 NIL NIL NIL NIL)",
        MimeText.BodyStructure(MimeText.Crlf("Content-Type: message/rfc822\n\nSubject: in\n\nabc\n")));

    [Theory]
    [InlineData("Content-Type: multipart/mixed; boundary=b\n\nno parts\n", 10)]
    [InlineData("Content-Type: multipart/mixed\n\nno parts\n", 10)]
    [InlineData("Content-Type: multipart/mixed; boundary=b\n\n", 0)]
    [InlineData("Content-Type: multipart/mixed; boundary=b", 0)]
    [InlineData("Content-Type: multipart/mixed; boundary=b\n\n--b--\n", 7)]
    public void MultipartWithoutPartsShowsItsBodyAsText(string message, int size)
    {
        Assert.StartsWith($"((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" {size} ", MimeText.BodyStructure(MimeText.Crlf(message)));
    }

    [Theory]
    [InlineData("text/plain", "(\"charset\" \"us-ascii\")")]
    [InlineData("text/plain; format=flowed", "(\"format\" \"flowed\" \"charset\" \"us-ascii\")")]
    [InlineData("text/plain; charset=\"utf-8\" (comment); x=y", "(\"charset\" \"utf-8\" \"x\" \"y\")")]
    [InlineData("text/plain; charset=a; name=my file.txt", "(\"charset\" \"a\" \"name\" \"my file.txt\")")]
    [InlineData("text/plain; charset=a; name*0=\"one\"; name*1=two", "(\"charset\" \"a\" \"name\" \"onetwo\")")]
    [InlineData("text/plain; charset=a; name*1=two; name*0=one", "(\"charset\" \"a\" \"name\" \"onetwo\")")]
    [InlineData("text/plain; charset=a; name*=utf-8''%e2%82%ac", "(\"charset\" \"a\" \"name*\" \"utf-8''%e2%82%ac\")")]
    [InlineData("text/plain; charset=a; name*0*=utf-8''%41; name*1=\"b c\"", "(\"charset\" \"a\" \"name*\" \"utf-8''%41b%20c\")")]
    [InlineData("text/plain; charset=a; name*1=lost", "(\"charset\" \"a\" \"name\" \"lost\")")]
    [InlineData("text/plain; charset=a; ; junk; =x", "(\"charset\" \"a\")")]
    [InlineData("text", "(\"charset\" \"us-ascii\")")]
    public void Parameters(string type, string expected) =>
        Assert.StartsWith($"(\"text\" \"plain\" {expected} NIL", MimeText.BodyStructure(MimeText.Crlf($"Content-Type: {type}\n\nx\n")));

    [Fact]
    public void DigestPartsAreMessages() => Assert.StartsWith("((\"message\" \"rfc822\" NIL NIL NIL \"7bit\" ",
        MimeText.BodyStructure(MimeText.Crlf("Content-Type: multipart/digest; boundary=b\n\n--b\n\nSubject: x\n\ny\n--b--\n")));

    [Fact]
    public void DeeperThanTheLimitIsOpaque()
    {
        byte[] message = MimeText.Crlf("Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n--b--\n--a--\n");
        Assert.StartsWith("((\"application\" \"octet-stream\" ", MimeText.BodyStructure(message, limits: MimeLimits.Default with { MaxDepth = 2 }));
    }

    [Fact]
    public void MorePartsThanTheLimitEndInOneThatTakesTheRest()
    {
        byte[] message = MimeText.Crlf("Content-Type: multipart/mixed; boundary=a\n\n--a\n\n1\n--a\n\n2\n--a\n\n3\n--a--\n");
        MimeStructure structure = MimeStructure.Parse(message, MimeLimits.Default with { MaxParts = 3 });
        Assert.Equal(3, structure.Count);
        Assert.True(structure.Root.TryChild(2, out MimePart last));
        Assert.Equal(message.Length, last.BodyOffset + last.BodyLength);
    }

    [Fact]
    public void BoundaryThatStartsAnotherDoesNotMatchIt()
    {
        byte[] message = MimeText.Crlf("Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: multipart/mixed; boundary=ab\n\n--ab\n\n1\n--ab\n\n2\n--ab--\n--a\n\n3\n--a--\n");
        MimeStructure structure = MimeStructure.Parse(message, MimeLimits.Default);
        Assert.Equal(5, structure.Count);
        Assert.Equal(2, structure.Root.Children.Count());
    }
}
