using System.Globalization;
using System.Text.Json;
using Posthorn.Interop.Tests.Harness;
using Posthorn.Testing;

namespace Posthorn.Interop.Tests.Clients;

/// <summary>Clients of ManageSieve, and what scripts put by them do: sieve-connect, and a client in Python with nothing but its standard library.</summary>
public sealed class ManageSieveTests
{
    private const string Script = "require [\"fileinto\"];\nif header :contains \"subject\" \"offer\" { fileinto \"Junk\"; }\n";

    [Fact]
    public async Task Sieve_connect_puts_lists_activates_gets_and_deletes()
    {
        string program = Peer.Require("sieve-connect", "sieve-connect");
        await using PosthornProcess server = await PosthornProcess.StartAsync();
        using TemporaryFolder folder = new();
        string local = Path.Combine(folder.Path, "rules.sieve"), bad = Path.Combine(folder.Path, "bad.sieve"), copy = Path.Combine(folder.Path, "copy.sieve");
        await File.WriteAllTextAsync(local, Script);
        await File.WriteAllTextAsync(bad, "nonsense;\n");
        Task<PeerResult> RunAsync(params string[] what) => Peer.RunAsync(program,
            ["-s", "localhost", "--4", "-p", server.Port("managesieve").ToString(CultureInfo.InvariantCulture), "-u", server["ann"].Login, "--passwordfd", "0", "--notlsverify", .. what],
            server["ann"].Password + "\n", folder.Path);

        async Task SucceedAsync(params string[] what)
        {
            PeerResult result = await RunAsync(what);
            Assert.True(result.Status == 0, $"{string.Join(' ', what)}\n{result.All}\n{server.Log}");
        }

        await SucceedAsync("--upload", "--localsieve", local, "--remotesieve", "rules");
        await SucceedAsync("--activate", "--remotesieve", "rules");
        Assert.Contains("\"rules\" ACTIVE", (await RunAsync("--list")).Output, StringComparison.Ordinal);
        await SucceedAsync("--download", "--remotesieve", "rules", "--localsieve", copy);
        Assert.Equal(Script, (await File.ReadAllTextAsync(copy)).ReplaceLineEndings("\n"));
        PeerResult refused = await RunAsync("--upload", "--localsieve", bad, "--remotesieve", "bad");
        Assert.NotEqual(0, refused.Status);
        Assert.Contains("unknown command 'nonsense'", refused.Output + refused.Errors, StringComparison.Ordinal);
        Assert.NotEqual(0, (await RunAsync("--delete", "--remotesieve", "rules")).Status);
        await SucceedAsync("--deactivate");
        await SucceedAsync("--delete", "--remotesieve", "rules");
        Assert.DoesNotContain("rules", (await RunAsync("--list")).Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_client_in_Python_goes_through_every_command()
    {
        string python = Peer.Require("python3", "python3");
        await using PosthornProcess server = await PosthornProcess.StartAsync();
        PeerResult result = await Peer.RunAsync(python, ["-", server.Port("managesieve").ToString(CultureInfo.InvariantCulture), server["bob"].Login, server["bob"].Password], PythonClient, null);
        Assert.True(result.Status == 0, $"{result.All}\n{server.Log}");
        Assert.EndsWith("all is well\n", result.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_draft_is_replayed_over_mail_already_received(bool running)
    {
        using TemporaryFolder folder = new();
        string root = Path.Combine(folder.Path, "q"), draft = Path.Combine(folder.Path, "draft.sieve");
        await File.WriteAllTextAsync(draft, "require \"fileinto\";\nif header :contains \"subject\" \"offer\" {\n  fileinto \"Junk\";\n} elsif size :over 100M {\n  discard;\n}\n");
        await using PosthornProcess server = await PosthornProcess.StartAsync(directory: root);
        foreach (string subject in (string[])["An offer for you", "Lunch?"])
        {
            using MailKit.Net.Smtp.SmtpClient smtp = await Mail.SubmissionAsync(server, server["bob"]);
            await smtp.SendAsync(Mail.Compose(server["bob"], server["ann"].Address, subject, "Text."));
            await smtp.DisconnectAsync(true);
        }
        int before = (await Mail.WaitForAsync(server, server["ann"], 2)).Count;
        if (!running) Assert.Equal(0, await server.StopAsync());

        (string file, string[] arguments) = PosthornProcess.Program;
        string[] replay = [.. arguments, "sieve", "replay", "--config", server.Configuration, "--account", server["ann"].Address, "--script", draft];
        PeerResult text = await Peer.SucceedAsync(file, replay), json = await Peer.SucceedAsync(file, [.. replay, "--since", "1h", "--json"]);
        Assert.Contains("An offer for you", text.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("Lunch?", text.Output, StringComparison.Ordinal);
        Assert.Contains("draft: fileinto \"Junk\"", text.Output, StringComparison.Ordinal);
        Assert.Contains("never line 5", text.Output, StringComparison.Ordinal);
        JsonElement report = JsonDocument.Parse(json.Output).RootElement;
        Assert.Equal((before, 1, 1), (report.GetProperty("examined").GetInt32(), report.GetProperty("differ").GetInt32(), report.GetProperty("elsewhere").GetInt32()));
        Assert.Equal([(2, before), (3, 1), (5, 0)], report.GetProperty("lines").EnumerateArray().Select(l => (l.GetProperty("line").GetInt32(), l.GetProperty("times").GetInt32())));
        Assert.Equal("An offer for you", report.GetProperty("messages")[0].GetProperty("subject").GetString());

        PeerResult wrong = await Peer.RunAsync(file, [.. arguments, "sieve", "replay", "--config", server.Configuration, "--account", "nobody@posthorn.test", "--script", draft], null, null);
        Assert.Equal(1, wrong.Status);
        Assert.Contains("no account", wrong.Errors, StringComparison.Ordinal);
        if (!running) return;
        Assert.Equal(before, (await Mail.ReadAllAsync(server, server["ann"])).Count); // nothing was changed
        Assert.Empty(await Mail.ReadAllAsync(server, server["ann"], "Junk"));
    }

    private const string PythonClient = """"
        import base64, socket, ssl, sys
        port, user, password = int(sys.argv[1]), sys.argv[2], sys.argv[3]

        class Client:
            def __init__(self):
                self.socket = socket.create_connection(("127.0.0.1", port), 60)
                self.file = self.socket.makefile("rb")
                self.capabilities = self.answer()[1]
            def start_tls(self):
                assert self.say("STARTTLS")[0] == "OK"
                context = ssl.create_default_context(); context.check_hostname = False; context.verify_mode = ssl.CERT_NONE
                self.socket = context.wrap_socket(self.socket)
                self.file = self.socket.makefile("rb")
                self.capabilities = self.answer()[1]
            # One string, an atom or a code at the line's place; literals are joined into the line.
            def line(self):
                text = self.file.readline().decode()
                assert text.endswith("\r\n"), text
                while text.endswith("}\r\n") and "{" in text:
                    head, count = text[:-3].rsplit("{", 1)
                    if not count.isdigit(): break
                    text = head + "\x01" + self.file.read(int(count)).decode() + "\x01" + self.file.readline().decode()
                return text.rstrip("\r\n")
            def answer(self):
                lines = []
                while True:
                    line = self.line()
                    word = line.split(" ", 1)[0].upper()
                    if word in ("OK", "NO", "BYE"): return word, lines, line
                    lines.append(line)
            def say(self, text):
                self.socket.sendall(text.encode() + b"\r\n")
                return self.answer()
            def put(self, verb, name, script):
                octets = script.encode()
                head = verb + (' "%s"' % name if name else "") + " {%d+}\r\n" % len(octets)
                self.socket.sendall(head.encode() + octets + b"\r\n")
                return self.answer()

        def expect(answer, word, *texts):
            assert answer[0] == word, answer
            for text in texts: assert text in answer[2], (text, answer)
            return answer

        c = Client()
        assert '"STARTTLS"' in c.capabilities, c.capabilities
        secret = base64.b64encode(("\0%s\0%s" % (user, password)).encode()).decode()
        c.start_tls()
        assert '"STARTTLS"' not in c.capabilities, c.capabilities
        assert any(l.startswith('"SASL"') and "PLAIN" in l for l in c.capabilities), c.capabilities
        expect(c.say("CAPABILITY"), "OK")
        expect(c.say('AUTHENTICATE "PLAIN" "%s"' % secret), "OK")
        assert '"OWNER" "%s"' % user in c.say("CAPABILITY")[1]
        expect(c.say("LISTSCRIPTS"), "OK")
        expect(c.say('HAVESPACE "gr\u00fc\u00dfe" 100'), "OK")
        expect(c.say('HAVESPACE "x" 99999999'), "NO", "QUOTA/MAXSIZE")
        expect(c.put("PUTSCRIPT", "gr\u00fc\u00dfe", "keep;\r\n# \u4e2d\u6587\r\n"), "OK")
        expect(c.put("PUTSCRIPT", "bad", "if {\r\nnonsense;\r\n"), "NO", "line 1")
        expect(c.put("CHECKSCRIPT", "", "require \"fileinto\"; fileinto \"Nowhere\";"), "OK", "WARNINGS", "Nowhere")
        expect(c.say('SETACTIVE "gr\u00fc\u00dfe"'), "OK")
        assert c.say("LISTSCRIPTS")[1] == ['"gr\u00fc\u00dfe" ACTIVE']
        assert c.say('GETSCRIPT "gr\u00fc\u00dfe"')[1] == ["\x01keep;\r\n# \u4e2d\u6587\r\n\x01"]
        expect(c.say('DELETESCRIPT "gr\u00fc\u00dfe"'), "NO", "ACTIVE")
        expect(c.say('RENAMESCRIPT "gr\u00fc\u00dfe" "rules"'), "OK")
        expect(c.say('GETSCRIPT "gr\u00fc\u00dfe"'), "NO", "NONEXISTENT")
        expect(c.say('NOOP "here"'), "OK", 'TAG "here"')
        expect(c.say("UNAUTHENTICATE"), "OK")
        expect(c.say("LISTSCRIPTS"), "NO")
        expect(c.say('AUTHENTICATE "PLAIN" "%s"' % secret), "OK")
        expect(c.say('SETACTIVE ""'), "OK")
        expect(c.say('DELETESCRIPT "rules"'), "OK")
        expect(c.say("LOGOUT"), "OK")
        assert c.file.readline() == b""
        print("all is well")
        """";
}
