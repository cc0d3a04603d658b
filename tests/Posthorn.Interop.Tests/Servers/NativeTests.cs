using System.Text;
using Posthorn.Interop.Tests.Harness;
using Posthorn.Testing;

namespace Posthorn.Interop.Tests.Servers;

/// <summary>What packages ship: the program compiled ahead of time, published without a warning, serving.</summary>
[Collection("release build")]
public sealed class NativeTests
{
    [Fact]
    public async Task The_native_program_builds_without_warnings_and_serves()
    {
        if (Environment.GetEnvironmentVariable("CI") != "true" && Environment.GetEnvironmentVariable("POSTHORN_NATIVE") is null)
            Assert.Skip("compiling natively takes minutes: set POSTHORN_NATIVE=1 to run this");
        Peer.Require("gcc", "gcc");
        using TemporaryFolder folder = new();
        string output = Path.Combine(folder.Path, "native");
        PeerResult published = await Peer.SucceedAsync("dotnet", ["publish", Path.Combine(SharedFolder.Checkout, "src", "Posthorn"), "-c", "Release", "-r", "linux-x64", "-o", output, "-nologo"], patience: TimeSpan.FromMinutes(20));
        Assert.DoesNotContain("warning", published.Output, StringComparison.OrdinalIgnoreCase);

        await using PosthornProcess server = await PosthornProcess.StartAsync(program: Path.Combine(output, "posthorn"));
        Account ann = server["ann"], bob = server["bob"];
        using (MailKit.Net.Smtp.SmtpClient smtp = await Mail.SubmissionAsync(server, ann))
        {
            await smtp.SendAsync(Mail.Compose(ann, bob.Address, "native", "hello"));
            await smtp.DisconnectAsync(true);
        }
        Assert.Contains(await Mail.ReadAllAsync(server, bob), m => Encoding.ASCII.GetString(m).Contains("Subject: native", StringComparison.Ordinal));

        // Under the names by which other programs call it.
        string sendmail = Link("sendmail"), mailq = Link("mailq"), newaliases = Link("newaliases");
        PeerResult nobody = await Peer.RunAsync(sendmail, ["-C", server.Configuration], "Subject: to nobody\n\ntext\n", null);
        Assert.True(nobody.Status == 64, nobody.All); // EX_USAGE, of sysexits.h
        await Peer.SucceedAsync(sendmail, ["-C", server.Configuration, "-bp"]);
        await Peer.SucceedAsync(mailq, ["-C", server.Configuration]);
        await Peer.SucceedAsync(newaliases, []);
        Assert.Equal(0, await server.StopAsync());
        if (Environment.IsPrivilegedProcess) await RootLeavesNothingOfItsOwnAsync(Path.Combine(output, "posthorn"), server.Configuration, ann);

        string Link(string name)
        {
            string path = Path.Combine(folder.Path, name);
            File.CreateSymbolicLink(path, Path.Combine(output, "posthorn"));
            return path;
        }
    }

    // Where the server has a user of its own, what root's commands make is that user's; else the server could not use it. The program lies where only root can read it.
    private static async Task RootLeavesNothingOfItsOwnAsync(string program, string configuration, Account account)
    {
        const string Other = "65534";
        string folder = Path.GetDirectoryName(configuration)!, script = Path.Combine(Path.GetDirectoryName(program)!, "doveadm.sh");
        await Peer.SucceedAsync("chmod", ["700", Path.GetDirectoryName(program)!]);
        await Peer.SucceedAsync("chmod", ["-R", "go+rX", Path.GetDirectoryName(folder)!]);
        await Peer.SucceedAsync("chown", ["-R", $"{Other}:{Other}", folder]);
        foreach (string[] command in (string[][])
        [
            ["explain", "--from", "a@far.example", "--to", account.Address],
            ["undelete", "list", "--account", account.Address],
            ["store", "reindex", "--all"], ["store", "rebuild", "--all"], ["store", "verify", "--all"],
            ["export", "dovecot", "--all", "--doveadm", script],
            ["alias", "add", "info", account.Address],
        ])
        {
            if (command[0] == "alias") File.Delete(Path.Combine(folder, "aliases"));
            PeerResult done = await Peer.RunAsync(program, [.. command, "--config", configuration]);
            Assert.True(done.Status == 0, $"{string.Join(' ', command)}: {done.Status} {done.All}");
            string foreign = (await Peer.SucceedAsync("find", [folder, "!", "-uid", Other])).Output;
            Assert.True(foreign.Length == 0, $"{string.Join(' ', command)} left as root's: {foreign}");
        }

        Assert.True(File.Exists(script));
        string run = Path.Combine(folder, "data", "accounts", "run");
        await Peer.SucceedAsync("chown", ["root", File.Exists(run) ? run : Folder.GetFiles(folder, "run", SearchOption.AllDirectories)[0]]);
        Assert.Contains("accounts/run belongs to root", (await Peer.RunAsync(program, "check", "--config", configuration)).All, StringComparison.Ordinal);
    }
}
