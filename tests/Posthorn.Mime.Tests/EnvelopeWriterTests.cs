namespace Posthorn.Mime.Tests;

public class EnvelopeWriterTests
{
    private static string Of(string header) => MimeText.Envelope(MimeText.Crlf(header + "\n\n"));

    [Fact]
    public void Rfc3501Example() => Assert.Equal(
        "(\"Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\" \"IMAP4rev1 WG mtg summary and minutes\" "
        + "((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) ((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) "
        + "((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) ((NIL NIL \"imap\" \"cac.washington.edu\")) "
        + "((NIL NIL \"minutes\" \"CNRI.Reston.VA.US\")(\"John Klensin\" NIL \"KLENSIN\" \"MIT.EDU\")) NIL NIL \"<B27397-0100000@cac.washington.edu>\")",
        Of("Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\nFrom: Terry Gray <gray@cac.washington.edu>\nSubject: IMAP4rev1 WG mtg\n summary and minutes\n"
            + "To: imap@cac.washington.edu\ncc: minutes@CNRI.Reston.VA.US, John Klensin <KLENSIN@MIT.EDU>\nMessage-Id: <B27397-0100000@cac.washington.edu>\nMIME-Version: 1.0"));

    [Fact]
    public void AbsentFieldsAreNilAndEmptyOnesAreEmpty()
    {
        Assert.Equal("(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)", Of("X: y"));
        Assert.Equal("(\"\" \"\" NIL NIL NIL NIL NIL NIL \"\" \"\")", Of("Date:\nSubject: \nFrom:\nSender:\nReply-To:\nTo: \nCc:\nBcc:\nIn-Reply-To:\nMessage-ID:"));
    }

    [Theory]
    [InlineData("a@b", "(NIL NIL \"a\" \"b\")")]
    [InlineData("<a@b>", "(NIL NIL \"a\" \"b\")")]
    [InlineData("\"Q \\\"x\\\" y\" <a@b>", "(\"Q \\\"x\\\" y\" NIL \"a\" \"b\")")]
    [InlineData("John Q. Public <a@b>", "(\"John Q. Public\" NIL \"a\" \"b\")")]
    [InlineData("a@b (Real Name)", "(\"Real Name\" NIL \"a\" \"b\")")]
    [InlineData("a@b.c <a@b.c>", "(\"a@b.c\" NIL \"a\" \"b.c\")")]
    [InlineData("<@r1,@r2:a@b>", "(NIL \"@r1,@r2\" \"a\" \"b\")")]
    [InlineData("\"a b\"@c", "(NIL NIL \"a b\" \"c\")")]
    [InlineData("john . doe @ host . example", "(NIL NIL \"john.doe\" \"host.example\")")]
    [InlineData("x@[IPv6:::1], c@d", "(NIL NIL \"x\" \"[IPv6:::1]\")(NIL NIL \"c\" \"d\")")]
    [InlineData("G: a@b, N <c@d>;", "(NIL NIL \"G\" NIL)(NIL NIL \"a\" \"b\")(\"N\" NIL \"c\" \"d\")(NIL NIL NIL NIL)")]
    [InlineData("undisclosed-recipients:;", "(NIL NIL \"undisclosed-recipients\" NIL)(NIL NIL NIL NIL)")]
    [InlineData("G: a@b", "(NIL NIL \"G\" NIL)(NIL NIL \"a\" \"b\")(NIL NIL NIL NIL)")]
    [InlineData("root", "(NIL NIL \"root\" \"MISSING_DOMAIN\")")]
    [InlineData("John Doe", "(\"John Doe\" NIL \"MISSING_MAILBOX\" \"MISSING_DOMAIN\")")]
    [InlineData("N <>", "(\"N\" NIL \"MISSING_MAILBOX\" \"MISSING_DOMAIN\")")]
    [InlineData("a@b,,c@d,", "(NIL NIL \"a\" \"b\")(NIL NIL \"c\" \"d\")")]
    [InlineData("a@b; c@d", "(NIL NIL \"a\" \"b\")(NIL NIL \"c\" \"d\")")]
    [InlineData("N <a@b", "(\"N\" NIL \"a\" \"b\")")]
    [InlineData("John Doe a@b", "(\"John Doe\" NIL \"a\" \"b\")")]
    [InlineData("=?utf-8?q?J=C3=B6rg?= <j@x>", "(\"=?utf-8?q?J=C3=B6rg?=\" NIL \"j\" \"x\")")]
    [InlineData("J\u00c3\u00b6rg <j@x>", "({5}\r\nJ\u00c3\u00b6rg NIL \"j\" \"x\")")]
    [InlineData("((((((", null)]
    public void Addresses(string field, string? expected) =>
        Assert.Equal($"(NIL NIL NIL NIL NIL {(expected is null ? "NIL" : $"({expected})")} NIL NIL NIL NIL)", Of("To: " + field));

    [Fact]
    public void RepeatedAddressFieldsAreJoinedAndTheFirstSubjectCounts() =>
        Assert.Equal("(NIL \"one\" NIL NIL NIL ((NIL NIL \"a\" \"b\")(NIL NIL \"c\" \"d\")) NIL NIL NIL NIL)", Of("To: a@b\nSubject: one\nTo: c@d\nSubject: two"));

    [Fact]
    public void AddressesBeyondTheLimitAreLeftOut()
    {
        byte[] message = MimeText.Crlf("To: G: a@b, c@d, e@f;\n\n");
        Assert.Contains("((NIL NIL \"G\" NIL)(NIL NIL \"a\" \"b\")(NIL NIL NIL NIL))", MimeText.Envelope(message, MimeLimits.Default with { MaxAddresses = 2 }));
    }
}
