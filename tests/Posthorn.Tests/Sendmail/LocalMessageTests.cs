using System.Text;
using Posthorn.Sendmail;

namespace Posthorn.Tests.Sendmail;

/// <summary>What becomes of the header of a local program's message.</summary>
public sealed class LocalMessageTests
{
    [Theory]
    [InlineData("From: root (Cron Daemon)\n", "From: root@host.example (Cron Daemon)\n")]
    [InlineData("To: ann, \"Bob B.\" <bob>,\n carl@far.example\n", "To: ann@host.example, \"Bob B.\" <bob@host.example>,\n carl@far.example\n")]
    [InlineData("Cc: Ann Example <ann@far.example>, Team: dave, <eve>;, frank\n", "Cc: Ann Example <ann@far.example>, Team: dave@host.example, <eve@host.example>;, frank@host.example\n")]
    [InlineData("Reply-To: (who? ann) bob (or\\) ann)\n", "Reply-To: (who? ann) bob@host.example (or\\) ann)\n")]
    [InlineData("Sender: \"a b\"\n", "Sender: \"a b\"@host.example\n")]
    [InlineData("To: undisclosed-recipients:;\n", "To: undisclosed-recipients:;\n")]
    [InlineData("To: two words, <>, <a b>, \"open\n", "To: two words, <>, <a b>, \"open\n")]
    [InlineData("To: <@relay.example:ann>\n", "To: <@relay.example:ann@host.example>\n")]
    [InlineData("Subject: ann\n", "Subject: ann\n")]
    [InlineData("To: gr\u00fc\u00dfe\n", "To: gr\u00fc\u00dfe\n")]
    public async Task Bare_names_get_the_domain(string given, string expected)
    {
        string whole = await SentAsync(given + "Date: x\nMessage-ID: y\nFrom: z@z.example\n\nbody ann\n");
        Assert.Equal(expected + "Date: x\nMessage-ID: y\nFrom: z@z.example\n\nbody ann\n", whole);
    }

    [Fact]
    public async Task What_is_missing_is_added_and_what_is_nobodys_business_goes()
    {
        string whole = await SentAsync("From ann Thu Jan  1 00:00:00 1970\nBcc: eve\nReturn-Path: <x>\nSubject: s\n\nbody\n");
        Assert.Equal("Subject: s\nDate: Mon, 02 Mar 2026 10:00:00 +0100\nMessage-ID: <1@host.example>\nFrom: \"Ann\" <ann@host.example>\n\nbody\n", whole);
    }

    [Fact]
    public async Task A_text_without_header_is_a_body()
    {
        string whole = await SentAsync("just text\nTo: nobody\n");
        Assert.EndsWith("From: \"Ann\" <ann@host.example>\n\njust text\nTo: nobody\n", whole, StringComparison.Ordinal);
    }

    private static async Task<string> SentAsync(string input)
    {
        using MemoryStream stream = new(Encoding.UTF8.GetBytes(input));
        LocalMessage message = (await LocalMessage.ReadAsync(stream, dotIsText: true, default))!;
        LocalAuthor author = new("ann@host.example", "host.example", "Ann", "1@host.example", new(2026, 3, 2, 10, 0, 0, TimeSpan.FromHours(1)));
        StringBuilder whole = new();
        await foreach (ReadOnlyMemory<byte> piece in message.ContentAsync(author, default)) whole.Append(Encoding.UTF8.GetString(piece.Span));
        return whole.ToString();
    }
}
