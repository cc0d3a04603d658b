using System.Globalization;
using System.Net.Sockets;

namespace Posthorn.Interop.Tests.Harness;

/// <summary>A real Postfix with a configuration, queue and mailbox of its own below a folder, for foreign.example.</summary>
internal sealed class PostfixServer : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(90);
    private readonly string _postfix;
    private readonly string _mailbox;
    private readonly int _port;

    private PostfixServer(string postfix, string configuration, string mailbox, int port) => (_postfix, ConfigurationFolder, _mailbox, _port) = (postfix, configuration, mailbox, port);

    public string ConfigurationFolder { get; }

    /// <summary>Its certificate, which it has signed itself, for mx.foreign.example.</summary>
    public string CertificateFile => Path.Combine(Path.GetDirectoryName(ConfigurationFolder)!, "cert.pem");

    public int MailCount => Folder.Exists(Path.Combine(_mailbox, "new")) ? Folder.GetFiles(Path.Combine(_mailbox, "new")).Length : 0;

    /// <summary>Starts it on a port; mail for other domains goes to <paramref name="relay"/>.</summary>
    public static async Task<PostfixServer> StartAsync(string postfix, string folder, int port, string relay)
    {
        // Postfix's own user must get through to its queue.
        for (DirectoryInfo? at = new(folder); at is not null && at.FullName != "/"; at = at.Parent)
            if (at.FullName.StartsWith(Path.GetTempPath().TrimEnd('/') + "/", StringComparison.Ordinal)) File.SetUnixFileMode(at.FullName, (UnixFileMode)0x1ED);
        string root = Path.Combine(folder, "postfix"), configuration = Path.Combine(root, "conf"), queue = Path.Combine(root, "spool"), data = Path.Combine(root, "data"), mail = Path.Combine(root, "mail");
        foreach (string made in (string[])[configuration, queue, data, mail]) Folder.CreateDirectory(made);
        await Peer.SucceedAsync("chown", ["postfix", data, mail]);
        string uid = (await Peer.SucceedAsync("id", ["-u", "postfix"])).Output.Trim();
        await Peer.SucceedAsync("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=mx.foreign.example", "-addext", "subjectAltName=DNS:mx.foreign.example",
            "-keyout", Path.Combine(root, "key.pem"), "-out", Path.Combine(root, "cert.pem")]);
        await File.WriteAllTextAsync(Path.Combine(configuration, "main.cf"), $"""
            compatibility_level = 3.6
            myhostname = mx.foreign.example
            mydestination =
            queue_directory = {queue}
            data_directory = {data}
            inet_interfaces = 127.0.0.1
            inet_protocols = ipv4
            relayhost = {relay}
            virtual_mailbox_domains = foreign.example
            virtual_mailbox_base = {mail}
            virtual_mailbox_maps = inline:{"{"}carl@foreign.example=carl/{"}"}
            virtual_uid_maps = static:{uid}
            virtual_gid_maps = static:{uid}
            virtual_minimum_uid = 1
            smtpd_tls_security_level = may
            smtpd_tls_received_header = yes
            smtpd_tls_cert_file = {root}/cert.pem
            smtpd_tls_key_file = {root}/key.pem
            smtp_tls_security_level = may
            smtp_dns_support_level = disabled
            smtpd_forbid_bare_newline = yes
            smtpd_forbid_bare_newline_exclusions =
            smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination
            maillog_file = {root}/postfix.log
            maillog_file_prefixes = {root}

            """);
        string master = (await File.ReadAllTextAsync("/usr/share/postfix/master.cf.dist")).Replace("\ny       -       y", "\n-", StringComparison.Ordinal);
        List<string> lines = [];
        foreach (string line in master.Split('\n'))
        {
            string[] fields = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (line.StartsWith('#') || line.StartsWith(' ') || fields.Length < 8 || fields[7] == "pipe") continue;
            fields[4] = "n"; // no chroot
            if (fields is ["smtp", "inet", ..]) fields[0] = string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{port}");
            lines.Add(string.Join("  ", fields));
        }
        if (!lines.Any(l => l.StartsWith("postlog", StringComparison.Ordinal))) lines.Add("postlog  unix-dgram  n  -  n  -  1  postlogd");
        await File.WriteAllLinesAsync(Path.Combine(configuration, "master.cf"), lines);
        PostfixServer server = new(postfix, configuration, Path.Combine(mail, "carl"), port);
        await server.StartAsync();
        return server;
    }

    public string Log => Path.Combine(Path.GetDirectoryName(ConfigurationFolder)!, "postfix.log") is var path && File.Exists(path) ? File.ReadAllText(path) : "";

    /// <summary>Changes settings of main.cf and starts it anew.</summary>
    public async Task ChangeAsync(params string[] settings)
    {
        await Peer.SucceedAsync("postconf", ["-c", ConfigurationFolder, "-e", .. settings]);
        await RestartAsync();
    }

    /// <summary>The first message in carl's mailbox.</summary>
    public async Task<string> WaitForMailAsync() => (await WaitForAsync(1))[0];

    /// <summary>The messages in carl's mailbox when there are at least so many, in order of arrival, each octet a character.</summary>
    public async Task<IReadOnlyList<string>> WaitForAsync(int count)
    {
        using CancellationTokenSource patience = new(Patience);
        while (MailCount < count)
        {
            try { await Task.Delay(100, patience.Token); }
            catch (OperationCanceledException) { Assert.Fail($"Postfix got {MailCount} of {count} messages\n{Log}"); }
        }
        return [.. Folder.GetFiles(Path.Combine(_mailbox, "new")).OrderBy(File.GetLastWriteTimeUtc).Select(path => System.Text.Encoding.Latin1.GetString(File.ReadAllBytes(path)))];
    }

    /// <summary>Ends it and starts it with what its configuration says now. (After a <c>reload</c> its old processes may still take a connection with the old settings.)</summary>
    public async Task RestartAsync()
    {
        await Peer.SucceedAsync(_postfix, ["-c", ConfigurationFolder, "stop"]);
        await StartAsync();
    }

    public async ValueTask DisposeAsync() => await Peer.RunAsync(_postfix, "-c", ConfigurationFolder, "stop");

    private async Task StartAsync()
    {
        await Peer.SucceedAsync(_postfix, ["-c", ConfigurationFolder, "start"]);
        await WaitForBannerAsync(_port);
    }

    private static async Task WaitForBannerAsync(int port)
    {
        using CancellationTokenSource patience = new(Patience);
        while (true)
        {
            try
            {
                await using RawClient client = await RawClient.ConnectAsync(port);
                if ((await client.ReplyAsync()).StartsWith("220", StringComparison.Ordinal)) return;
            }
            catch (SocketException) { /* not yet */ }
            await Task.Delay(50, patience.Token);
        }
    }
}
