using System.Text.Json;
using Posthorn.Testing;

namespace Posthorn.Tests.Commands;

/// <summary><c>posthorn sieve check|run|replay</c> with a configuration and an account, while no server runs.</summary>
public sealed class SieveAccountTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private string Configure(string more = "", bool hasRun = false)
    {
        _folder.Write("users", "ann:{PLAIN}x\n");
        _folder.Write("friends.txt", "eve@example.net\n");
        if (hasRun) Folder.CreateDirectory(Path.Combine(_folder.Path, "data"));
        return _folder.Write("posthorn.toml", $"""
            hostname = "mail.example.org"
            data = "{_folder.Path}/data"
            [[domain]]
            name = "example.org"
            [mail]
            home = "{_folder.Path}/ann/home"
            location = "maildir:{_folder.Path}/ann/mail"
            [auth]
            passwd-file = "{_folder.Path}/users"
            [listen]
            imap = ["127.0.0.1:0"]
            [sieve]
            disable = ["vacation"]
            redirects = 1
            {more}
            [[sieve.list]]
            name = ":addrbook:friends"
            file = "{_folder.Path}/friends.txt"
            """);
    }

    // Where a server has run, it has taken the tree in.
    private static async Task OpenOnceAsync(string config, bool hasRun)
    {
        if (hasRun) await ProgramRun.RunAsync("keep;", "sieve", "check", "-", "-c", config, "-a", "ann");
    }

    private void Deliver(string box, string message)
    {
        foreach (string place in (string[])["cur", "new", "tmp"]) Folder.CreateDirectory(Path.Combine(_folder.Path, "ann/mail", box, place));
        _folder.Write($"ann/mail/{box}/new/{TimeProvider.System.GetUtcNow().ToUnixTimeSeconds()}.M{message.Length}.host", message.ReplaceLineEndings("\r\n"));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Check_knows_the_language_and_the_mailboxes(bool hasRun)
    {
        string config = Configure(hasRun: hasRun);
        Deliver(".Work", "Subject: x\n\nx\n");
        await OpenOnceAsync(config, hasRun);
        string script = _folder.Write("s.sieve", "require [\"fileinto\", \"vacation\"];\nfileinto \"Work\";\nfileinto \"Wrok\";\nredirect \"ann@example.org\";\nvacation \"x\";\n");
        (int status, string output, string errors) = await ProgramRun.RunAsync(null, "sieve", "check", script, "--config", config, "--account", "ann");
        Assert.True(status == 1, output + errors);
        string[] lines = output.TrimEnd().Split('\n');
        Assert.Equal(
            [$"{script}:1:22: error: the extension \"vacation\" is switched off here", $"{script}:3:10: warning: there is no mailbox \"Wrok\" (create it, or use ':create')",
                $"{script}:4:10: warning: this redirects to the script's own owner, ann@example.org ('keep' stores the message)", $"{script}: 1 mistake, 2 more to look at"], lines);
        (int without, string plain, _) = await ProgramRun.RunAsync(null, "sieve", "check", script);
        Assert.Equal((0, $"{script}: good\n"), (without, plain));
        (int nobody, _, string why) = await ProgramRun.RunAsync(null, "sieve", "check", script, "-c", config, "-a", "nobody");
        Assert.Equal((1, "there is no account nobody@example.org\n"), (nobody, why));
    }

    [Fact]
    public async Task Run_takes_limits_and_administrators_scripts_lists_and_the_accounts_own_scripts()
    {
        string config = Configure($"before = \"{_folder.Write("before.sieve", "require \"imap4flags\"; addflag \"$Before\";")}\"");
        _folder.Write("ann/home/sieve/inner.sieve", "require [\"fileinto\", \"extlists\"]; if address :list \"from\" \":addrbook:friends\" { fileinto \"Friends\"; }");
        string script = _folder.Write("s.sieve", "require [\"include\", \"copy\"];\nredirect :copy \"a@b.example\";\nif header \"subject\" \"two\" { redirect :copy \"c@b.example\"; }\ninclude \"inner\";\n");
        string one = _folder.Write("1.eml", "From: eve@example.net\r\nSubject: one\r\n\r\n"), two = _folder.Write("2.eml", "Subject: two\r\n\r\n");
        (int status, string output, string errors) = await ProgramRun.RunAsync(null, "sieve", "run", script, one, two, "--json", "-c", config, "-a", "ann@example.org");
        Assert.True(status == 1, output + errors);
        JsonElement messages = JsonDocument.Parse(output).RootElement.GetProperty("messages");
        Assert.Equal(["redirect", "fileinto"], messages[0].GetProperty("actions").EnumerateArray().Select(a => a.GetProperty("action").GetString()));
        Assert.Contains("1 are allowed", messages[1].GetProperty("error").GetProperty("text").GetString(), StringComparison.Ordinal);
    }

    private const string Draft = """
        require ["fileinto", "envelope", "special-use", "date", "subaddress", "duplicate"];
        if duplicate { discard; stop; }
        if envelope :is "from" "" { fileinto "Work"; stop; }
        if envelope :detail "to" "shop" { fileinto :specialuse "\\Junk" "Nowhere"; stop; }
        if currentdate :is "year" "1999" { discard; }
        """;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Replay_shows_what_would_go_elsewhere(bool hasRun)
    {
        string config = Configure(hasRun: hasRun);
        Deliver("", "Return-Path: <>\nDelivered-To: ann@example.org\nFrom: mailer@example.net\nSubject: bounce\nMessage-ID: <1@x>\n\nx\n");
        Deliver("", "Received: from a by b with ESMTP id 1\n\tfor <ann+shop@example.org>; Mon, 1 Jan 2024 00:00:00 +0000\nFrom: shop@example.net\nSubject: offer\nMessage-ID: <2@x>\n\nx\n");
        Deliver(".Work", "From: c@example.net\nSubject: plain\nMessage-ID: <3@x>\n\nxyz\n");
        await OpenOnceAsync(config, hasRun);
        string draft = _folder.Write("draft.sieve", Draft);
        (int status, string output, string errors) = await ProgramRun.RunAsync(null, "sieve", "replay", "-c", config, "-a", "ann", "-s", draft, "--json");
        Assert.True(status == 0, output + errors);
        JsonElement report = JsonDocument.Parse(output).RootElement;
        Assert.Equal((3, 2), (report.GetProperty("examined").GetInt32(), report.GetProperty("differ").GetInt32()));
        Dictionary<string, string> drafts = report.GetProperty("messages").EnumerateArray().ToDictionary(m => m.GetProperty("subject").GetString()!, m => m.GetProperty("draft")[0].GetString()!);
        Assert.StartsWith("fileinto \"Work\"", drafts["bounce"], StringComparison.Ordinal);
        Assert.Contains("special use \\Junk", drafts["offer"], StringComparison.Ordinal);
        string limits = string.Join('\n', report.GetProperty("limits").EnumerateArray().Select(l => l.GetString()));
        Assert.Contains("'duplicate' knows only", limits, StringComparison.Ordinal);
        Assert.Contains("of 1 message no line tells the envelope", limits, StringComparison.Ordinal);
        Assert.Equal(!hasRun, limits.Contains("no server has run here yet", StringComparison.Ordinal));
        Assert.Equal([(2, 3L), (3, 3L), (4, 2L), (5, 1L)], report.GetProperty("lines").EnumerateArray().Select(l => (l.GetProperty("line").GetInt32(), l.GetProperty("times").GetInt64())));
        (_, string text, _) = await ProgramRun.RunAsync(null, "sieve", "replay", "-c", config, "-a", "ann", "-s", draft);
        Assert.Contains("not in it: mail that was discarded", text, StringComparison.Ordinal);
        Assert.Contains("4 of 4 lines with commands were reached", text, StringComparison.Ordinal);
    }
}
