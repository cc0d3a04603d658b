using System.Globalization;
using Posthorn.Interop.Tests.Harness;

namespace Posthorn.Interop.Tests.Clients;

/// <summary>Scripts in a started server: mail in by swaks, looked at by Python's imaplib; files laid out as Dovecot leaves them.</summary>
public sealed class SieveTests
{
    [Fact]
    public async Task A_script_files_rejects_and_answers()
    {
        string swaks = Peer.Require("swaks", "swaks"), python = Peer.Require("python3", "python3");
        await using PosthornProcess server = await PosthornProcess.StartAsync();
        Account ann = server["ann"], bob = server["bob"];
        string home = Path.Combine(server.Directory, "data", "accounts", "posthorn.test", "ann", "home");
        Folder.CreateDirectory(Path.Combine(home, "sieve"));
        await File.WriteAllTextAsync(Path.Combine(home, "sieve", "rules.sieve"), """
            require ["fileinto", "mailbox", "imap4flags", "reject", "vacation", "envelope"];
            if header :contains "Subject" "bad" { reject "Not this"; stop; }
            if header :contains "Subject" "lists" { fileinto :create :flags "\\Seen" "Lists.Sieve"; stop; }
            if envelope :is "from" "bob@posthorn.test" { vacation :subject "Away" "On a journey"; }
            """);
        File.CreateSymbolicLink(Path.Combine(home, ".dovecot.sieve"), Path.Combine("sieve", "rules.sieve"));

        PeerResult refused = await Peer.RunAsync(swaks, [.. To(server, ann.Address, "x@elsewhere.example", "a bad one")]);
        Assert.Contains("550 5.7.1 Not this", refused.Output, StringComparison.Ordinal);
        await Peer.SucceedAsync(swaks, To(server, ann.Address, "x@elsewhere.example", "the lists"));
        for (int i = 0; i < 3; i++) await Peer.SucceedAsync(swaks, To(server, ann.Address, bob.Address, $"hello {i}"));
        string script = $"""
            import imaplib, time
            def box(login, password):
                b = imaplib.IMAP4('127.0.0.1', {server.Port("imap").ToString(CultureInfo.InvariantCulture)}); b.login(login, password); return b
            ann = box('{ann.Login}', '{ann.Password}')
            assert ann.select('Lists.Sieve')[1] == [b'1']
            data = ann.fetch('1', '(FLAGS BODY.PEEK[])')[1]
            assert b'\\Seen' in data[0][0] + data[-1] and b'Subject: the lists' in data[0][1], data
            ann.select('INBOX')
            assert len(ann.search(None, 'SUBJECT', 'hello')[1][0].split()) == 3
            assert ann.search(None, 'SUBJECT', 'bad')[1][0] == b''
            bob = box('{bob.Login}', '{bob.Password}')
            for i in range(600):
                bob.select('INBOX')
                found = bob.search(None, 'SUBJECT', 'Away')[1][0].split()
                if found: break
                time.sleep(0.1)
            assert len(found) == 1, found
            text = bob.fetch(found[0], '(BODY.PEEK[])')[1][0][1]
            assert b'Auto-Submitted: auto-replied (vacation)' in text and b'Return-Path: <>' in text and b'On a journey' in text, text
            """;
        await Peer.SucceedAsync(python, ["-c", script]);
        Assert.Equal(0, await server.StopAsync());
        Assert.True(File.Exists(Path.Combine(home, ".dovecot.lda-dupes")));
    }

    private static IEnumerable<string> To(PosthornProcess server, string to, string from, string subject) =>
        ["--server", "127.0.0.1", "--port", server.Port("smtp").ToString(CultureInfo.InvariantCulture), "--helo", "client.example", "--from", from, "--to", to, "--header", $"Subject: {subject}", "--body", "text"];
}
