using System.Text;
using CsCheck;
using Posthorn.Smtp.Tests.Fakes;
using Posthorn.Testing;
using Posthorn.Transport;

namespace Posthorn.Smtp.Tests.Session;

/// <summary>Any bytes in each state: no exception, well-formed and bounded output, nothing left open, and the same answers however the bytes are cut.</summary>
public sealed class FuzzTests
{
    private static readonly string[] States =
    [
        "",
        "HELO c.example\r\n",
        "HELO c.example\r\nMAIL FROM:<bob@example.net>\r\n",
        "HELO c.example\r\nMAIL FROM:<bob@example.net>\r\nRCPT TO:<ann@example.org>\r\n",
        "HELO c.example\r\nMAIL FROM:<bob@example.net>\r\nRCPT TO:<ann@example.org>\r\nDATA\r\n",
        "HELO c.example\r\nMAIL FROM:<bob@example.net>\r\nRCPT TO:<ann@example.org>\r\nBDAT 3\r\nabc",
        "LHLO c.example\r\nMAIL FROM:<bob@example.net>\r\nRCPT TO:<ann@example.org>\r\nRCPT TO:<bea@example.org>\r\n",
        "HELO c.example\r\nAUTH LOGIN\r\n",
        "XCLIENT ADDR=198.51.100.7 HELO=x",
    ];

    // Words of the protocol, halves of them, and noise.
    private static readonly Gen<string> Pieces = Gen.OneOf(
        OneOf(
            "MAIL FROM:", "RCPT TO:", "<", ">", "<>", "@", "bob@example.net", "ann@example.org", "\"", "\\", "[192.0.2.1]", "[IPv6:::1]", ",", ":", " ", "\r\n", "\r\n", "\r\n", "\n", "\r",
            ".", "\r\n.\r\n", "DATA\r\n", "BDAT 3\r\n", "BDAT 3 LAST\r\nabc", "BDAT ", "RSET\r\n", "NOOP", "VRFY x", "EHLO c.example\r\n", "LHLO c.example\r\n", "AUTH PLAIN ", "AGFubgBzZWNyZXQ=", "=", "*", "STARTTLS\r\n",
            " SIZE=", "1", "99999999999999999999", " BODY=8BITMIME", " SMTPUTF8", " NOTIFY=NEVER", " ORCPT=utf-8;\\x{E4}", " ENVID=a+2B", "\0", "é", "xn--a", "..", "postmaster", "XCLIENT", "XFORWARD", " ADDR=", " NAME=", " LOGIN=ann", " HELO=", "IPV6:::1", "198.51.100.7", "[UNAVAILABLE]", "[TEMPUNAVAIL]"),
        Gen.Byte.Select(b => ((char)b).ToString()));

    public static IEnumerable<TheoryDataRow<ListenerRole, int>> Cases =>
        from role in Enum.GetValues<ListenerRole>() from state in Enumerable.Range(0, States.Length) select new TheoryDataRow<ListenerRole, int>(role, state);

    [Theory]
    [MemberData(nameof(Cases))]
    public Task AnyBytesInAnyState(ListenerRole role, int state) =>
        Pieces.Array[0, 30].Select(parts => string.Concat(parts)).SampleAsync(async input =>
        {
            byte[] bytes = Encoding.Latin1.GetBytes(States[state] + input);
            string whole = await PlayAsync(role, bytes, ReadSplit.Whole);
            Assert.Equal(whole, await PlayAsync(role, bytes, ReadSplit.Bytes));
            Assert.Equal(whole, await PlayAsync(role, bytes, ReadSplit.Random(input.Length)));
            foreach (string line in whole.Split("\r\n")[..^1])
            {
                Assert.InRange(line.Length, 4, 510);
                Assert.True(line[..3].All(char.IsAsciiDigit) && line[3] is ' ' or '-', line);
                Assert.True(line.All(c => c is >= ' ' and <= '~'), line);
            }
        }, iter: 100);

    private static async Task<string> PlayAsync(ListenerRole role, byte[] input, ReadSplit split)
    {
        await using SmtpHost host = new() { Role = role };
        await host.GivenAsync("trusted");
        await host.GivenAsync("on xclient");
        await host.GivenAsync("on xforward");
        MemoryChannel client = host.Connect(split, window: 4 * 1024 * 1024);
        await client.SendAsync(input, CancellationToken.None);
        client.CloseWriting();
        StringBuilder output = new();
        byte[] buffer = new byte[4096];
        int read;
        while ((read = await client.ReceiveAsync(buffer, CancellationToken.None)) > 0) output.Append(Encoding.Latin1.GetString(buffer, 0, read));
        await host.Sessions[0].WaitAsync(TimeSpan.FromSeconds(60));
        await client.DisposeAsync();
        foreach (TakenMessage message in host.Transport.Taken) Assert.NotEmpty(message.Envelope.Recipients);
        output.Append(string.Join('|', host.Transport.Taken.Select(m => Convert.ToHexString(m.Content))));
        return output.ToString();
    }

    private static Gen<T> OneOf<T>(params T[] values) => Gen.Int[0, values.Length - 1].Select(i => values[i]);
}
