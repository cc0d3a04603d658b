using System.Text;
using Posthorn.Smtp.Tests.Fakes;
using Posthorn.Testing;
using Posthorn.Transport;

namespace Posthorn.Smtp.Tests.Session;

/// <summary>Whatever refuses a message or a recipient, the transport hears of it, so that the trace can tell.</summary>
public sealed class NotedRefusalTests
{
    [Theory]
    [InlineData("limit size 100", "EHLO c|MAIL FROM:<a@x.example> SIZE=101", "<a@x.example> 552 5.3.4")]
    [InlineData("limit messages-in-time 1", "EHLO c|MAIL FROM:<a@x.example>|RSET|MAIL FROM:<b@x.example>", "<b@x.example> 450 4.7.1")]
    [InlineData("limit transactions 1", "EHLO c|MAIL FROM:<a@x.example>|RSET|MAIL FROM:<b@x.example>", "<b@x.example> 421 4.5.3")]
    [InlineData("", "EHLO c|MAIL FROM:<a@x.example> REQUIRETLS", "<a@x.example> 554 5.7.10")]
    [InlineData("", "EHLO c|MAIL FROM:<ä@x.example>", "<ä@x.example> 550 5.6.7")]
    [InlineData("", "EHLO c|MAIL FROM:<refused@x.example>", "")] // kept back
    [InlineData("", "EHLO c|MAIL FROM:<refused@x.example>|RCPT TO:<ann@example.org>", "<refused@x.example> <ann@example.org> 550 5.7.1")]
    [InlineData("limit recipients 1", "EHLO c|MAIL FROM:<a@x.example>|RCPT TO:<ann@example.org>|RCPT TO:<bea@example.org>", "<a@x.example> <bea@example.org> 452 4.5.3")]
    [InlineData("limit recipients-in-time 1", "EHLO c|MAIL FROM:<a@x.example>|RCPT TO:<ann@example.org>|RCPT TO:<bea@example.org>", "<a@x.example> <bea@example.org> 450 4.7.1")]
    [InlineData("", "EHLO c|MAIL FROM:<a@x.example>|RCPT TO:<ä@example.org>", "<a@x.example> <ä@example.org> 553 5.6.7")]
    [InlineData("limit size 100", "EHLO c|MAIL FROM:<a@x.example>|RCPT TO:<ann@example.org>|DATA|$long|.", "<a@x.example> 552 5.3.4")]
    [InlineData("limit text-line 100", "EHLO c|MAIL FROM:<a@x.example>|RCPT TO:<ann@example.org>|DATA|$long|.", "<a@x.example> 550 5.6.0")]
    [InlineData("limit size 100", "EHLO c|MAIL FROM:<a@x.example>|RCPT TO:<ann@example.org>|BDAT 302|$long", "<a@x.example> 552 5.3.4")]
    [InlineData("writes 0", "EHLO c|MAIL FROM:<a@x.example>|RCPT TO:<ann@example.org>|DATA|hello|.", "<a@x.example> 451 4.3.0")]
    [InlineData("", "EHLO c|MAIL FROM:<a@x.example>|RCPT TO:<ann@example.org>|RCPT TO:<broken@example.org>|DATA|hello|.", "<a@x.example> 451 4.3.0")]
    [InlineData("", "EHLO c|MAIL FROM:<a@x.example>|RCPT TO:<ann@example.org>|RCPT TO:<bea@example.org>|DATA|hello", "<a@x.example> <ann@example.org> <bea@example.org> lost after 7")]
    [InlineData("", "EHLO c|MAIL FROM:<a@x.example>|RCPT TO:<ann@example.org>|BDAT 100|hello", "<a@x.example> <ann@example.org> lost after 7")]
    [InlineData("role submission", "EHLO c|MAIL FROM:<a@x.example>", "<a@x.example> 530 5.7.0")]
    public async Task Every_refusal_is_told(string given, string commands, string noted)
    {
        await using SmtpHost host = new();
        if (given.Length > 0) await host.GivenAsync(given);
        MemoryChannel channel = host.Connect(ReadSplit.Whole);
        await using TestClient client = new(channel);
        string said = string.Concat(commands.Replace("$long", new string('x', 300), StringComparison.Ordinal).Split('|').Select(line => line + "\r\n"));
        await channel.SendAsync(Encoding.UTF8.GetBytes(said), TestContext.Current.CancellationToken);
        channel.CloseWriting();
        await client.RestAsync();
        Assert.Equal(noted, string.Join(", ", host.Transport.Noted));
    }
}
