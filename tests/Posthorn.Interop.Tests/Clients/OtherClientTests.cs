using System.Text;
using Posthorn.Interop.Tests.Harness;
using Posthorn.Testing;

namespace Posthorn.Interop.Tests.Clients;

/// <summary>offlineimap, neomutt, fetchmail and Python's own libraries.</summary>
public sealed class OtherClientTests
{
    [Fact]
    public async Task Offlineimap_copies_everything_down_and_a_new_message_up()
    {
        string offlineimap = Peer.Require("offlineimap", "offlineimap3");
        using TemporaryFolder home = new();
        await using PosthornProcess server = await PosthornProcess.StartAsync();
        Account ann = server["ann"];
        string configuration = ClientConfiguration.Offlineimap(home, server, ann);
        await Peer.SucceedAsync(offlineimap, ["-o", "-c", configuration], home: home.Path);
        string inbox = Path.Combine(home.Path, "mail", "INBOX");
        Assert.Contains(Files(inbox), f => File.ReadAllText(f).Contains("Subject: Welcome to Posthorn", StringComparison.Ordinal));

        File.WriteAllText(Path.Combine(inbox, "cur", "1700000000.1.test:2,S"), "From: me@posthorn.test\nTo: you@posthorn.test\nDate: Mon, 23 Nov 2026 10:00:00 +0000\nMessage-ID: <up@test>\nSubject: going up\n\nlocal\n");
        await Peer.SucceedAsync(offlineimap, ["-o", "-c", configuration], home: home.Path);
        // Both sides hold the same octets, but for the line ends of files.
        string[] there = [.. (await Mail.ReadAllAsync(server, ann)).Select(Encoding.UTF8.GetString).Order(StringComparer.Ordinal)];
        Assert.Equal(there, Files(inbox).Select(file => File.ReadAllText(file).ReplaceLineEndings("\r\n")).Order(StringComparer.Ordinal));
        Assert.Contains("From: me@posthorn.test\r\nTo: you@posthorn.test\r\nDate: Mon, 23 Nov 2026 10:00:00 +0000\r\nMessage-ID: <up@test>\r\nSubject: going up\r\n\r\nlocal\r\n", there);
    }

    [Fact]
    public async Task Neomutt_sends_reads_flags_and_files()
    {
        string neomutt = Peer.Require("neomutt", "neomutt");
        using TemporaryFolder home = new();
        await using PosthornProcess server = await PosthornProcess.StartAsync();
        Account ann = server["ann"];
        string configuration = home.Write(".neomuttrc", $"""
            set folder = "imaps://127.0.0.1:{server.Port("imaps")}/"
            set spoolfile = "+INBOX"
            set record = "+Sent"
            set imap_user = "{ann.Login}"
            set imap_pass = "{ann.Password}"
            set smtp_url = "smtps://{Uri.EscapeDataString(ann.Login)}@127.0.0.1:{server.Port("submissions")}/"
            set smtp_pass = "{ann.Password}"
            set from = "{ann.Address}"
            set certificate_file = "{Path.Combine(server.Directory, "tls", "certificate.pem")}"
            set ssl_verify_host = no
            set ssl_verify_dates = no
            set ssl_force_tls = yes
            set delete = yes
            set confirmappend = no
            set confirmcreate = no
            set move = no
            set wait_key = no
            set sleep_time = 0
            """);
        // Sending in batch mode goes over submission (neomutt files no copy on IMAP in that mode).
        await Peer.SucceedAsync(neomutt, ["-F", configuration, "-s", "from neomutt", server["bob"].Address], "hello bob\n", home.Path);
        Assert.Contains(await Mail.ReadAllAsync(server, server["bob"]), m => Encoding.ASCII.GetString(m).Contains("Subject: from neomutt", StringComparison.Ordinal));
        // Reading: flag the welcome mail, file it in Archive, leave. The commands run as if typed.
        string push = "push '<flag-message><save-message>=Archive<enter><sync-mailbox><quit>'";
        await Peer.SucceedAsync("/usr/bin/script", ["-qec", $"{neomutt} -F {configuration} -e \"{push}\"", "/dev/null"], home: home.Path);
        Assert.Contains(await Mail.ReadAllAsync(server, ann, "Archive"), m => Encoding.ASCII.GetString(m).Contains("Welcome to Posthorn", StringComparison.Ordinal));
        Assert.DoesNotContain(await Mail.ReadAllAsync(server, ann), m => Encoding.ASCII.GetString(m).Contains("Welcome to Posthorn", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("IMAP", "imaps")]
    [InlineData("POP3", "pop3s")]
    public async Task Fetchmail_takes_mail_away_and_hands_it_over_by_smtp(string protocol, string listener)
    {
        string fetchmail = Peer.Require("fetchmail", "fetchmail");
        using TemporaryFolder home = new();
        await using PosthornProcess server = await PosthornProcess.StartAsync();
        Account ann = server["ann"], bob = server["bob"];
        string configuration = home.Write(".fetchmailrc", $"""
            poll 127.0.0.1 protocol {protocol} port {server.Port(listener)}
              user "{ann.Login}" password "{ann.Password}" ssl no sslcertck fetchall
              smtphost "127.0.0.1/{server.Port("smtp")}" smtpname "{bob.Address}"

            """);
        File.SetUnixFileMode(configuration, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        PeerResult result = await Peer.RunAsync(fetchmail, ["-f", configuration, "-N", "--nosyslog", "--pidfile", Path.Combine(home.Path, "pid"), "-i", Path.Combine(home.Path, "ids")], null, home.Path);
        Assert.True(result.Status == 0, result.All + server.Log);
        Assert.Empty(await Mail.ReadAllAsync(server, ann));
        Assert.Equal(2, (await Mail.ReadAllAsync(server, bob)).Count); // its own welcome mail and ann's
    }

    [Fact]
    public async Task Python_sends_and_reads()
    {
        string python = Peer.Require("python3", "python3");
        await using PosthornProcess server = await PosthornProcess.StartAsync();
        Account ann = server["ann"], bob = server["bob"];
        string script = $"""
            import imaplib, smtplib, ssl, time
            from email.message import EmailMessage
            context = ssl.create_default_context(cafile={Quote(Path.Combine(server.Directory, "tls", "certificate.pem"))})
            m = EmailMessage()
            m['From'], m['To'], m['Subject'] = {Quote(ann.Address)}, {Quote(bob.Address)}, 'Grüße'
            m.set_content('Ein Gruß\n')
            with smtplib.SMTP('127.0.0.1', {server.Port("submission")}) as s:
                s.starttls(context=context); s.login({Quote(ann.Login)}, {Quote(ann.Password)}); s.send_message(m)
            box = imaplib.IMAP4('127.0.0.1', {server.Port("imap")})
            box.starttls(context); box.login({Quote(bob.Login)}, {Quote(bob.Password)})
            assert box.select()[0] == 'OK'
            assert box.uid('SEARCH', 'CHARSET', 'UTF-8', 'SUBJECT', '"Welcome"')[1][0] == b'1'
            assert box.search(None, 'FROM', 'ann@')[1][0] == b'2'
            assert box.store('2', '+FLAGS', '(\\Flagged $Label1)')[0] == 'OK'
            typ, data = box.fetch('2', '(FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)] ENVELOPE BODYSTRUCTURE)')
            assert typ == 'OK' and b'$Label1' in data[0][0] + data[-1], data
            assert box.create('Ablage.Jahr')[0] == 'OK' and box.copy('2', 'Ablage.Jahr')[0] == 'OK'
            assert box.status('Ablage.Jahr', '(MESSAGES UIDNEXT)')[1][0].endswith(b'(MESSAGES 1 UIDNEXT 2)')
            box.append('INBOX', '\\Seen', imaplib.Time2Internaldate(time.time()), b'Subject: appended\r\n\r\nx\r\n')
            assert box.noop()[0] == 'OK' and box.search(None, 'ALL')[1][0] == b'1 2 3'
            box.store('3', '+FLAGS', '\\Deleted'); assert box.expunge()[1] == [b'3']
            box.logout()
            """;
        await Peer.SucceedAsync(python, ["-c", script]);
    }

    [Fact]
    public async Task Python_fetches_by_pop3_and_leaves_mail_on_the_server()
    {
        string python = Peer.Require("python3", "python3");
        await using PosthornProcess server = await PosthornProcess.StartAsync();
        Account ann = server["ann"];
        string script = $"""
            import poplib, ssl
            context = ssl.create_default_context(cafile={Quote(Path.Combine(server.Directory, "tls", "certificate.pem"))})
            def log_in(box):
                box.user({Quote(ann.Login)}); box.pass_({Quote(ann.Password)}); return box
            box = poplib.POP3('127.0.0.1', {server.Port("pop3")})
            assert 'STLS' in box.capa()
            box.stls(context); log_in(box)
            assert 'PIPELINING' in box.capa()
            assert box.stat()[0] == 1
            ids, text = box.uidl()[1], box.retr(1)[1]
            assert box.list()[1] == [b'1 %d' % (sum(map(len, text)) + 2 * len(text))], box.list()
            assert b'Subject: Welcome to Posthorn' in box.top(1, 0)[1]
            box.dele(1); box.rset(); box.quit()
            again = log_in(poplib.POP3_SSL('127.0.0.1', {server.Port("pop3s")}, context=context))
            assert again.uidl()[1] == ids
            again.dele(1); again.quit()
            assert log_in(poplib.POP3_SSL('127.0.0.1', {server.Port("pop3s")}, context=context)).stat() == (0, 0)
            """;
        await Peer.SucceedAsync(python, ["-c", script]);
    }

    private static string[] Files(string maildir) => [.. Folder.EnumerateFiles(Path.Combine(maildir, "new")), .. Folder.EnumerateFiles(Path.Combine(maildir, "cur"))];

    private static string Quote(string text) => "'" + text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("'", "\\'", StringComparison.Ordinal) + "'";
}
