using System.Diagnostics;
using System.Text;
using Posthorn.Sieve.Tests.Messages;

namespace Posthorn.Sieve.Tests.Interop;

/// <summary>The same scripts on the same messages by Pigeonhole's sieve-test (Debian package dovecot-sieve); judged differences are in docs/sieve-differences.md.</summary>
public sealed class PigeonholeTests
{
    internal static readonly string[] Messages =
    [
        "From: Wile <coyote@desert.example.org>\nTo: roadrunner@acme.example.com\nSubject: I have a present for you\nDate: Tue, 1 Apr 1997 09:06:31 -0800 (PST)\nMessage-ID: <1@x>\n\nLook, I'm sorry\nabout the anvil.\n",
        "From: a@b.c\nTo: friends: one@example.org, \"two words\"@example.org;, three+x@example.org\nCc: bad address here, ok@x.org\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= and =?iso-8859-1?b?5Pb8?=\nX-Priority: 3\nX-Empty:\nDate: Fri, 29 Feb 2008 23:59:60 +0530\n\n",
        "Received: from x by y; Sat, 2 Mar 2024 12:00:00 +0100\nReceived: from z by x; Sun, 3 Mar 2024 11:00:00 -0500\nFrom: someone@else.org\nTo: nobody@x.org\nSubject:   folded\n\tand folded\n again  \nX-Num: 007\nX-Num: 12abc\nx-num: abc\n\nbody\n",
        "From: \"Last, First\" <first.last@EXAMPLE.com>\nSender: list-owner@lists.example.net\nTo: me+detail@x.org, \"quoted \\\" name\" <q@x.org>\nList-Id: Some List <dev.lists.example.net>\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"b1\"\nSubject: [dev] Re: parts * and ? marks\n\nprologue text\n--b1\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\nHello =C3=A9t=C3=A9 present=\n soft\n--b1\nContent-Type: text/html\n\n<p>html word</p>\n--b1\nContent-Type: application/pdf; name=\"a.pdf\"\nContent-Disposition: attachment; filename=\"a.pdf\"\nContent-Transfer-Encoding: base64\n\nc2VjcmV0\n--b1--\nepilogue text\n",
        "From: x@y.z\nSubject: nested\nContent-Type: multipart/mixed; boundary=o\n\n--o\nContent-Type: message/rfc822\n\nFrom: inner@x.org\nSubject: inner subject\n\ninner body word\n--o\nContent-Type: text/plain\n\nouter body\n--o--\n",
        "Subject: no from at all\nTo: who@ever.org\nDate: not a date\nX-Caffeine: C8H10N4O2\n\n",
    ];

    private static readonly string[] Headers = ["subject", "From", "to", "cc", "x-num", "X-Empty", "list-id", "received", "x-none", "sender", "x-priority", "X-Caffeine", "content-type"];
    private static readonly string[] AddressHeaders = ["from", "to", "cc", "sender", "reply-to"];
    private static readonly string[] Keys =
        ["present", "", "I have a present for you", "*present*", "folded and folded again", "a@b.c", "coyote", "COYOTE@desert.example.org", "desert.example.org", "three+x", "x", "ok@x.org", "12", "7", "*", "?*", "*<*@*>*",
         "[*] *", "Grüße and äöü", "*ü*", "first.last", "example.com", "two words", "q@x.org", "dev", "*word*", "\\\\*", "*\\\\**", "3", "inner", "hello", "C8*"];

    private sealed class Maker(int seed)
    {
        private readonly Random _random = new(seed);

        public string Message => Pick(Messages);

        private string Pick(params string[] from) => from[_random.Next(from.Length)];

        private string Quoted(string[] from) => _random.Next(3) == 0 ? $"[\"{Pick(from)}\", \"{Pick(from)}\"]" : $"\"{Pick(from)}\"";

        private string Match(bool relational = true)
        {
            string comparator = _random.Next(4) == 0 ? ":comparator \"i;octet\" " : "";
            return _random.Next(relational ? 8 : 5) switch
            {
                0 => "" + comparator,
                1 => ":is " + comparator,
                2 or 3 => ":contains " + comparator,
                4 or 5 => ":matches " + comparator,
                6 => $":count \"{Pick("gt", "ge", "lt", "le", "eq", "ne")}\" :comparator \"i;ascii-numeric\" ",
                _ => $":value \"{Pick("gt", "ge", "lt", "le", "eq", "ne")}\" :comparator \"i;ascii-numeric\" ",
            };
        }

        private string Part => Pick("", ":all ", ":localpart ", ":domain ", ":user ", ":detail ");

        private string Index => _random.Next(4) == 0 ? $":index {_random.Next(1, 4)} {Pick("", ":last ")}" : "";

        public string Test(int depth) => _random.Next(depth > 0 ? 15 : 12) switch
        {
            0 or 1 or 2 => $"header {Match()}{Index}{Quoted(Headers)} {Quoted(Keys)}",
            3 or 4 => $"address {Match()}{Index}{Part}{Quoted(AddressHeaders)} {Quoted(Keys)}",
            5 => $"envelope {Match()}{Part}{Quoted(["from", "to"])} {Quoted(["s@from.org", "s", "from.org", "me", "d", "me+d@x.org", "*", "*@*", "1"])}",
            6 => $"exists {Quoted(Headers)}",
            7 => $"size {Pick(":over", ":under")} {Pick("100", "300", "700", "1K")}",
            8 => $"body {Match(false)}{Pick(":raw ", ":text ", ":content \"text\" ", ":content \"text/html\" ", ":content \"application\" ")}\"{Pick("word", "*word*", "secret", "été", "none", "text", "hello", "=C3")}\"",
            9 => $"date {Match(false)}{Pick(":originalzone ", ":zone \"+0000\" ", ":zone \"-0330\" ")}\"{Pick("date", "received", "x-none", "subject")}\" \"{Pick("year", "month", "day", "date", "julian", "hour", "minute", "second", "time", "iso8601", "zone", "weekday")}\" {Quoted(["1997", "2008", "04", "29", "*", "1997-04-01", "17", "09", "2", "54525", "+0530", "2024-03-03T11:00:00-05:00", "6", "0"])}",
            10 => $"string {Match()}{Quoted(["abc", "AbC", "", "a*c", "12", "x y"])} {Quoted(["abc", "ABC", "*", "a\\\\*c", "1", "?b?", "12", "", "a?c"])}",
            11 => $"header :regex {Pick("", ":comparator \"i;octet\" ")}\"{Pick(Headers)}\" \"{Pick("^I have", "pres(ent)?.* (for) you", "[[:digit:]]+", "^[^@]+$", "(a|ab)(c|bcd)?", "<([^>]*)>", "\\\\*", "^$", "[A-Z]{2,}", "x{0,3}")}\"",
            12 => $"not {Test(depth - 1)}",
            13 => $"allof ({Test(depth - 1)}, {Test(depth - 1)})",
            _ => $"anyof ({Test(depth - 1)}, {Test(depth - 1)})",
        };

        public string Script()
        {
            StringBuilder script = new("require [\"fileinto\", \"imap4flags\", \"envelope\", \"subaddress\", \"body\", \"date\", \"index\", \"variables\", \"regex\", \"relational\", \"comparator-i;ascii-numeric\", \"copy\", \"reject\"];\n");
            for (int i = 0; i < 10; i++)
                script.Append(_random.Next(3) == 0 ? $"if {Test(2)} {{ addflag \"t{i}\"; set \"v\" \"${{1}}\"; }}\n" : $"if {Test(1)} {{ addflag \"t{i}\"; }}\n");
            script.Append("if string :matches \"${v}\" \"*\" { set :length \"n\" \"${v}\"; addflag \"n${n}\"; }\n");
            for (int i = _random.Next(3); i > 0; i--)
                script.Append(Pick("keep;", "discard;", "fileinto \"A\";", "fileinto :copy \"B\";", "redirect \"r@example.net\";", "redirect :copy \"c@example.net\";", "fileinto :flags \"\\\\Seen x\" \"A\";", "reject \"no\";", "stop;", "removeflag \"t1 t2\";", "fileinto \"INBOX\";")).Append('\n');
            return script.ToString();
        }
    }

    [Fact]
    public void TheSameActions()
    {
        string? program = Array.Find(["/usr/bin/sieve-test", "/usr/local/bin/sieve-test"], File.Exists);
        if (program is null)
        {
            Assert.False(Environment.GetEnvironmentVariable("CI") == "true", "sieve-test is missing: install dovecot-sieve");
            Assert.Skip("sieve-test is missing: install dovecot-sieve");
        }
        string folder = Directory.CreateTempSubdirectory("sieve").FullName;
        int pairs = int.TryParse(Environment.GetEnvironmentVariable("POSTHORN_SIEVE_PAIRS"), out int asked) ? asked : 200;
        List<string> differences = [];
        for (int seed = 1; seed <= pairs && differences.Count < 40; seed++)
        {
            Maker maker = new(seed);
            string script = maker.Script();
            string message = maker.Message;
            string theirs = Theirs(program, folder, script, message);
            string ours = Ours(script, message);
            if (theirs != ours) differences.Add($"--- seed {seed}\n{script}\n{message}\ntheirs: {theirs}\nours:   {ours}");
        }
        Directory.Delete(folder, true);
        if (differences.Count > 0 && Environment.GetEnvironmentVariable("POSTHORN_SIEVE_DIFFERENCES") is { } file) File.WriteAllLines(file, differences);
        Assert.True(differences.Count == 0, $"{differences.Count} differences\n{string.Join('\n', differences.Take(3))}");
    }

    private static string Ours(string script, string message)
    {
        SieveContext context = Sieve.Context with { Envelope = new() { From = "s@from.org", To = "me+d@x.org" }, Owner = null };
        SieveCompilation compiled = Sieve.Compile(script);
        if (compiled.Script is null) return "cannot be compiled: " + compiled.Errors.First();
        SieveResult result = Sieve.Run([compiled.Script], message, context);
        if (result.Error is not null) return "failed";
        static string Flags(IReadOnlyList<string> flags) => string.Concat(flags.Select(f => " " + f.ToLowerInvariant()).Order());
        return string.Join("; ", result.Actions.Select(a => a switch
        {
            SieveAction.Keep keep => "store INBOX" + Flags(keep.Flags),
            SieveAction.FileInto file => $"store {file.Target.Mailbox}{Flags(file.Target.Flags)}",
            SieveAction.Redirect redirect => $"redirect {redirect.Address}",
            _ => a.Name,
        }));
    }

    // Settings of its own, so that the machine's Dovecot does not matter. Pigeonhole refuses to run as root: there it becomes nobody.
    private static string Settings(string folder)
    {
        string[] status = File.ReadAllLines("/proc/self/status");
        string Id(string key) => status.First(l => l.StartsWith(key, StringComparison.Ordinal)).Split('\t', StringSplitOptions.RemoveEmptyEntries)[1];
        bool root = Environment.IsPrivilegedProcess;
        if (root) File.SetUnixFileMode(folder, (UnixFileMode)0x1FF);
        return $"mail_uid = {(root ? "65534" : Id("Uid:"))}\nmail_gid = {(root ? "65534" : Id("Gid:"))}\nfirst_valid_uid = 1\nfirst_valid_gid = 1\n"
            + $"mail_home = {folder}\nmail_location = maildir:{folder}/Maildir\nssl = no\nlog_path = /dev/stderr\n";
    }

    private static string Theirs(string program, string folder, string script, string message)
    {
        File.WriteAllText(Path.Combine(folder, "s.sieve"), script);
        File.WriteAllText(Path.Combine(folder, "m.eml"), message.ReplaceLineEndings("\r\n"));
        string settings = Path.Combine(folder, "dovecot.conf");
        if (!File.Exists(settings)) File.WriteAllText(settings, Settings(folder));
        ProcessStartInfo start = new(program, ["-c", settings, "-f", "s@from.org", "-r", "me+d@x.org", "-a", "me+d@x.org", Path.Combine(folder, "s.sieve"), Path.Combine(folder, "m.eml")]) { RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["TZ"] = "UTC";
        using Process process = Process.Start(start)!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        string said = errors.GetAwaiter().GetResult();
        if (said.Contains("failed; resolved", StringComparison.Ordinal)) return "failed";
        if (!output.Contains("Performed actions", StringComparison.Ordinal)) return "cannot be compiled: " + said;
        List<string> actions = [];
        foreach (string line in output.Split('\n'))
        {
            if (line.StartsWith(" * store message in folder: ", StringComparison.Ordinal)) actions.Add("store " + line[28..]);
            else if (line.StartsWith(" * redirect message to: ", StringComparison.Ordinal)) actions.Add("redirect " + line[24..].Trim('<', '>'));
            else if (line.StartsWith(" * reject", StringComparison.Ordinal)) actions.Add("reject");
            else if (line.StartsWith(" * discard", StringComparison.Ordinal)) actions.Add("discard");
            else if (line.TrimStart().StartsWith("+ add IMAP flags:", StringComparison.Ordinal))
                actions[^1] += string.Concat(line.Split(':', 2)[1].Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(f => " " + f.ToLowerInvariant()).Order());
        }
        return string.Join("; ", actions);
    }
}
