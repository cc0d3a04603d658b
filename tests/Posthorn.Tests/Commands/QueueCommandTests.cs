using System.Globalization;
using System.Text.Json;
using Posthorn.Testing;

namespace Posthorn.Tests.Commands;

/// <summary><c>posthorn queue</c> over a running server with mail that waits for two other servers, one that has no time and one that is not there.</summary>
public sealed class QueueCommandTests : IAsyncLifetime
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);
    private readonly TemporaryFolder _folder = new();
    private readonly ScriptedPeer _busy = new();
    private string _configuration = "";
    private PosthornProcess _server = null!;

    public async ValueTask InitializeAsync()
    {
        _busy.At("RCPT", new PeerAct.Say("451 4.2.1 Mailbox busy, come back later"));
        _folder.Write("users", "ann@posthorn.test:{PLAIN}secret::::::\n");
        _configuration = _folder.Write("posthorn.toml", string.Create(CultureInfo.InvariantCulture, $"""
            hostname = "mail.posthorn.test"
            data = "data"
            [[domain]]
            name = "posthorn.test"
            [auth]
            passwd-file = "users"
            [listen]
            smtp = ["127.0.0.1:0"]
            [network]
            trusted = ["127.0.0.1"]
            [dns]
            servers = ["127.0.0.1:9"]
            [outbound]
            first-retry = "1h"
            [[outbound.route]]
            to = "busy.example"
            host = "127.0.0.1"
            port = {_busy.Listen().Port}
            [[outbound.route]]
            to = "gone.example"
            socket = "{_folder.Path}/nobody"
            protocol = "lmtp"
            """));
        _server = await PosthornProcess.ServeAsync(_configuration);
    }

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        await _busy.DisposeAsync();
        _folder.Dispose();
    }

    [Fact]
    public async Task Filters_choose_what_is_listed_held_released_tried_and_deleted()
    {
        await SendAsync("eve@sender.example", "a@busy.example");
        await SendAsync("eve@sender.example", "b@gone.example");
        await SendAsync("carl@other.example", "c@busy.example");
        await SendAsync("", "d@busy.example");
        await UntilAsync(queue => queue.GetProperty("messages").EnumerateArray().All(message => message.GetProperty("attempts").GetInt32() == 1));

        Assert.Equal(["a", "b"], await NamesAsync("--from", "eve@sender.example"));
        Assert.Equal(["c"], await NamesAsync("--from", "@other.example"));
        Assert.Equal(["d"], await NamesAsync("--from", "<>"));
        Assert.Equal(["a", "c", "d"], await NamesAsync("--to", "@busy.example"));
        Assert.Equal(["a"], await NamesAsync("--from", "eve@sender.example", "--to", "@busy.example"));
        Assert.Equal(["a", "c", "d"], await NamesAsync("--reason", "4.2.1"));
        Assert.Empty(await NamesAsync("--held"));

        // Totals by destination and by reason, of all and without the messages.
        JsonElement all = await ListAsync("--summary");
        Assert.Empty(all.GetProperty("messages").EnumerateArray());
        JsonElement[] totals = [.. all.GetProperty("totals").EnumerateArray().OrderByDescending(total => total.GetProperty("messages").GetInt32())];
        Assert.Equal([3, 1], totals.Select(total => total.GetProperty("messages").GetInt32()));
        string destination = totals[1].GetProperty("destination").GetString()!;
        Assert.Equal(["b"], await NamesAsync("--destination", destination));
        Assert.Contains(all.GetProperty("reasons").EnumerateArray(), reason => reason.GetProperty("status").GetString() == "451 4.2.1" && reason.GetProperty("recipients").GetInt32() == 3);
        Assert.Equal(4, all.GetProperty("matching").GetInt32());
        Assert.Contains("4 messages match; 2 are listed.", (await RunAsync("list", "--limit", "2")).Output, StringComparison.Ordinal);

        Assert.Equal((0, "held 2 messages\n"), await SaidAsync("hold", "--from", "eve@sender.example"));
        Assert.Equal(["a", "b"], await NamesAsync("--held"));
        Assert.Equal((0, "released 1 message\n"), await SaidAsync("release", "--to", "b@gone.example"));
        Assert.Equal(["a"], await NamesAsync("--held"));
        Assert.Equal((1, "0 messages are tried now\n"), await SaidAsync("retry", "--to", "nobody@busy.example"));
        Assert.Equal((0, "deleted 1 message\n"), await SaidAsync("delete", "--from", "<>"));
        string id = await IdOfAsync("c");
        Assert.Equal((0, $"deleted {id}\n"), await SaidAsync("delete", id));
        Assert.Equal(["a", "b"], await NamesAsync());
        Assert.Equal(1, (await RunAsync("show", id)).Status);
        Assert.Contains("451 4.2.1 Mailbox busy", (await RunAsync("show", await IdOfAsync("a"))).Output, StringComparison.Ordinal);

        // Without a word on which, nobody means all.
        (int status, _, string errors) = await RunAsync("delete");
        Assert.Equal(2, status);
        Assert.Contains("say which messages are to be deleted", errors, StringComparison.Ordinal);
        Assert.Equal(["a", "b"], await NamesAsync());
    }

    /// <summary>Each verb by filter and by id, with what it has done as JSON; nothing changed is status 1, no message is too.</summary>
    [Fact]
    public async Task Every_verb_speaks_json()
    {
        await SendAsync("eve@sender.example", "a@busy.example");
        await SendAsync("eve@sender.example", "b@gone.example");
        await UntilAsync(queue => queue.GetProperty("messages").EnumerateArray().All(message => message.GetProperty("attempts").GetInt32() == 1));
        string a = await IdOfAsync("a");
        (int status, string shown, _) = await RunAsync("show", a, "--json");
        JsonElement message = JsonDocument.Parse(shown).RootElement;
        Assert.Equal((0, a, "eve@sender.example"), (status, message.GetProperty("id").GetString(), message.GetProperty("from").GetString()));
        Assert.StartsWith("451 4.2.1 Mailbox busy", message.GetProperty("recipients")[0].GetProperty("lastReply").GetString(), StringComparison.Ordinal);
        foreach (string verb in (string[])["hold", "release", "retry", "requeue", "delete"])
        {
            // One by its id, then those of a filter, then those of a filter that names nobody.
            foreach ((string[] which, int count) in ((string[], int)[])[([a], 1), (["--to", "@gone.example"], 1), (["--reason", "no such words"], 0)])
            {
                (status, string said, string errors) = await RunAsync([verb, .. which, "--json"]);
                Assert.True(status == (count > 0 ? 0 : 1), $"{verb} {string.Join(' ', which)}: {status} {errors}");
                Assert.Equal(count, JsonDocument.Parse(said).RootElement.GetProperty("messages").GetInt32());
            }
            if (verb == "hold") Assert.Equal(["a", "b"], await NamesAsync("--held"));
            if (verb == "retry") await UntilAsync(queue => queue.GetProperty("messages").EnumerateArray().All(one => one.GetProperty("attempts").GetInt32() >= 2));
        }
        Assert.Empty(await NamesAsync());
    }

    [Fact]
    public async Task Requeued_messages_begin_anew_and_a_reload_gives_new_times()
    {
        await SendAsync("eve@sender.example", "a@busy.example");
        JsonElement first = (await UntilAsync(queue => queue.GetProperty("messages")[0].GetProperty("attempts").GetInt32() == 1)).GetProperty("messages")[0];
        Assert.True(Wait(first) > TimeSpan.FromMinutes(45));

        await File.WriteAllTextAsync(_configuration, (await File.ReadAllTextAsync(_configuration)).Replace("first-retry = \"1h\"", "first-retry = \"10h\"\nlongest-retry = \"20h\"", StringComparison.Ordinal));
        Assert.Equal(0, (await ProgramRun.RunAsync(null, "reload", "--config", _configuration)).Status);
        Assert.Equal((0, "requeued 1 message\n"), await SaidAsync("requeue", "--all"));
        JsonElement second = (await UntilAsync(queue => queue.GetProperty("messages")[0] is var message && message.GetProperty("attempts").GetInt32() == 1 && Wait(message) > TimeSpan.FromHours(5))).GetProperty("messages")[0];
        Assert.True(Wait(second) < TimeSpan.FromHours(15));

        static TimeSpan Wait(JsonElement message) => message.GetProperty("nextAttempt").GetDateTimeOffset() - DateTimeOffset.UtcNow;
    }

    private Task<(int Status, string Output, string Errors)> RunAsync(params string[] arguments) => ProgramRun.RunAsync(null, ["queue", .. arguments, "--config", _configuration]);

    private async Task<(int, string)> SaidAsync(params string[] arguments)
    {
        (int status, string output, _) = await RunAsync(arguments);
        return (status, output);
    }

    private async Task<JsonElement> ListAsync(params string[] filter)
    {
        (int status, string output, string errors) = await RunAsync(["list", "--json", .. filter]);
        Assert.True(status == 0, errors);
        return JsonDocument.Parse(output).RootElement;
    }

    // The names before the @ of the recipients of what is listed.
    private async Task<string[]> NamesAsync(params string[] filter) =>
        [.. (await ListAsync(filter)).GetProperty("messages").EnumerateArray().Select(message => message.GetProperty("recipients")[0].GetProperty("address").GetString()!.Split('@')[0]).Order(StringComparer.Ordinal)];

    private async Task<string> IdOfAsync(string name) =>
        (await ListAsync()).GetProperty("messages").EnumerateArray().Single(message => message.GetProperty("recipients")[0].GetProperty("address").GetString()!.StartsWith(name + "@", StringComparison.Ordinal)).GetProperty("id").GetString()!;

    private async Task<JsonElement> UntilAsync(Func<JsonElement, bool> isSo)
    {
        using CancellationTokenSource patience = new(Patience);
        while (true)
        {
            JsonElement queue = await ListAsync();
            if (isSo(queue)) return queue;
            await Task.Delay(50, patience.Token);
        }
    }

    private async Task SendAsync(string from, string to)
    {
        await using RawClient client = await RawClient.ConnectAsync(_server.Port("smtp"));
        await client.ReplyAsync();
        foreach (string command in (string[])["EHLO client.sender.example", $"MAIL FROM:<{from}>", $"RCPT TO:<{to}>", "DATA", "Subject: x\r\n\r\ntext\r\n."]) Assert.Matches("^[23]", await client.CommandAsync(command));
    }
}
