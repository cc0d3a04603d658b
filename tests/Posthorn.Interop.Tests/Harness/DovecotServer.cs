using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;

namespace Posthorn.Interop.Tests.Harness;

/// <summary>A real Dovecot for IMAP, POP3 and LMTP, with a configuration, sockets and log of its own below a folder. It serves Maildirs that belong to somebody without rights.</summary>
internal sealed class DovecotServer : IAsyncDisposable
{
    private const string User = "nobody", Group = "nogroup";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(90);
    private readonly Process _process;
    private readonly string _root;

    private DovecotServer(Process process, string root, int imap, int pop3, int lmtp) => (_process, _root, ImapPort, Pop3Port, LmtpPort) = (process, root, imap, pop3, lmtp);

    public int ImapPort { get; }
    public int Pop3Port { get; }
    public int LmtpPort { get; }
    public string LmtpSocket => Path.Combine(_root, "run", "lmtp");

    /// <summary>Where other servers ask whether their clients are who they say.</summary>
    public string SaslSocket => Path.Combine(_root, "run", "sasl");

    /// <summary>The password of everybody.</summary>
    public const string Password = "secret";

    /// <summary>Everything that it complained about.</summary>
    public IReadOnlyList<string> Complaints => [.. File.ReadLines(Path.Combine(_root, "dovecot.log"))
        .Where(line => line.Contains(": Error:", StringComparison.Ordinal) || line.Contains(": Panic:", StringComparison.Ordinal) || line.Contains(": Warning: ", StringComparison.Ordinal))
        .Where(line => !line.Contains("Killed with signal 15", StringComparison.Ordinal))];

    /// <summary>Starts it on the Maildirs <c>mail/NAME</c> below a folder, which are given to the user it runs as.</summary>
    public static async Task<DovecotServer> StartAsync(string folder, string options = "", string home = "mail/%n/home", string mechanisms = "plain login")
    {
        string dovecot = Peer.Require("dovecot", "dovecot-imapd, dovecot-pop3d and dovecot-lmtpd");
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "needs root: Dovecot changes to the user of the mail");
        string root = Path.Combine(folder, "dovecot"), mail = Path.Combine(folder, "mail");
        foreach (string made in (string[])["run", "state"]) Folder.CreateDirectory(Path.Combine(root, made));
        Folder.CreateDirectory(mail);
        for (DirectoryInfo? at = new(folder); at is not null && at.FullName.StartsWith(Path.GetTempPath().TrimEnd('/') + "/", StringComparison.Ordinal); at = at.Parent)
            File.SetUnixFileMode(at.FullName, (UnixFileMode)0x1ED);
        Folder.CreateDirectory(Path.Combine(folder, "elsewhere"));
        await Peer.SucceedAsync("/bin/chown", ["-R", $"{User}:{Group}", mail, Path.Combine(folder, "elsewhere")]);
        int imap = Ports.Free(), pop3 = Ports.Free(), lmtp = Ports.Free();
        string configuration = Path.Combine(root, "dovecot.conf");
        await File.WriteAllTextAsync(configuration, string.Create(CultureInfo.InvariantCulture, $$"""
            base_dir = {{root}}/run
            state_dir = {{root}}/state
            log_path = {{root}}/dovecot.log
            protocols = imap pop3 lmtp
            ssl = no
            disable_plaintext_auth = no
            auth_mechanisms = {{mechanisms}}
            first_valid_uid = 1
            mail_location = maildir:{{mail}}/%n{{options}}
            mail_fsync = never
            stats_writer_socket_path =
            passdb {
              driver = static
              args = password={{Password}}
            }
            userdb {
              driver = static
              args = uid={{User}} gid={{Group}} home={{folder}}/{{home}} allow_all_users=yes
            }
            service imap-login {
              chroot =
              inet_listener imap {
                address = 127.0.0.1
                port = {{imap}}
              }
              inet_listener imaps {
                port = 0
              }
            }
            service pop3-login {
              chroot =
              inet_listener pop3 {
                address = 127.0.0.1
                port = {{pop3}}
              }
              inet_listener pop3s {
                port = 0
              }
            }
            service auth {
              unix_listener sasl {
                mode = 0666
              }
            }
            service lmtp {
              unix_listener lmtp {
                mode = 0666
              }
              inet_listener lmtp {
                address = 127.0.0.1
                port = {{lmtp}}
              }
            }

            """));
        ProcessStartInfo start = new(dovecot, ["-F", "-c", configuration]) { RedirectStandardOutput = true, RedirectStandardError = true };
        DovecotServer server = new(Process.Start(start)!, root, imap, pop3, lmtp);
        server._process.ErrorDataReceived += (_, _) => { };
        server._process.BeginErrorReadLine();
        await server.WaitAsync();
        return server;
    }

    /// <summary>The first message in a user's inbox.</summary>
    public async Task<string> WaitForMailAsync(string user)
    {
        string inbox = Path.Combine(Path.GetDirectoryName(_root)!, "mail", user, "new");
        using CancellationTokenSource patience = new(Patience);
        while (!Folder.Exists(inbox) || Folder.GetFiles(inbox).Length == 0)
        {
            try { await Task.Delay(100, patience.Token); }
            catch (OperationCanceledException) { Assert.Fail($"Dovecot has no mail for {user}\n{await File.ReadAllTextAsync(Path.Combine(_root, "dovecot.log"))}"); }
        }
        return await File.ReadAllTextAsync(Folder.GetFiles(inbox)[0]);
    }

    /// <summary>Runs a shell script whose <c>doveadm</c> is this server's.</summary>
    public async Task ScriptAsync(string script)
    {
        string programs = Path.Combine(_root, "bin"), doveadm = Path.Combine(programs, "doveadm");
        Folder.CreateDirectory(programs);
        await File.WriteAllTextAsync(doveadm, $"#!/bin/sh\nexec {Peer.Require("doveadm", "dovecot-core")} -c {_root}/dovecot.conf \"$@\"\n");
        File.SetUnixFileMode(doveadm, (UnixFileMode)0x1ED);
        await Peer.SucceedAsync("/usr/bin/env", [$"PATH={programs}:{Environment.GetEnvironmentVariable("PATH")}", "/bin/sh", script]);
    }

    /// <summary>Ends it and waits until its processes have let go of the mail.</summary>
    public async Task StopAsync()
    {
        if (_process.HasExited) return;
        await Peer.RunAsync("/bin/kill", "-TERM", _process.Id.ToString(CultureInfo.InvariantCulture));
        using CancellationTokenSource patience = new(Patience);
        await _process.WaitForExitAsync(patience.Token);
        while (File.Exists(Path.Combine(_root, "run", "master.pid"))) await Task.Delay(20, patience.Token);
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        _process.Dispose();
    }

    private async Task WaitAsync()
    {
        using CancellationTokenSource patience = new(Patience);
        while (true)
        {
            if (_process.HasExited) Assert.Fail($"Dovecot ended: {string.Join('\n', Complaints)}");
            try
            {
                await using RawClient client = await RawClient.ConnectAsync(ImapPort);
                if ((await client.LineAsync())?.StartsWith("* OK", StringComparison.Ordinal) == true) return;
            }
            catch (SocketException) { /* not yet */ }
            await Task.Delay(50, patience.Token);
        }
    }
}
