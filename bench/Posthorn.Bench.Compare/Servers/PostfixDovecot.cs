using System.Diagnostics;
using System.Globalization;

namespace Posthorn.Bench.Compare.Servers;

/// <summary>Postfix and Dovecot of Debian's packages, after the how-to, tuned for load.</summary>
internal sealed class PostfixDovecot : MailServer
{
    // Numbers only: no system account is made.
    private const int MailUser = 5000;

    internal PostfixDovecot(string folder, int users)
        : base(folder, users)
    {
        if (folder.Length > 60) throw new IOException($"{folder}: too long a path for the peer's Unix sockets");
        MakeFolder();
        foreach (string name in (string[])["log", "dovecot", "postfix/conf", "postfix/data", "postfix/spool/private"]) Directory.CreateDirectory(Path.Combine(folder, name));
        for (int i = 0; i < users; i++) Directory.CreateDirectory(Path.Combine(folder, "mail", $"user{i}", "home"));
        Tool("chmod", "755", folder);
        Tool("chown", "-R", $"{MailUser}:{MailUser}", Path.Combine(folder, "mail"));
        Tool("chown", "postfix", Path.Combine(folder, "postfix/data"), Path.Combine(folder, "postfix/spool/private"));
        Tool("chmod", "700", Path.Combine(folder, "postfix/spool/private"));
        Write("dovecot.conf", "dovecot");
        Write("main.cf", "postfix/conf");
        Write("master.cf", "postfix/conf");
        string configuration = Path.Combine(folder, "postfix/conf");
        File.WriteAllText(Path.Combine(configuration, "aliases"), "postmaster: root\n");
        File.WriteAllText(Path.Combine(configuration, "virtual"), "postmaster@bench.test user0@bench.test\nabuse@bench.test user0@bench.test\n");
        foreach (string file in (string[])["dynamicmaps.cf", "dynamicmaps.cf.d", "postfix-files", "postfix-files.d"])
            if (Path.Exists("/etc/postfix/" + file)) Tool("cp", "-r", "/etc/postfix/" + file, configuration);
        Tool("postalias", "-c", configuration, "hash:" + Path.Combine(configuration, "aliases"));
        Tool("postmap", "-c", configuration, "hash:" + Path.Combine(configuration, "virtual"));
    }

    /// <summary>What is missing for it on this machine; empty when nothing is.</summary>
    internal static string Missing()
    {
        if (!Environment.IsPrivilegedProcess) return "root: Postfix and Dovecot switch users";
        (string File, string Package)[] needed =
            [("/usr/sbin/postfix", "postfix"), ("/usr/sbin/dovecot", "dovecot-core"), ("/usr/lib/dovecot/imap", "dovecot-imapd"), ("/usr/lib/dovecot/lmtp", "dovecot-lmtpd"),
             ("/usr/bin/sievec", "dovecot-sieve"), ("/usr/lib/dovecot/managesieve", "dovecot-managesieved"), ("/usr/bin/strace", "strace")];
        string[] missing = [.. needed.Where(n => !File.Exists(n.File)).Select(n => n.Package)];
        return missing.Length == 0 ? "" : "the packages " + string.Join(' ', missing);
    }

    internal override string Name => "Postfix + Dovecot";

    internal override string Version => $"Postfix {Output("postconf", "-dh", "mail_version")}, Dovecot {Output("dovecot", "--version").Split(' ')[0]}";

    protected override void Launch(IReadOnlyList<string> wrapper)
    {
        Run([.. wrapper, "/usr/sbin/dovecot", "-c", Path.Combine(Folder, "dovecot/dovecot.conf")], wait: wrapper.Count == 0);
        WaitForBanner(ImapPort);
        Roots.Add(ReadPid("dovecot/run/master.pid"));
        Run([.. wrapper, "/usr/sbin/postfix", "-c", Path.Combine(Folder, "postfix/conf"), "start"], wait: wrapper.Count == 0);
        WaitForBanner(SmtpPort);
        Roots.Add(ReadPid("postfix/spool/pid/master.pid"));
    }

    // Postfix holds a lock on its file, which .NET heeds and cat does not.
    private int ReadPid(string file) => int.Parse(Output("cat", Path.Combine(Folder, file)), CultureInfo.InvariantCulture);

    private void Write(string name, string to)
    {
        using Stream resource = typeof(PostfixDovecot).Assembly.GetManifestResourceStream(name)!;
        using StreamReader reader = new(resource);
        string text = reader.ReadToEnd()
            .Replace("@W@", Folder, StringComparison.Ordinal)
            .Replace("@CORES@", Environment.ProcessorCount.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal)
            .Replace("@SINK@", SinkPort.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal)
            .Replace("@SMTP@", SmtpPort.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal)
            .Replace("@LMTP@", LmtpPort.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal)
            .Replace("@IMAP@", ImapPort.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal)
            .Replace("@IMAPS@", ImapsPort.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal)
            .Replace("@SIEVE@", FreePort().ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal);
        File.WriteAllText(Path.Combine(Folder, to, name), text);
    }

    private static void Tool(string program, params string[] arguments) => Run([program, .. arguments], wait: true);

    private static string Output(string program, params string[] arguments)
    {
        using Process process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true })!;
        string text = process.StandardOutput.ReadToEnd().Trim();
        process.WaitForExit();
        return text;
    }

    // What runs on in the background must not hold pipes of ours, so output goes nowhere.
    private static void Run(string[] command, bool wait)
    {
        using Process process = Process.Start(new ProcessStartInfo("sh", ["-c", "exec \"$@\" >/dev/null 2>&1 </dev/null", "sh", .. command]))!;
        if (!wait) return;
        process.WaitForExit();
        if (process.ExitCode != 0) throw new IOException($"{string.Join(' ', command)}: status {process.ExitCode}");
    }
}
