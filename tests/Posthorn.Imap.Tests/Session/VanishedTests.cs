using System.Globalization;
using Posthorn.Testing;

namespace Posthorn.Imap.Tests.Session;

/// <summary>VANISHED (EARLIER) where hardly any of billions of numbers is there: what is told is as short as what is there.</summary>
public sealed class VanishedTests
{
    [Theory]
    [InlineData("UID FETCH 1:* (FLAGS) (CHANGEDSINCE 1 VANISHED)", "1:2,4:69,71:3999999999,4000000001:4000000289")]
    [InlineData("UID FETCH 60:80,4000000000,7,4000000100:4000000200 (FLAGS) (CHANGEDSINCE 1 VANISHED)", "7,60:69,71:80,4000000100:4000000200")]
    [InlineData("UID FETCH 3,70,4000000000 (FLAGS) (CHANGEDSINCE 1 VANISHED)", null)]
    [InlineData("SELECT INBOX (QRESYNC (77 1))", "1:2,4:69,71:3999999999,4000000001:4000000289")]
    [InlineData("SELECT INBOX (QRESYNC (77 1 2:4,70:100))", "2,4,71:100")]
    public async Task A_list_with_a_next_UID_of_billions(string command, string? vanished)
    {
        using TemporaryFolder folder = new();
        folder.Write("mail/ann/cur/1.a.b:2,S", "Subject: one\r\n\r\n");
        folder.Write("mail/ann/cur/2.a.b:2,S", "Subject: two\r\n\r\n");
        folder.Write("mail/ann/cur/3.a.b:2,S", "Subject: three\r\n\r\n");
        folder.Write("mail/ann/new/.keep", "");
        folder.Write("mail/ann/dovecot-uidlist", "3 V77 N4000000290 G0123456789abcdef0123456789abcdef\n3 :1.a.b\n70 :2.a.b\n4000000000 :3.a.b\n");
        await using ImapHost host = new(folder);
        await host.GivenAsync("logged in");
        MemoryChannel channel = host.Connect(ReadSplit.Whole);
        Client client = new(channel);
        await client.SayAsync("ENABLE QRESYNC");
        await client.SayAsync("SELECT INBOX");
        List<string> told = [];
        await client.SendAsync(command);
        string line;
        while (!(line = await client.ReadLineAsync()).StartsWith(client.Tag + " ", StringComparison.Ordinal))
            if (line.StartsWith("* VANISHED", StringComparison.Ordinal)) told.Add(line);
        Assert.Equal(vanished is null ? [] : [$"* VANISHED (EARLIER) {vanished}"], told);
        Assert.Contains(" OK ", line, StringComparison.Ordinal);
        await channel.DisposeAsync();
    }

    [Fact]
    public async Task More_ranges_than_fit_into_one_response_are_told_in_several()
    {
        using TemporaryFolder folder = new();
        const int messages = 9_000;
        string list = "3 V77 N20000 G0123456789abcdef0123456789abcdef\n" + string.Concat(Enumerable.Range(1, messages).Select(i => string.Create(CultureInfo.InvariantCulture, $"{i * 2} :{i}.a.b\n")));
        folder.Write("mail/ann/dovecot-uidlist", list);
        folder.Write("mail/ann/new/.keep", "");
        for (int i = 1; i <= messages; i++) folder.Write($"mail/ann/cur/{i}.a.b:2,S", "Subject: x\r\n\r\n");
        await using ImapHost host = new(folder);
        await host.GivenAsync("logged in");
        MemoryChannel channel = host.Connect(ReadSplit.Whole);
        Client client = new(channel);
        await client.SayAsync("ENABLE QRESYNC");
        await client.SendAsync("SELECT INBOX (QRESYNC (77 1 1:17000))");
        List<string> told = [];
        string line;
        while (!(line = await client.ReadLineAsync()).StartsWith(client.Tag + " ", StringComparison.Ordinal))
            if (line.StartsWith("* VANISHED (EARLIER) ", StringComparison.Ordinal)) told.AddRange(line["* VANISHED (EARLIER) ".Length..].Split(',').Append("|"));
        Assert.Equal(3, told.Count(text => text == "|"));
        Assert.Equal(Enumerable.Range(0, 8500).Select(i => ((i * 2) + 1).ToString(CultureInfo.InvariantCulture)), told.Where(text => text != "|"));
        await channel.DisposeAsync();
    }
}
