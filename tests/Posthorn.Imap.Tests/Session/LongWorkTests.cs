using System.Text;
using Posthorn.Imap.Commands;
using Posthorn.Imap.Session;
using Posthorn.Imap.Wire;
using Posthorn.Testing;

namespace Posthorn.Imap.Tests.Session;

public sealed class LongWorkTests
{
    [Theory]
    [InlineData("s1", "SEARCH BODY x", "(\"s1\" 1 3)", "* SEARCH")]
    [InlineData("s1", "SEARCH OR BODY x BODY y", "(\"s1\" NIL NIL)", "* SEARCH")]
    [InlineData("s]1", "SEARCH BODY x", "(NIL 1 3)", "* SEARCH")]
    [InlineData("s]1", "SEARCH OR BODY x BODY y", "", "* SEARCH")]
    [InlineData("c1", "COPY 1:3 Archive", "(\"c1\" 1 3)", "c1 OK [COPYUID ")]
    [InlineData("m1", "UID MOVE 1:3 Archive", "(\"m1\" 1 3)", "* OK [COPYUID ")]
    public async Task A_client_hears_that_long_work_is_not_forgotten(string tag, string command, string code, string answer)
    {
        string expected = $"* OK [INPROGRESS{(code.Length > 0 ? " " + code : "")}] Still working";
        TaskCompletionSource found = new(TaskCreationOptions.RunContinuationsAsynchronously);
        await using ImapHost host = new() { StallsSearches = found.Task };
        await host.GivenAsync("INBOX has 3 messages");
        await host.GivenAsync("selected INBOX");
        MemoryChannel channel = host.Connect(ReadSplit.Whole);
        Client client = new(channel);
        await channel.SendAsync(Encoding.ASCII.GetBytes($"{tag} {command}\r\n"), default);
        for (int times = 0; times < 3; times++)
        {
            Task<string> word = client.ReadLineAsync();
            // The clock moves until the session waits for it.
            for (int tries = 0; !word.IsCompleted && tries < 600; tries++)
            {
                host.Time.Advance(TimeSpan.FromSeconds(1));
                await Task.WhenAny(word, Task.Delay(20));
            }

            Assert.Equal(expected, await word.WaitAsync(TimeSpan.FromSeconds(60)));
        }

        found.SetResult();
        string line;
        while ((line = await client.ReadLineAsync().WaitAsync(TimeSpan.FromSeconds(60))) == expected) { }
        Assert.StartsWith(answer, line, StringComparison.Ordinal);
        while (!line.StartsWith(tag, StringComparison.Ordinal)) line = await client.ReadLineAsync().WaitAsync(TimeSpan.FromSeconds(60));
        Assert.StartsWith($"{tag} OK ", line, StringComparison.Ordinal);
        await channel.DisposeAsync();
    }

    [Fact]
    public void Work_of_known_length_is_told_as_less_than_its_goal()
    {
        WorkTally tally = new(3);
        Assert.Equal("0 3", tally.ToString());
        tally.Step();
        Assert.Equal("1 3", tally.ToString());
        for (int i = 0; i < 5; i++) tally.Step();
        Assert.Equal("2 3", tally.ToString());
        Assert.Equal("NIL NIL", new WorkTally(0).ToString());
    }

    [Theory]
    [InlineData("UNSEEN 1:2", 0)]
    [InlineData("NOT SENTON 1-Jan-2026", 1)]
    [InlineData("SENTON 1-Jan-2026 SEEN", 1)]
    [InlineData("SENTON 1-Jan-2026 SAVEDON 1-Jan-2026", 2)]
    [InlineData("OR SENTON 1-Jan-2026 (SUBJECT x BODY y)", 3)]
    public void It_is_known_how_often_a_search_goes_through_the_messages(string search, int passes)
    {
        ImapReader reader = new(Encoding.ASCII.GetBytes(" " + search), new(false, '/', new() { HostName = "mail.example.org" }, default));
        Assert.Equal(passes, Search.Parse(ref reader).Key.Passes);
        Assert.False(reader.Failed);
    }

    [Fact]
    public async Task Whoever_sends_too_many_commands_in_a_second_is_answered_later_and_told_so_once()
    {
        await using ImapHost host = new();
        host.Options = host.Options with { CommandsPerSecond = 5 };
        MemoryChannel channel = host.Connect(ReadSplit.Whole);
        Client client = new(channel);
        StringBuilder commands = new();
        for (int i = 0; i < 20; i++) commands.Append('t').Append(i).Append(" NOOP\r\n");
        await channel.SendAsync(Encoding.ASCII.GetBytes(commands.ToString()), default);
        await client.ReadLineAsync();
        for (int i = 0; i < 10; i++) Assert.Equal($"t{i} OK Done", await client.ReadLineAsync());
        Assert.Equal("* OK [LIMIT] More than 5 commands in a second are answered later", await client.ReadLineAsync());
        Task<string> next = client.ReadLineAsync();
        Assert.False(next.IsCompleted);
        for (int i = 10; i < 20; i++)
        {
            while (!next.IsCompleted)
            {
                host.Time.Advance(TimeSpan.FromMilliseconds(100));
                await Task.WhenAny(next, Task.Delay(20));
            }

            Assert.Equal($"t{i} OK Done", await next);
            if (i < 19) next = client.ReadLineAsync();
        }

        await channel.DisposeAsync();
    }
}
