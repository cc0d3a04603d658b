using System.Diagnostics;
using System.Text.Json;
using Posthorn.Testing;

namespace Posthorn.Tests.Commands;

/// <summary><c>posthorn store verify|rebuild|reindex</c> and <c>posthorn journal verify|show</c> as an operator would call them.</summary>
public sealed class StoreCommandTests : IAsyncLifetime
{
    private readonly TemporaryFolder _folder = new();
    private PosthornProcess _server = null!;

    public async ValueTask InitializeAsync() => _server = await PosthornProcess.StartAsync("ann,bob", Path.Combine(_folder.Path, "q"));

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        _folder.Dispose();
    }

    private Task<(int Status, string Output, string Errors)> RunAsync(params string[] arguments) => ProgramRun.RunAsync(null, [.. arguments, "--config", _server.Configuration]);

    private string[] Files(string pattern) => [.. Folder.EnumerateFiles(_server.Directory, pattern, SearchOption.AllDirectories)];

    private string AnnsMail() => Files("*").Single(path => path.Contains("/mail/ann/new/", StringComparison.Ordinal) || path.Contains("/mail/ann/cur/", StringComparison.Ordinal));

    [Fact]
    public async Task A_stopped_store_is_checked_made_anew_and_indexed()
    {
        // A running server has the mail.
        (int status, _, string errors) = await RunAsync("store", "verify", "--all");
        Assert.Equal(4, status);
        Assert.Contains("The server runs", errors, StringComparison.Ordinal);
        Assert.Equal(4, (await RunAsync("store", "rebuild", "--all")).Status);
        Assert.Equal(0, await _server.StopAsync());

        (status, string output, _) = await RunAsync("store", "verify", "--all");
        Assert.True(status == 0, output);
        Assert.Matches("(?m)^ann@posthorn.test: 1 messages in 6 mailboxes, good$", output);

        string mail = AnnsMail();
        string away = Path.Combine(_folder.Path, "away");
        File.Move(mail, away);
        (status, output, _) = await RunAsync("store", "verify", "--account", "ann", "--json");
        Assert.Equal(1, status);
        JsonElement report = JsonDocument.Parse(output).RootElement;
        Assert.False(report.GetProperty("good").GetBoolean());
        JsonElement difference = Assert.Single(Assert.Single(report.GetProperty("accounts").EnumerateArray()).GetProperty("differences").EnumerateArray());
        Assert.Equal(("file", "INBOX", 1), (difference.GetProperty("part").GetString(), difference.GetProperty("mailbox").GetString(), difference.GetProperty("uid").GetInt32()));
        Assert.Contains("is missing", difference.GetProperty("what").GetString(), StringComparison.Ordinal);
        File.Move(away, mail);

        // What is wrong within the message is found when it is read, and not by --quick.
        string text = await File.ReadAllTextAsync(mail);
        await File.WriteAllTextAsync(mail, text.Replace("Subject: W", "Subject: V", StringComparison.Ordinal));
        Assert.Equal(0, (await RunAsync("store", "verify", "--all", "--quick")).Status);
        (status, output, _) = await RunAsync("store", "verify", "--all");
        Assert.Equal(1, status);
        Assert.Contains("ann@posthorn.test INBOX 1: message: ENVELOPE is not that of the message", output, StringComparison.Ordinal);
        await File.WriteAllTextAsync(mail, text);

        string catalogue = Assert.Single(Files("catalogue.db"), path => path.Contains("/ann/", StringComparison.Ordinal));
        File.Delete(catalogue);
        (status, output, _) = await RunAsync("store", "rebuild", "--account", "ann", "--json");
        Assert.True(status == 0, output);
        report = JsonDocument.Parse(output).RootElement;
        Assert.True(report.GetProperty("good").GetBoolean());
        Assert.Equal(1, report.GetProperty("accounts")[0].GetProperty("messages").GetInt32());
        (status, output, _) = await RunAsync("store", "rebuild", "--all");
        Assert.True(status == 0, output);
        Assert.Equal(2, Files("catalogue.db.before-rebuild-*").Count(path => !path.EndsWith("-wal", StringComparison.Ordinal) && !path.EndsWith("-shm", StringComparison.Ordinal)));

        (status, output, _) = await RunAsync("store", "reindex", "--all", "--json");
        Assert.True(status == 0, output);
        Assert.All(JsonDocument.Parse(output).RootElement.GetProperty("accounts").EnumerateArray(), one =>
            Assert.Equal((true, 1), (one.GetProperty("indexed").GetBoolean(), one.GetProperty("messages").GetInt32())));
        Assert.Equal(2, Files("words.db").Length);
        Assert.Equal("ann@posthorn.test: 1 message indexed", (await RunAsync("store", "reindex", "--account", "ann")).Output.Trim());
    }

    [Fact]
    public async Task Accounts_must_be_named_and_exist()
    {
        Assert.Equal(0, await _server.StopAsync());
        (int status, _, string errors) = await RunAsync("store", "verify");
        Assert.Equal(2, status);
        Assert.Contains("--account, or take --all", errors, StringComparison.Ordinal);
        (status, _, errors) = await RunAsync("store", "verify", "--account", "nobody");
        Assert.Equal(1, status);
        Assert.Contains("there is no account nobody@posthorn.test", errors, StringComparison.Ordinal);
    }

    // Whoever looks at a terminal sees how far it is; a script's output stays clean.
    [Fact]
    public async Task Progress_is_shown_on_a_terminal_only()
    {
        if (!File.Exists("/usr/bin/script")) Assert.Skip("needs script(1) of util-linux for a terminal");
        Assert.Equal(0, await _server.StopAsync());
        (_, _, string errors) = await RunAsync("store", "verify", "--all");
        Assert.Equal("", errors);
        string program = string.Join(' ', [PosthornProcess.Program.File, .. PosthornProcess.Program.Arguments]);
        ProcessStartInfo start = new("/usr/bin/script", ["-qec", $"stty rows 40 cols 120; {program} store verify --all --config {_server.Configuration} >/dev/null", "/dev/null"]) { RedirectStandardOutput = true, RedirectStandardInput = true };
        start.Environment["TERM"] = "xterm";
        using Process process = Process.Start(start)!;
        process.StandardInput.Close();
        string terminal = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(120));
        Assert.Equal(0, process.ExitCode);
        Assert.Contains("verify", terminal, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_journal_says_what_it_holds_and_what_is_damaged()
    {
        // The server may run.
        (int status, string output, _) = await RunAsync("journal", "verify", "--json");
        Assert.True(status == 0, output);
        JsonElement report = JsonDocument.Parse(output).RootElement;
        Assert.True(report.GetProperty("good").GetBoolean());
        Assert.True(report.GetProperty("records").GetInt32() >= 2, output);
        await _server.KillAsync(); // no checkpoint covers what it took in

        (status, output, _) = await RunAsync("journal", "show");
        Assert.Equal(0, status);
        string[] lines = output.TrimEnd().Split('\n');
        Assert.StartsWith("checkpoint ", lines[0], StringComparison.Ordinal);
        Assert.Contains(lines, line => line.StartsWith("segment ", StringComparison.Ordinal) && line.Contains("epoch", StringComparison.Ordinal));
        Assert.Contains(lines, line => line.Contains(" steps 1.", StringComparison.Ordinal) && line.Contains(" content ", StringComparison.Ordinal));
        (status, output, _) = await RunAsync("journal", "verify");
        Assert.Equal(0, status);
        Assert.Matches("^[0-9]+ records in [0-9]+ segments, checkpoint [0-9]+: good$", output.Trim());

        // A bit turns in the first record, and others follow: no torn end.
        string segment = Files("*.seg").Order(StringComparer.Ordinal).First(path =>
        {
            using FileStream file = File.OpenRead(path);
            byte[] head = new byte[4100];
            file.ReadExactly(head);
            return head.AsSpan(4096, 4).SequenceEqual("PHB1"u8);
        });
        using (FileStream file = File.Open(segment, FileMode.Open))
        {
            file.Position = 4096 + 64 + 8;
            int old = file.ReadByte();
            file.Position--;
            file.WriteByte((byte)(old ^ 1));
        }

        (status, output, _) = await RunAsync("journal", "verify", "--json");
        Assert.Equal(1, status);
        report = JsonDocument.Parse(output).RootElement;
        Assert.False(report.GetProperty("good").GetBoolean());
        Assert.NotEmpty(report.GetProperty("damaged").EnumerateArray());
        (status, output, _) = await RunAsync("journal", "verify");
        Assert.Equal(1, status);
        Assert.Contains("damaged", output, StringComparison.Ordinal);
    }
}
