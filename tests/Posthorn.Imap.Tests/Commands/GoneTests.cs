using Posthorn.Imap.Tests.Session;
using Posthorn.Testing;

namespace Posthorn.Imap.Tests.Commands;

/// <summary>What is said of messages that others have expunged and of which only the store knew something.</summary>
public sealed class GoneTests
{
    [Fact]
    public async Task A_search_that_cannot_look_at_a_message_any_more_says_so()
    {
        await using ImapHost host = new(new TemporaryFolder());
        await host.GivenAsync("INBOX has 3 messages");
        await host.GivenAsync("selected INBOX");
        Client client = new(host.Connect(ReadSplit.Whole));
        Assert.StartsWith("OK Done", await client.SayAsync("NOOP"), StringComparison.Ordinal);
        await host.GivenAsync("INBOX loses 2");
        Assert.StartsWith("OK [EXPUNGEISSUED]", await client.SayAsync("SEARCH SAVEDSINCE 1-Jan-2000", mayExpunge: false), StringComparison.Ordinal);
        Assert.StartsWith("OK Searched", await client.SayAsync("SEARCH SENTSINCE 1-Jan-2000", mayExpunge: false), StringComparison.Ordinal);
    }
}
