using System.Text.RegularExpressions;

namespace Posthorn.Mime.Tests;

/// <summary>What is written about a message is bounded, whatever the message holds.</summary>
public class WrittenLimitTests
{
    // Two octets that become thirty, three times in an ENVELOPE.
    private static string Authors(int count) => "From: " + string.Concat(Enumerable.Repeat("a,", count)) + "\r\n";

    private static string Digest(int messages, string inner) =>
        "Content-Type: multipart/digest; boundary=b\r\n\r\n" + string.Concat(Enumerable.Repeat("--b\r\n\r\n" + inner + "\r\n\r\n", messages)) + "--b--\r\n";

    [Fact]
    public void A_digest_of_messages_with_many_authors_is_described_in_bounded_space()
    {
        byte[] message = MimeText.Bytes(Digest(1_200, Authors(5_000)));
        foreach (bool extended in (bool[])[false, true])
        {
            string body = MimeText.BodyStructure(message, extended);
            Assert.InRange(body.Length, MimeLimits.Default.MaxWrittenBytes / 2, MimeLimits.Default.MaxWrittenBytes + (1_200 * 100));
            ImapChecker.Body(body, extended);
            // None of them is hidden: those that are not described keep their place. What is in the last one that is described may be such a leaf too.
            Assert.InRange(Regex.Count(body, "\\(\"(message\" \"rfc822|application\" \"octet-stream)\""), 1_200, 1_201);
        }
    }

    [Fact]
    public void Small_mail_is_not_described_in_many_times_its_length()
    {
        byte[] message = MimeText.Bytes(Digest(4, Authors(5_000)));
        Assert.InRange(MimeText.BodyStructure(message).Length, 1, (4 * message.Length) + (16 * 1024) + 1_000);
        byte[] alone = MimeText.Bytes(Authors(5_000) + "\r\n");
        Assert.InRange(MimeText.Envelope(alone).Length, 1, (4 * alone.Length) + (16 * 1024) + 100);
    }

    [Fact]
    public void An_envelope_ends_its_lists_of_addresses_at_the_limit_and_keeps_what_comes_behind_them()
    {
        string message = "From: x@y\r\nTo: G: " + string.Concat(Enumerable.Repeat("a@b, ", 4_000)) + "c@d;\r\nCc: e@f\r\nMessage-ID: <i@j>\r\n\r\n";
        MimeLimits limits = MimeLimits.Default with { MaxWrittenBytes = 4_000 };
        string envelope = MimeText.Envelope(MimeText.Bytes(message), limits);
        Assert.InRange(envelope.Length, 2_900, 4_000);
        Assert.Contains("((NIL NIL \"x\" \"y\")) ((NIL NIL \"x\" \"y\")) ((NIL NIL \"x\" \"y\")) ((NIL NIL \"G\" NIL)(NIL NIL \"a\" \"b\")", envelope);
        Assert.EndsWith("(NIL NIL \"a\" \"b\")(NIL NIL NIL NIL)) NIL NIL NIL \"<i@j>\")", envelope);
        Assert.Contains("(NIL NIL \"c\" \"d\")(NIL NIL NIL NIL)) ((NIL NIL \"e\" \"f\"))", MimeText.Envelope(MimeText.Bytes(message)));
    }

    [Fact]
    public void Many_authors_do_not_take_the_place_of_the_recipients()
    {
        string envelope = MimeText.Envelope(MimeText.Bytes(Authors(5_000) + "To: c@d\r\nMessage-ID: <i@j>\r\n\r\n"), MimeLimits.Default with { MaxWrittenBytes = 8_000 });
        Assert.InRange(envelope.Length, 2_000, 8_000);
        Assert.EndsWith(" ((NIL NIL \"c\" \"d\")) NIL NIL NIL \"<i@j>\")", envelope);
    }

    [Fact]
    public void A_part_that_says_too_much_of_itself_is_a_leaf_and_its_neighbours_are_not()
    {
        string wordy = "Content-Type: text/plain; name=\"" + new string('n', 60_000) + "\"\r\nContent-Transfer-Encoding: base64\r\n\r\neA==\r\n";
        byte[] message = MimeText.Bytes("Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\n" + wordy + "--b\r\nContent-Type: text/html\r\n\r\n<p>\r\n--b--\r\n");
        string body = MimeText.BodyStructure(message, limits: MimeLimits.Default with { MaxWrittenBytes = 2_000 });
        Assert.Equal(
            "((\"application\" \"octet-stream\" NIL NIL NIL \"base64\" 4 NIL NIL NIL NIL)(\"text\" \"html\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 3 0 NIL NIL NIL NIL) \"alternative\" (\"boundary\" \"b\") NIL NIL NIL)",
            body);
    }

    [Fact]
    public void A_multipart_that_says_too_much_of_itself_keeps_its_parts()
    {
        byte[] message = MimeText.Bytes("Content-Type: multipart/related; boundary=b; x=\"" + new string('n', 60_000) + "\"\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n");
        Assert.Equal("((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 1 0 NIL NIL NIL NIL) \"mixed\" NIL NIL NIL NIL)",
            MimeText.BodyStructure(message, limits: MimeLimits.Default with { MaxWrittenBytes = 2_000 }));
    }

    [Fact]
    public void A_message_of_thousands_of_recipients_is_described_wholly()
    {
        string to = string.Join(",\r\n ", Enumerable.Range(0, 4_000).Select(i => $"Recipient Number {i} <recipient{i}@some-place.example.org>"));
        Assert.Equal(4_000, Regex.Count(MimeText.Envelope(MimeText.Bytes($"From: x@y\r\nTo: {to}\r\n\r\n")), "\"some-place.example.org\""));
    }
}
