using System.Buffers;
using System.Diagnostics;

namespace Posthorn.Mime.Tests;

/// <summary>Each limit crossed, and input that is made to cost much.</summary>
public class LimitTests
{
    // What is linear takes milliseconds for these sizes; what is quadratic takes minutes.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    [Fact]
    public void HeaderBytesBeyondTheLimitAreNotInterpretedButMeasured()
    {
        byte[] message = MimeText.Crlf("Subject: one\nX: " + new string('x', 100) + "\nTo: a@b\nContent-Type: image/gif\n\nbody");
        MimeLimits limits = MimeLimits.Default with { MaxHeaderBytes = 50 };
        Assert.Equal("(NIL \"one\" NIL NIL NIL NIL NIL NIL NIL NIL)", MimeText.Envelope(message, limits));
        Assert.StartsWith("(\"text\" \"plain\"", MimeText.BodyStructure(message, limits: limits));
        Assert.Equal(4, MimeStructure.Parse(message, limits).Root.BodyLength);
    }

    [Fact]
    public void FieldsBeyondTheLimitAreNotInterpreted()
    {
        byte[] message = MimeText.Crlf("A: b\nSubject: one\nTo: a@b\n\n");
        Assert.Equal("(NIL \"one\" NIL NIL NIL NIL NIL NIL NIL NIL)", MimeText.Envelope(message, MimeLimits.Default with { MaxHeaderFields = 2 }));
    }

    [Fact]
    public void LongValuesAreCut() => Assert.Equal("(NIL \"abc\" NIL NIL NIL NIL NIL NIL NIL NIL)",
        MimeText.Envelope(MimeText.Crlf("Subject: abcdef\n\n"), MimeLimits.Default with { MaxValueBytes = 3 }));

    [Fact]
    public void ParametersBeyondTheLimitAreLeftOut() => Assert.StartsWith("(\"text\" \"plain\" (\"charset\" \"x\" \"a\" \"1\") NIL",
        MimeText.BodyStructure(MimeText.Crlf("Content-Type: text/plain; charset=x; a=1; b=2\n\n"), limits: MimeLimits.Default with { MaxParameters = 2 }));

    [Fact]
    public void NestingBeyondTheCeilingIsOpaqueWhateverIsConfigured()
    {
        byte[] message = MimeText.Bytes(string.Concat(Enumerable.Repeat("Content-Type: message/rfc822\r\n\r\n", 5_000)));
        MimeStructure structure = MimeStructure.Parse(message, MimeLimits.Default with { MaxDepth = int.MaxValue });
        Assert.Equal(MimeLimits.DepthCeiling, structure.Count);
        ImapChecker.Body(MimeText.BodyStructure(message, limits: MimeLimits.Default with { MaxDepth = int.MaxValue }), extended: true);
    }

    [Fact]
    public void EnvelopeFieldsBeyondSixtyFourAreLeftOut()
    {
        string envelope = MimeText.Envelope(MimeText.Bytes(Repeat("To: a@b\r\n", 64) + "Subject: late\r\n\r\n"));
        Assert.StartsWith("(NIL NIL NIL NIL NIL (", envelope);
        Assert.Equal(64, envelope.Split("\"a\"").Length - 1);
    }

    [Fact]
    public void SectionsDeeperThanAnyMessageAreRefused()
    {
        Assert.True(SectionPath.TryParse(MimeText.Bytes(Repeat("1.", 2 * MimeLimits.DepthCeiling - 1) + "1"), out _));
        Assert.False(SectionPath.TryParse(MimeText.Bytes(Repeat("1.", 2 * MimeLimits.DepthCeiling) + "1"), out _));
    }

    [Fact]
    public void DatesAreReadUpToTheirLimit()
    {
        Assert.True(MailDate.TryParse(MimeText.Bytes(new string(' ', 400) + "2 Jan 2006 15:04:05 Z"), out _));
        Assert.False(MailDate.TryParse(MimeText.Bytes(new string(' ', 512) + "2 Jan 2006 15:04:05 Z"), out _));
    }

    [Fact]
    public void UnknownCharsetNamesAreNeverRemembered()
    {
        for (int i = 0; i < 1_000; i++) Assert.Null(Charsets.TryFind(MimeText.Bytes($"x-no-such-{i}")));
        Assert.NotNull(Charsets.TryFind("KOI8-R"u8));
        Assert.Null(Charsets.TryFind("utf-7"u8));
        Assert.Null(Charsets.TryFind(MimeText.Bytes(new string('u', 41))));
    }

    public static TheoryData<string, string> Bombs()
    {
        string many = string.Concat(Enumerable.Range(0, 200_000).Select(i => $"--ab{i}\r\n"));
        string open = string.Concat(Enumerable.Range(0, 49).Select(i => $"Content-Type: multipart/mixed; boundary={new string('a', i + 1)}\r\n\r\n--{new string('a', i + 1)}\r\n"));
        return new()
        {
            { "boundary-like lines", "Content-Type: multipart/mixed; boundary=ab\r\n\r\n" + many },
            { "boundary-like lines in open boundaries", open + "\r\n" + many },
            { "boundaries", "Content-Type: multipart/mixed; boundary=ab\r\n\r\n" + Repeat("--ab\r\n", 300_000) },
            { "hyphens", "Content-Type: multipart/mixed; boundary=ab\r\n\r\n" + Repeat("--\r\n", 500_000) },
            { "parentheses", "To: " + Repeat("(", 1_000_000) + "\r\n\r\n" },
            { "parentheses in pairs", "To: " + Repeat("(a)", 300_000) + "\r\nContent-Type: " + Repeat("(", 300_000) + "\r\n\r\n" },
            { "angles", "To: " + Repeat("<,", 500_000) + "\r\n\r\n" },
            { "brackets", "To: " + Repeat("a@[,", 500_000) + "\r\n\r\n" },
            { "quotes", "To: " + Repeat("\"a\\", 500_000) + "\r\n\r\n" },
            { "colons", "To: " + Repeat("a:", 500_000) + "\r\n\r\n" },
            { "addresses", "To: " + Repeat("a@b,", 500_000) + "\r\n\r\n" },
            { "segments", "Content-Type: text/plain" + Repeat("; a*9999=x", 90_000) + "\r\n\r\n" },
            { "segments in order", "Content-Type: text/plain" + string.Concat(Enumerable.Range(0, 50_000).Select(i => $"; a*{i}*=%41")) + "\r\n\r\n" },
            { "parts with segments", "Content-Type: multipart/mixed; boundary=b\r\n\r\n" + Repeat("--b\r\nContent-Type: text/plain" + Repeat("; a*9=x", 100) + "\r\n\r\n", 5_000) },
            { "fields", Repeat("To: a@b\r\n", 200_000) + "\r\n" },
            { "field without colon", Repeat("x", 2_000_000) + "\r\n\r\n" },
            { "folds", "Subject: " + Repeat("\r\n x", 400_000) + "\r\n\r\n" },
            { "encoded words", "Subject: " + Repeat("=?a?q?", 100_000) + "\r\nX: " + Repeat("=?utf-8?q?a?=", 100_000) + "\r\n\r\n" },
            { "blobs", "Subject: " + Repeat("[a]", 300_000) + "\r\n\r\n" },
            { "forwards", "Subject: " + Repeat("[fwd:", 100_000) + Repeat("]", 100_000) + "\r\n\r\n" },
            { "ids", "References: " + Repeat("<a", 400_000) + "\r\n\r\n" },
            { "html", "Content-Type: text/html\r\n\r\n" + Repeat("<style><!--", 200_000) },
            { "soft breaks", "Content-Type: text/plain\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n" + Repeat("= ", 500_000) },
            { "blanks", "Content-Type: text/plain\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n" + Repeat(" ", 1_000_000) },
        };
    }

    [Theory]
    [MemberData(nameof(Bombs), DisableDiscoveryEnumeration = true)]
    public void CostsNoMoreThanItsLength(string what, string message)
    {
        long start = Stopwatch.GetTimestamp();
        Invariants.Hold(MimeText.Bytes(message));
        Assert.True(Stopwatch.GetElapsedTime(start) < Patience, $"{what} took {Stopwatch.GetElapsedTime(start)}");
    }

    private static string Repeat(string text, int count) => string.Concat(Enumerable.Repeat(text, count));
}
