using Posthorn.Testing;

namespace Posthorn.Tests.Commands;

/// <summary>A script that does not compile looks like one nowhere: not in the log, not in the trace, not in what <c>explain</c> says.</summary>
public sealed class BrokenScriptTests
{
    [Fact]
    public async Task It_is_said_wherever_the_administrator_looks()
    {
        using TemporaryFolder folder = new();
        folder.Write("users", "ann@posthorn.test:{PLAIN}secret::::::\n");
        folder.Write("home/ann/.dovecot.sieve", "requir \"fileinto\";\n");
        string configuration = folder.Write("posthorn.toml", $$"""
            hostname = "mail.posthorn.test"
            data = "data"
            [[domain]]
            name = "posthorn.test"
            [mail]
            home = "{{folder.Path}}/home/{localpart}"
            [auth]
            passwd-file = "users"
            [listen]
            smtp = ["127.0.0.1:0"]
            [dns]
            servers = ["127.0.0.1:9"]
            """);
        await using PosthornProcess server = await PosthornProcess.ServeAsync(configuration);
        await using (RawClient client = await RawClient.ConnectAsync(server.Port("smtp")))
        {
            await client.ReplyAsync();
            foreach (string command in (string[])["EHLO client.example", "MAIL FROM:<eve@sender.example>", "RCPT TO:<ann@posthorn.test>", "DATA", "Subject: x\r\n\r\ntext\r\n."]) Assert.Matches("^[23]", await client.CommandAsync(command));
        }
        (_, string told, _) = await ProgramRun.RunAsync(null, "trace", "ann@posthorn.test", "--config", configuration);
        Assert.Contains("ann@posthorn.test: keep (unusable)", told, StringComparison.Ordinal);
        (_, string explained, _) = await ProgramRun.RunAsync(null, "explain", "--from", "eve@sender.example", "--to", "ann@posthorn.test", "--config", configuration);
        Assert.Contains("account ann@posthorn.test, INBOX (its own script cannot be used", explained, StringComparison.Ordinal);
        Assert.Contains(" the script does not run: ", await File.ReadAllTextAsync(Path.Combine(folder.Path, "home", "ann", ".dovecot.sieve.log")), StringComparison.Ordinal);
        await server.StopAsync();
        Assert.Contains("unusable", await File.ReadAllTextAsync(Path.Combine(folder.Path, "data", "log", "posthorn.log")), StringComparison.Ordinal);
    }
}
