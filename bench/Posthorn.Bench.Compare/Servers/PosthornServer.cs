using System.Diagnostics;

namespace Posthorn.Bench.Compare.Servers;

/// <summary>Posthorn with its default settings.</summary>
internal sealed class PosthornServer : MailServer
{
    private readonly IReadOnlyList<string> _program;
    private Process? _process;

    internal PosthornServer(string folder, int users, string program)
        : base(folder, users)
    {
        _program = program.EndsWith(".dll", StringComparison.Ordinal) ? ["dotnet", program] : [program];
        MakeFolder();
        File.WriteAllText(Path.Combine(folder, "posthorn.toml"), $$"""
            hostname = "bench.test"
            data = "{{folder}}/data"
            [[domain]]
            name = "bench.test"
            [mail]
            home = "{{folder}}/mail/{localpart}/home"
            location = "maildir:{{folder}}/mail/{localpart}"
            [auth]
            passwd-file = "{{folder}}/users"
            [tls]
            certificate = "{{folder}}/tls/cert.pem"
            key = "{{folder}}/tls/key.pem"
            [listen]
            smtp = ["127.0.0.1:{{SmtpPort}}"]
            lmtp = ["127.0.0.1:{{LmtpPort}}"]
            imap = ["127.0.0.1:{{ImapPort}}"]
            imaps = ["127.0.0.1:{{ImapsPort}}"]
            [[outbound.route]]
            to = "{{RelayedDomain}}"
            host = "127.0.0.1"
            port = {{SinkPort}}
            """);
    }

    internal override string Name => "Posthorn";

    internal override string Version => _program.Count > 1 ? $"Release build on .NET {Environment.Version}" : "native build";

    protected override void Launch(IReadOnlyList<string> wrapper)
    {
        string[] command = [.. wrapper, .. _program, "serve", "--config", Path.Combine(Folder, "posthorn.toml")];
        _process = Process.Start(new ProcessStartInfo(command[0], command[1..]) { RedirectStandardError = true, RedirectStandardOutput = true })!;
        StreamWriter log = new(Path.Combine(Folder, "log", "console.log"), append: true) { AutoFlush = true };
        _process.ErrorDataReceived += (_, line) => log.WriteLine(line.Data);
        _process.BeginErrorReadLine();
        _process.BeginOutputReadLine();
        Roots.Add(_process.Id);
        WaitForBanner(SmtpPort);
        WaitForBanner(ImapPort);
        if (wrapper.Count > 0) Roots[0] = Meter.Processes()[1]; // a tracer lets no signals through
    }
}
