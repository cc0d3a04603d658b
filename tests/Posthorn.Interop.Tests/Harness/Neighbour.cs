using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace Posthorn.Interop.Tests.Harness;

/// <summary>Programs that are unpacked from Debian's packages, since apt would remove one mail server for another.</summary>
internal static class UnpackedPeer
{
    /// <summary>The folder of a program's packages. Where it is missing the test skips, saying what to do; with <c>CI=true</c> it fails.</summary>
    public static string Require(string name)
    {
        string? folder = Environment.GetEnvironmentVariable("POSTHORN_PEERS");
        if (folder is not null && Folder.Exists(Path.Combine(folder, name))) return Path.Combine(folder, name);
        string text = $"needs {name} unpacked: run tests/Posthorn.Interop.Tests/fetch-peers.sh FOLDER and set POSTHORN_PEERS=FOLDER";
        if (Environment.GetEnvironmentVariable("CI") == "true") Assert.Fail(text);
        Assert.Skip(text);
        return "";
    }

    public static string Script => Path.Combine(AppContext.BaseDirectory, "Harness", "in-namespace.sh");
}

/// <summary>A real mail server of another make beside the tests: takes everything for its domain into one Maildir, and sends the rest on to one port.</summary>
internal sealed class Neighbour : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private readonly Daemon _daemon;
    private readonly string _mail;

    private Neighbour(Daemon daemon, string domain, int port, string mail) => (_daemon, Domain, Port, _mail) = (daemon, domain, port, mail);

    public string Domain { get; }
    public int Port { get; }

    public static async Task<Neighbour> EximAsync(string folder, int port, int next)
    {
        string tree = UnpackedPeer.Require("exim"), work = Work(folder, "exim"), mail = Path.Combine(work, "mail");
        string program = Path.Combine(tree, "usr/sbin/exim4"), libraries = Path.Combine(tree, "usr/lib/x86_64-linux-gnu");
        await File.WriteAllTextAsync(Path.Combine(work, "exim.conf"), $$"""
            primary_hostname = mx.exim.example
            domainlist local_domains = exim.example
            daemon_smtp_ports = {{port}}
            local_interfaces = 127.0.0.1
            spool_directory = /var/spool/exim4
            log_file_path = {{work}}/%slog
            tls_advertise_hosts =
            exim_path = {{program}}
            keep_environment = LD_LIBRARY_PATH
            add_environment = LD_LIBRARY_PATH={{libraries}}
            chunking_advertise_hosts =
            acl_smtp_rcpt = accept
            acl_smtp_data = accept
            never_users =
            begin routers
            local:
              driver = accept
              domains = +local_domains
              transport = maildir
            out:
              driver = manualroute
              domains = ! +local_domains
              transport = smtp
              route_list = * 127.0.0.1
              self = send
            begin transports
            maildir:
              driver = appendfile
              maildir_format
              directory = {{mail}}
              create_directory
              user = Debian-exim
            smtp:
              driver = smtp
              port = {{next}}
            begin retry
            * * F,1h,1s

            """);
        string start = $"mkdir -p /etc/exim4 /var/spool/exim4; cp {work}/exim.conf /etc/exim4/exim4.conf; chown -R Debian-exim /var/spool/exim4; exec {program} -bdf -q1s";
        return await StartAsync(tree, work, "Debian-exim", start, "exim.example", port, mail);
    }

    public static async Task<Neighbour> OpenSmtpdAsync(string folder, int port, int next)
    {
        string tree = UnpackedPeer.Require("opensmtpd"), work = Work(folder, "opensmtpd"), mail = Path.Combine(work, "mail");
        await File.WriteAllTextAsync(Path.Combine(work, "smtpd.conf"), $$"""
            listen on 127.0.0.1 port {{port}} hostname mx.opensmtpd.example
            action "in" maildir "{{mail}}" user nobody virtual { "@" = nobody }
            action "out" relay host smtp://127.0.0.1:{{next}}
            match from any for domain "opensmtpd.example" action "in"
            match from any for any action "out"

            """);
        string start = $"mkdir -p /var/spool/smtpd /var/lib/opensmtpd/empty; chmod 711 /var/spool/smtpd; cp {work}/smtpd.conf /etc/smtpd.conf; chmod 644 /etc/smtpd.conf; exec {tree}/usr/sbin/smtpd -d -f /etc/smtpd.conf";
        return await StartAsync(tree, work, "opensmtpd opensmtpq", start, "opensmtpd.example", port, mail);
    }

    /// <summary>The messages in its Maildir when there are at least so many, in order of arrival.</summary>
    public async Task<IReadOnlyList<string>> WaitForAsync(int count)
    {
        using CancellationTokenSource patience = new(Patience);
        while (true)
        {
            string fresh = Path.Combine(_mail, "new");
            string[] files = Folder.Exists(fresh) ? Folder.GetFiles(fresh) : [];
            if (files.Length >= count) return [.. files.OrderBy(File.GetLastWriteTimeUtc).Select(path => Encoding.Latin1.GetString(File.ReadAllBytes(path)))];
            try { await Task.Delay(50, patience.Token); }
            catch (OperationCanceledException) { Assert.Fail($"{Domain} got {files.Length} of {count} messages"); }
        }
    }

    public void Dispose() => _daemon.Dispose();

    private static string Work(string folder, string name)
    {
        string work = Path.Combine(folder, name);
        Folder.CreateDirectory(work);
        File.SetUnixFileMode(work, (UnixFileMode)0x1FF); // the server's own user writes its log and mail there
        for (DirectoryInfo? at = new(folder); at is not null && at.FullName.StartsWith(Path.GetTempPath().TrimEnd('/') + "/", StringComparison.Ordinal); at = at.Parent) File.SetUnixFileMode(at.FullName, (UnixFileMode)0x1ED);
        return work;
    }

    private static async Task<Neighbour> StartAsync(string tree, string work, string users, string start, string domain, int port, string mail)
    {
        Daemon daemon = Daemon.Start("unshare", "--mount", "sh", UnpackedPeer.Script, tree, work, users, "sh", "-c", start);
        using CancellationTokenSource patience = new(Patience);
        while (true)
        {
            try
            {
                await using RawClient client = await RawClient.ConnectAsync(port);
                if ((await client.ReplyAsync()).StartsWith("220", StringComparison.Ordinal)) return new(daemon, domain, port, mail);
            }
            catch (SocketException) { /* not yet */ }
            try { await Task.Delay(50, patience.Token); }
            catch (OperationCanceledException) { Assert.Fail(string.Create(CultureInfo.InvariantCulture, $"{domain} did not start on port {port}")); }
        }
    }
}
