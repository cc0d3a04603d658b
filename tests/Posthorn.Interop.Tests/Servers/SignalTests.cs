using System.Globalization;
using System.Text;
using System.Text.Json;
using Posthorn.Interop.Tests.Harness;
using Posthorn.Testing;

namespace Posthorn.Interop.Tests.Servers;

/// <summary>Starting, stopping, reloading and dying.</summary>
public sealed class SignalTests
{
    private const int HangUp = 1;
    private const int Terminate = 15;

    [Fact]
    public async Task Sigterm_says_goodbye_to_sessions_and_ends_with_0()
    {
        await using PosthornProcess server = await PosthornProcess.StartAsync();
        await using RawClient smtp = await RawClient.ConnectAsync(server.Port("smtp"));
        await smtp.ReplyAsync();
        await using RawClient imap = await RawClient.ConnectAsync(server.Port("imap"));
        await imap.LineAsync();
        Task<int> stopping = server.StopAsync();
        Assert.StartsWith("421", await smtp.ReplyAsync(), StringComparison.Ordinal);
        Assert.StartsWith("* BYE", await imap.LineAsync(), StringComparison.Ordinal);
        Assert.Equal(0, await stopping);
    }

    /// <summary>The first signal waits for the answer to a message that is on its way, a second one for nothing.</summary>
    [Fact]
    public async Task A_second_signal_ends_what_the_first_one_waits_for()
    {
        using TemporaryFolder folder = new();
        TaskCompletionSource reached = new(TaskCreationOptions.RunContinuationsAsynchronously), never = new(TaskCreationOptions.RunContinuationsAsynchronously);
        await using ScriptedPeer peer = new ScriptedPeer().At(".", new PeerAct.SayWhen(reached, never.Task, "250 2.0.0 Ok"));
        (PosthornProcess server, IReadOnlyList<Account> accounts) = await QuickServer.StartAsync(Path.Combine(folder.Path, "q"),
            text => text + string.Create(CultureInfo.InvariantCulture, $"\n[outbound]\nrelay-host = \"127.0.0.1\"\nrelay-port = {peer.Listen().Port}\nstop-grace = \"60s\"\n"));
        await using PosthornProcess running = server;
        await PostfixTests.SubmitAsync(server, accounts.Single(a => a.LocalPart == "ann"), "carl@foreign.example", "on its way");
        await reached.Task.WaitAsync(TimeSpan.FromSeconds(60), TestContext.Current.CancellationToken);
        server.Signal(Terminate);
        using CancellationTokenSource patience = new(TimeSpan.FromSeconds(30));
        while (!server.Log.Contains("queue-stopping", StringComparison.Ordinal)) await Task.Delay(20, patience.Token);
        Assert.Equal(0, await server.StopAsync());
    }

    [Fact]
    public async Task The_same_folder_gives_the_same_accounts_and_mail()
    {
        using TemporaryFolder folder = new();
        string root = Path.Combine(folder.Path, "q");
        Account ann;
        await using (PosthornProcess first = await PosthornProcess.StartAsync(directory: root))
        {
            ann = first["ann"];
            await SendAsync(first, "kept");
            Assert.Equal(0, await first.StopAsync());
        }
        await using PosthornProcess second = await PosthornProcess.StartAsync("ann,bob,carl", root);
        Assert.Equal(ann, second["ann"]);
        Assert.Equal(3, second.Accounts.Count);
        Assert.Contains(await Mail.ReadAllAsync(second, ann), m => Encoding.ASCII.GetString(m).Contains("Subject: kept", StringComparison.Ordinal));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Path.Combine(root, "quickstart.json")));
    }

    [Fact]
    public async Task A_second_quickstart_in_one_folder_changes_nothing()
    {
        await using PosthornProcess server = await PosthornProcess.StartAsync();
        string before = await File.ReadAllTextAsync(server.Configuration) + await File.ReadAllTextAsync(Path.Combine(server.Directory, "users"));
        (string file, string[] arguments) = PosthornProcess.Program;
        PeerResult second = await Peer.RunAsync(file, [.. arguments, "quickstart", "--directory", server.Directory, "--port-base", "30000", "--accounts", "zoe", "--json"]);
        Assert.Equal(1, second.Status);
        Assert.Contains("another quickstart serves this folder", second.Errors, StringComparison.Ordinal);
        Assert.Equal(before, await File.ReadAllTextAsync(server.Configuration) + await File.ReadAllTextAsync(Path.Combine(server.Directory, "users")));
    }

    [Fact]
    public async Task Quickstart_relays_for_nobody_and_takes_no_login_in_clear_on_the_sending_ports()
    {
        await using PosthornProcess server = await PosthornProcess.StartAsync();
        await using RawClient smtp = await RawClient.ConnectAsync(server.Port("smtp"));
        await smtp.ReplyAsync();
        await smtp.CommandAsync("EHLO a.example");
        await smtp.CommandAsync("MAIL FROM:<x@elsewhere.example>");
        foreach (string guise in (string[])["<y@other.example>", "<@posthorn.test:y@other.example>", "<postmaster@other.example>", "<y%other.example@posthorn.test>", "<other.example!y@posthorn.test>", "<\"y@other.example\"@posthorn.test>", "<y@other.example.>", "<y@[192.0.2.1]>"])
            Assert.StartsWith("5", await smtp.CommandAsync("RCPT TO:" + guise), StringComparison.Ordinal);
        await using RawClient submission = await RawClient.ConnectAsync(server.Port("submission"));
        await submission.ReplyAsync();
        Assert.DoesNotContain("AUTH", await submission.CommandAsync("EHLO a.example"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_was_acknowledged_survives_a_kill()
    {
        using TemporaryFolder folder = new();
        string root = Path.Combine(folder.Path, "q");
        await using (PosthornProcess first = await PosthornProcess.StartAsync(directory: root))
        {
            for (int i = 0; i < 20; i++) await SendAsync(first, $"number {i}");
            await first.KillAsync();
        }
        await using PosthornProcess second = await PosthornProcess.StartAsync(directory: root);
        List<string> all = [.. (await Mail.ReadAllAsync(second, second["ann"])).Select(Encoding.ASCII.GetString)];
        for (int i = 0; i < 20; i++) Assert.Single(all, m => m.Contains($"Subject: number {i}\r\n", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Reload_takes_a_good_file_and_keeps_the_old_one_when_it_is_bad()
    {
        await using PosthornProcess server = await PosthornProcess.StartAsync();
        string good = await File.ReadAllTextAsync(server.Configuration);
        await File.WriteAllTextAsync(server.Configuration, good + "\n[limits]\nmessage-size = \"1 MiB\"\n");
        server.Signal(HangUp);
        await UntilAsync(server, "SIZE 1048576");

        await File.WriteAllTextAsync(server.Configuration, good + "\n[limits]\nmessage-sise = \"2 MiB\"\n");
        (string file, string[] arguments) = PosthornProcess.Program;
        PeerResult refused = await Peer.RunAsync(file, [.. arguments, "reload", "--config", server.Configuration, "--json"]);
        Assert.NotEqual(0, refused.Status);
        await UntilAsync(server, "SIZE 1048576");
    }

    [Fact]
    public async Task A_removed_account_loses_its_open_sessions_and_nobody_else_does()
    {
        await using PosthornProcess server = await PosthornProcess.StartAsync();
        await using RawClient ann = await IdleAsync(server, server["ann"]), bob = await IdleAsync(server, server["bob"]);
        (string file, string[] arguments) = PosthornProcess.Program;
        await Peer.SucceedAsync(file, [.. arguments, "account", "remove", server["bob"].Address, "--config", server.Configuration]);
        Assert.StartsWith("* BYE [EXPIRED]", await bob.LineAsync(), StringComparison.Ordinal);
        Assert.Null(await bob.LineAsync());
        await ann.SendAsync("DONE\r\n");
        Assert.StartsWith("a3 OK", (await ann.TaggedAsync("a3"))[^1], StringComparison.Ordinal);
    }

    private static async Task<RawClient> IdleAsync(PosthornProcess server, Account account)
    {
        RawClient client = await RawClient.ConnectAsync(server.Port("imap"));
        await client.LineAsync();
        await client.SendAsync($"a1 LOGIN {account.Login} {account.Password}\r\na2 SELECT INBOX\r\na3 IDLE\r\n");
        while (await client.LineAsync() is { } line && !line.StartsWith('+')) { }
        return client;
    }

    [Fact]
    public async Task Status_tells_of_the_running_server()
    {
        await using PosthornProcess server = await PosthornProcess.StartAsync();
        (string file, string[] arguments) = PosthornProcess.Program;
        PeerResult status = await Peer.SucceedAsync(file, [.. arguments, "status", "--config", server.Configuration, "--json"]);
        using JsonDocument report = JsonDocument.Parse(status.Output);
        Assert.Equal(2, report.RootElement.GetProperty("accounts").GetInt32());
        await server.StopAsync();
        Assert.Equal(3, (await Peer.RunAsync(file, [.. arguments, "status", "--config", server.Configuration])).Status);
    }

    private static async Task UntilAsync(PosthornProcess server, string offered)
    {
        using CancellationTokenSource patience = new(TimeSpan.FromSeconds(30));
        string last = "";
        while (!patience.IsCancellationRequested)
        {
            await using RawClient smtp = await RawClient.ConnectAsync(server.Port("smtp"));
            await smtp.ReplyAsync();
            last = await smtp.CommandAsync("EHLO a.example");
            if (last.Contains(offered, StringComparison.Ordinal)) return;
            await Task.Delay(20);
        }
        Assert.Fail($"{last}\n{server.Log}");
    }

    private static async Task SendAsync(PosthornProcess server, string subject)
    {
        await using RawClient smtp = await RawClient.ConnectAsync(server.Port("smtp"));
        await smtp.ReplyAsync();
        await smtp.CommandAsync("EHLO a.example");
        await smtp.CommandAsync("MAIL FROM:<x@elsewhere.example>");
        await smtp.CommandAsync($"RCPT TO:<{server["ann"].Address}>");
        await smtp.CommandAsync("DATA");
        Assert.StartsWith("250", await smtp.CommandAsync($"Subject: {subject}\r\n\r\ntext\r\n."), StringComparison.Ordinal);
    }
}
