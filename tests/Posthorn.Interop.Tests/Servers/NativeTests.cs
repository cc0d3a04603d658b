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

        string Link(string name)
        {
            string path = Path.Combine(folder.Path, name);
            File.CreateSymbolicLink(path, Path.Combine(output, "posthorn"));
            return path;
        }
    }
}
