using System.Text;
using CsCheck;
using Posthorn.Directory.Lookups;
using Posthorn.Interop.Tests.Harness;
using Posthorn.Testing;

namespace Posthorn.Interop.Tests.Postfix;

/// <summary>Generated tables in each of Postfix's formats, asked by <c>postmap -q</c> and by us: the same answers.</summary>
public sealed class PostmapTests
{
    private const int Rounds = 12;
    private const int LinesInTable = 40;

    private static readonly Gen<string> Word = OneOf("ann", "bob", "Carl", "d.e", "x_y", "root", "a+b", "info");
    private static readonly Gen<string> Domain = OneOf("example.org", "Example.COM", "sub.example.org", "b.example", "xn--bcher-kva.example");
    private static readonly Gen<string> Address = Gen.Select(Word, Domain, (w, d) => $"{w}@{d}");
    private static readonly Gen<string> Space = OneOf(" ", "\t", "   ", " \t ", "\n  ", "\n# between\n\t", "\n\n ");
    private static readonly Gen<string> Noise = OneOf("", "", "", "# comment\n", "\n", "   \n", "  # indented comment\n");

    private static readonly Gen<string> HashKey = Gen.OneOf(Word, Domain, Address, Domain.Select(d => "@" + d), Domain.Select(d => "." + d), Word.Select(w => w + "@"), OneOf("192.0.2", "192.0.2.7", "<>", "*", "\"a@b\"@example.org", "\"an n\"@example.org", "\"x\\\" y\"@example.org", "a\\ b", "\"two words\""));
    private static readonly Gen<string> HashValue = Gen.OneOf(Address, OneOf("OK", "REJECT  go away", "550 5.7.1 No", "smtp:[host.example]:25", "a@b.example,  c@d.example", "user has moved to x@y", "ünï cödé"));
    private static readonly Gen<string> HashLine = Gen.Select(Noise, HashKey, Space, HashValue, OneOf("", " ", "\t"), (n, k, s, v, e) => $"{n}{k}{s}{v}{e}\n");

    private static readonly Gen<string> Pattern = OneOf(
        "^ann@", "^([^@]+)@example\\.(org|com)$", "@(.*)\\.example$", "^(.*)\\+(.*)@(.*)$", ".", "^$", "[[:digit:]]", "[[:alpha:]]+_[[:alpha:]]", "^[a-c]", "[^a-z@.+_]", "b{1,2}", "(root|info)@", "e\\.o", "x_y|a\\+b", "^.{3}@", "[]@]", "[a-]n", "com$", "[.]org", "\\<sub\\>", "a*b?c+");
    private static readonly Gen<string> Alternatives = Gen.OneOf(
        OneOf("(a|an|ann)(@|n@|)", "(e|example)(.*)o", "^(a|an)(n?)", "(ex|exam|example)\\.(c|co|com)", "(x|x_y|x_)(.*)(@|@s)", "(b|bo|bob)(b|ob)?", "(inf|i)(n|o|fo)*", "(r|ro)(o*)(t|ot)", "(.*)(@e|@)", "(xn|xn--)(b|-*b)(u|cher)?"),
        OneOf("(a|ann)", "(n|nn)?", "(.*)", "(@|@e|@ex)", "[a-z]+", "(o|or|org)*", ".?", "(b|bo)").Array[2, 4].Select(string.Concat));
    private static readonly Gen<string> PosixFlags = OneOf("", "", "", "i", "m");
    private static readonly Gen<string> PerlPattern = Gen.OneOf(Pattern.Where(p => p is not ("\\<sub\\>" or "[]@]")),
        OneOf("^(?!ann)(\\w+)@", "(?<=@)b\\.", "^\\w+@\\w+\\.example$", "\\d", "^(.)(.).*\\2\\1", "(?:bob|Carl)", "^a.*?n", "\\bsub\\b", "[\\w.]+@"));
    private static readonly Gen<string> PerlFlags = OneOf("", "", "", "i", "m", "s", "A", "x");
    private static readonly Gen<string> PatternValue = OneOf("x", "REJECT no", "$$1", "a $$ b", "found  it");
    private static readonly Gen<string> GroupValue = OneOf("$1", "<${1}>", "$(1)@new", "a$1 b$$c", "${1}${1}");

    [Fact]
    public Task Keys_and_values() => CheckAsync("hash", LookupType.Hash, HashLine, HashKey, null);

    [Fact]
    public Task Posix_patterns() => CheckAsync("regexp", LookupType.Regexp, Rules(Pattern, PosixFlags, true), Gen.OneOf(Address, Word, Domain), null);

    /// <summary>Which alternative a group took where several fit: the longest match counts.</summary>
    [Fact]
    public Task Posix_groups() => CheckAsync("regexp", LookupType.Regexp, Gen.Select(Alternatives, OneOf("1 <$1>", "2 <$1><$2>"), (pattern, value) => (pattern, value))
        .Where(one => one.pattern.Count(c => c == '(') >= one.value[0] - '0').Select(one => $"/{one.pattern}/ {one.value}\n"), Gen.OneOf(Address, Word, Domain), null);

    [Fact]
    public async Task Perl_patterns()
    {
        using TemporaryFolder folder = new();
        await CheckAsync("pcre", LookupType.Pcre, Rules(PerlPattern, PerlFlags, false), Gen.OneOf(Address, Word, Domain), await WithPcreAsync(folder));
    }

    [Fact]
    public Task Networks()
    {
        Gen<string> network = Gen.OneOf(
            Gen.Select(Gen.Int[0, 3], Gen.Int[0, 3], OneOf("/24", "/16", "/32", "", "/8", "/0", "/25"), (a, b, l) => $"192.0.{a}.{b}{l}"),
            OneOf("0.0.0.0/0", "192.0.0.0/16", "192.0.2.0/24", "192.0.2.0/30", "::/0", "2001:db8::/32", "2001:db8::1", "2001:db8:1::/48", "[2001:db8::]/33", "[192.0.2.1]", "192.0.2", "10", "192.0.2.256", "fe80::/10", "192.0.02.1"));
        Gen<string> rule = Gen.Frequency(
            (8, Gen.Select(Noise, OneOf("", "", "", "!", "! ", "!!"), network, OneOf(" ", "\t", "\n "), OneOf("OK", "REJECT you", ""), (n, not, net, s, v) => $"{n}{not}{net}{s}{v}\n")),
            (1, Gen.Select(OneOf("if ", "IF ", "if !", "if ! "), network, (i, net) => $"{i}{net}\n")),
            (1, OneOf("endif\n", "ENDIF\n")));
        Gen<string> key = Gen.OneOf(Gen.Select(Gen.Int[0, 3], Gen.Int[0, 3], (a, b) => $"192.0.{a}.{b}"), OneOf("10.1.2.3", "2001:db8::1", "2001:db8:8000::1", "::1", "fe80::1", "host.example", "192.0.2", "::ffff:192.0.2.1"));
        return CheckAsync("cidr", LookupType.Cidr, rule, key, null);
    }

    [Fact]
    public async Task Aliases()
    {
        string postalias = Peer.Require("postalias", "postfix");
        using TemporaryFolder folder = new();
        Gen<string> name = OneOf("ann", "Bob", "mailer-daemon", "\"with space\"", "\"a:b\"", "root", "d.e");
        Gen<string> value = Gen.OneOf(Address, Word, OneOf("|/bin/true", "\"|/bin/cat -n, x\"", "/var/log/mail", ":include:/etc/list", "\"a b\"@example.org", "(note) ann", "\\ann"));
        Gen<string> line = Gen.Select(Noise, name, OneOf(":", ": ", " : ", ":\t"), value.Array[1, 4], OneOf(", ", ",", ",\n   "), (n, k, c, v, s) => $"{n}{k}{c}{string.Join(s, v)}\n");
        (string[] texts, string[][] _) = Samples(line, name);
        foreach ((string text, int i) in texts.Select((t, i) => (t, i)))
        {
            string path = Path.Combine(folder.Path, $"aliases{i}");
            await File.WriteAllTextAsync(path, text, TestContext.Current.CancellationToken);
            await Peer.SucceedAsync(postalias, [$"hash:{path}"]);
            TableContent table = TableContent.Parse(LookupType.Aliases, path, text, TimeSpan.FromSeconds(1));
            foreach (string key in (string[])["ann", "bob", "BOB", "mailer-daemon", "with space", "a:b", "root", "d.e", "nobody"])
            {
                PeerResult asked = await Peer.RunAsync(postalias, "-q", key, $"hash:{path}");
                string? theirs = asked.Status == 0 ? Canonical(asked.Output) : null;
                string? ours = table.Find(key) is LookupResult.Found found ? Canonical(found.Value) : null;
                Assert.True(theirs == ours, $"{key}: postalias says {theirs}, we say {ours}\n{text}");
            }
        }

        // How a list is written does not matter: quotes around a whole value, blanks and comments are spelling.
        static string Canonical(string list) => list.Replace("\"", "", StringComparison.Ordinal).Replace("(note)", "", StringComparison.Ordinal).Replace(" ", "", StringComparison.Ordinal).Replace("\\", "", StringComparison.Ordinal).Trim();
    }

    private static Gen<string> Rules(Gen<string> patterns, Gen<string> flags, bool hasSecond)
    {
        Gen<string> pattern = Gen.Select(OneOf("", "", "", "!", "! !"), patterns, flags, (not, p, f) => $"{not}/{p}/{f}");
        Gen<string> second = hasSecond ? Gen.OneOf(Gen.Const(""), Gen.Const(""), patterns.Select(p => $"!/{p}/")) : Gen.Const("");
        return Gen.Frequency(
            (8, Gen.Select(Noise, pattern, second, OneOf(" ", "\t", "\n "), Gen.OneOf(PatternValue, GroupValue), (n, p, o, s, v) => $"{n}{p}{o}{s}{v}\n")),
            (2, Gen.Select(OneOf("if ", "IF ", "if !"), patterns, flags, (i, p, f) => $"{i}/{p}/{f}\n")),
            (1, OneOf("endif\n", "EndIf\n")));
    }

    // Some generated tables with a list of keys for each; seeded, so that a failure comes again.
    private static (string[] Tables, string[][] Keys) Samples(Gen<string> line, Gen<string> key)
    {
        List<string> tables = [];
        List<string[]> keys = [];
        Gen.Select(line.Array[1, LinesInTable].Select(string.Concat), key.Array[60]).Sample((table, some) =>
        {
            tables.Add(table);
            keys.Add(some);
        }, iter: Rounds, threads: 1);
        return ([.. tables], [.. keys]);
    }

    private static async Task CheckAsync(string name, LookupType type, Gen<string> line, Gen<string> key, string? configuration)
    {
        string postmap = Peer.Require("postmap", "postfix");
        string[] options = configuration is null ? [] : ["-c", configuration];
        using TemporaryFolder folder = new();
        (string[] texts, string[][] keys) = Samples(line, key);
        int found = 0;
        for (int i = 0; i < texts.Length; i++)
        {
            string path = Path.Combine(folder.Path, $"{name}{i}");
            await File.WriteAllTextAsync(path, texts[i], TestContext.Current.CancellationToken);
            if (type == LookupType.Hash) await Peer.SucceedAsync(postmap, [$"hash:{path}"]);
            string[] asked = [.. keys[i].Distinct(StringComparer.Ordinal)];
            PeerResult answer = await Peer.RunAsync(postmap, [.. options, "-q", "-", $"{name}:{path}"], string.Join('\n', asked) + "\n", null);
            Dictionary<string, string> theirs = [];
            foreach (string row in answer.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries)) theirs[row[..row.IndexOf('\t', StringComparison.Ordinal)]] = row[(row.IndexOf('\t', StringComparison.Ordinal) + 1)..];
            TableContent ours = TableContent.Parse(type, path, texts[i], TimeSpan.FromSeconds(1));
            foreach (string one in asked)
            {
                string? value = ours.Find(one) is LookupResult.Found hit ? hit.Value : null;
                string? expected = theirs.GetValueOrDefault(one);
                Assert.True(value == expected, $"'{one}': postmap says '{expected}', we say '{value}'\n{answer.Errors}\n{string.Join('\n', ours.Problems)}\n{texts[i]}");
                if (value is not null) found++;
            }
        }
        Assert.True(found > 20, $"the tables said something about {found} keys only");
    }

    // A configuration in which Postfix has its plug-in for Perl's expressions: the system's, or one that was only unpacked.
    private static async Task<string?> WithPcreAsync(TemporaryFolder folder)
    {
        string postconf = Peer.Require("postconf", "postfix");
        if ((await Peer.RunAsync(postconf, "-m")).Output.Split('\n').Contains("pcre")) return null;
        string? peers = Environment.GetEnvironmentVariable("POSTHORN_PEERS");
        string plugin = Path.Combine(peers ?? "/nonexistent", "pcre/usr/lib/postfix/postfix-pcre.so");
        if (!File.Exists(plugin))
        {
            if (Environment.GetEnvironmentVariable("CI") == "true") Assert.Fail("needs Postfix's plug-in for pcre: install postfix-pcre, or run fetch-peers.sh and set POSTHORN_PEERS");
            Assert.Skip("needs Postfix's plug-in for pcre: install postfix-pcre, or run fetch-peers.sh and set POSTHORN_PEERS");
        }
        await File.WriteAllTextAsync(Path.Combine(folder.Path, "dynamicmaps.cf"), $"pcre {plugin} dict_pcre_open\n");
        await File.WriteAllTextAsync(Path.Combine(folder.Path, "main.cf"), $"compatibility_level = 3.6\nmeta_directory = {folder.Path}\n", Encoding.ASCII);
        return folder.Path;
    }

    private static Gen<string> OneOf(params string[] texts) => Gen.Int[0, texts.Length - 1].Select(i => texts[i]);
}
