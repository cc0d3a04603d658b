using System.Globalization;
using System.Text;
using Posthorn.Interop.Tests.Harness;

namespace Posthorn.Interop.Tests.Servers;

/// <summary>A real policy server that Postfix would ask by <c>check_policy_service</c>: Postgrey.</summary>
public sealed class PolicyServerTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    [Fact]
    public async Task Postgrey_greylists_strangers_and_lets_them_in_when_they_come_back()
    {
        string program = Peer.Require("postgrey", "postgrey");
        using TemporaryFolder folder = new();
        int port = Ports.Free();
        string nobody = folder.Write("nobody", "");
        using Daemon postgrey = Daemon.Start(program, string.Create(CultureInfo.InvariantCulture, $"--inet=127.0.0.1:{port}"), "--delay=1", $"--dbdir={folder.Path}", "--user=root", "--group=root",
            $"--whitelist-clients={nobody}", $"--whitelist-recipients={nobody}", "--privacy");
        await FilterServer.ReadyAsync(port);
        await using FilterServer server = await FilterServer.StartAsync(folder, string.Create(CultureInfo.InvariantCulture, $"""
            [[rule]]
            name = "greylist"
            stage = "recipient"
            action = "ask"
            server = "inet:127.0.0.1:{port}"
            """));
        const string Letter = "From: eve@sender.example\nSubject: later\n\ntext\n";
        string reply = await server.SendAsync(Letter);
        Assert.StartsWith("450 4.2.0 Greylisted", reply, StringComparison.Ordinal);

        // The delay is a whole second by Postgrey's clock; a peer comes back until then.
        using CancellationTokenSource patience = new(Patience);
        while (reply[0] == '4')
        {
            await Task.Delay(200, patience.Token);
            reply = await server.SendAsync(Letter);
        }
        Assert.StartsWith("250 ", reply, StringComparison.Ordinal);
        string text = Encoding.ASCII.GetString((await Mail.WaitForAsync(server.Process, FilterServer.Ann, 1))[^1]);
        Assert.Matches(@"(?m)^X-Greylist: delayed \d+ seconds by postgrey", text);

        // With the server gone mail waits, unless the rule says otherwise.
        postgrey.Dispose();
        Assert.StartsWith("451 ", await server.SendAsync(Letter, from: "other@sender.example"), StringComparison.Ordinal);
    }
}
