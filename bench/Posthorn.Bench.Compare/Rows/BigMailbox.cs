using System.Runtime.CompilerServices;
using Posthorn.Bench.Compare.Servers;
using Posthorn.Bench.Load;

namespace Posthorn.Bench.Compare.Rows;

/// <summary>The mailbox <c>Bench</c> of 10,000 varied messages that rows of reading share; filled when the first of them runs.</summary>
internal sealed class BigMailbox
{
    internal const string Name = "Bench";

    // The last of the accounts that are warmed up, which no row takes for itself; another one for warming up again.
    private const string User = "user99@bench.test", Other = "user98@bench.test";
    private const int OtherMessages = 50;

    /// <summary>Longer than either server waits before it works on what has come in.</summary>
    private static readonly TimeSpan Rest = TimeSpan.FromSeconds(20);

    private static readonly ConditionalWeakTable<MailServer, BigMailbox> Filled = [];
    private readonly MailServer _server;

    private BigMailbox(MailServer server, bool quick)
    {
        (_server, Count) = (server, quick ? 40 : 10_000);
        Fill(User, Count);
        Fill(Other, OtherMessages);
        if (!quick) Settle();
    }

    internal int Count { get; }

    internal static BigMailbox On(MailServer server, bool quick) => Filled.GetValue(server, s => new(s, quick));

    /// <summary>A session that is logged in.</summary>
    internal ImapClient Connect(bool tls = false) => Connect(User, tls);

    /// <summary>Starts the server anew, and has it do the same work for somebody else, so that its programs and code are there but nothing of this mailbox.</summary>
    internal void Restart(string command)
    {
        _server.End();
        _server.Start();
        for (int i = 0; i < 5; i++)
        {
            using ImapClient client = Connect(Other);
            client.Run("SELECT " + Name);
            client.Run(command);
        }

        _server.WaitUntilQuiet();
    }

    private ImapClient Connect(string user, bool tls = false)
    {
        ImapClient client = new(tls ? _server.ImapsPort : _server.ImapPort, tls);
        client.Run($"LOGIN {user} pass");
        return client;
    }

    private void Fill(string user, int count)
    {
        using ImapClient client = Connect(user);
        client.Run("CREATE " + Name);
        client.Append(Name, Enumerable.Range(0, count).Select(VariedMail.Message));
    }

    // What a server does in the background for so much mail may begin late and take a while: until nothing has been done for some seconds.
    private void Settle()
    {
        double before;
        do
        {
            before = _server.Meter.Cpu();
            Thread.Sleep(Rest);
        }
        while (_server.Meter.Cpu() - before > 0.1);
    }
}
