using CsCheck;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Posthorn.Directory.Lookups;

namespace Posthorn.Directory.Tests.Lookups;

/// <summary>What is written in Postfix's text maps, and how it is read.</summary>
public sealed class TableTests
{
    private static string? Ask(LookupType type, string text, string key) => Parse(type, text).Find(key) is LookupResult.Found found ? found.Value : null;

    private static TableContent Parse(LookupType type, string text) => TableContent.Parse(type, "t", text, TimeSpan.FromMilliseconds(100));

    [Theory]
    [InlineData("a b", "a", "b")]
    [InlineData("a b", "A", "b")]
    [InlineData("A b\n", "a", "b")]
    [InlineData("# x\n\na  b c \n", "a", "b c")]
    [InlineData("a b\n# x\n  c\n\nd e", "a", "b  c")]
    [InlineData("a b\r\nd e\r\n", "d", "e")]
    [InlineData("a b\na c", "a", "b")]
    [InlineData("a", "a", null)]
    public void Keys_and_values(string text, string key, string? value) => Assert.Equal(value, Ask(LookupType.Hash, text, key));

    [Theory]
    [InlineData("192.0.2.0/24 x", "192.0.2.7", "x")]
    [InlineData("192.0.2.0/24 x", "192.0.3.7", null)]
    [InlineData("2001:db8::/32 x", "2001:db8:1::1", "x")]
    [InlineData("!192.0.2.0/24 x", "192.0.3.7", "x")]
    [InlineData("!192.0.2.0/24 x", "2001:db8::1", null)]
    [InlineData("if 192.0.2.0/24\n192.0.2.1 a\n!192.0.2.9 b\nendif\n0.0.0.0/0 c", "192.0.2.9", "c")]
    [InlineData("if !192.0.2.0/24\n0.0.0.0/0 out\nendif\n0.0.0.0/0 in", "192.0.2.9", "in")]
    [InlineData("192.0.2.1 x", "hello", null)]
    [InlineData("[2001:db8::]/32 x", "2001:db8::5", "x")]
    public void Networks(string text, string key, string? value) => Assert.Equal(value, Ask(LookupType.Cidr, text, key));

    [Theory]
    [InlineData("/^(.*)@old\\.example$/ $1@new.example", "Ann@OLD.example", "Ann@new.example")]
    [InlineData("/^a/i x", "A", null)]
    [InlineData("!/@example\\.org$/ other", "ann@example.com", "other")]
    [InlineData("if /@example\\.org$/\n/^ann/ x\nendif\n/./ y", "bob@example.org", "y")]
    [InlineData("if !/@example\\.org$/\n/^ann/ x\nendif\n/./ y", "ann@example.net", "x")]
    [InlineData("/^(a)(b)?$/ ${1}-$(2)!", "a", "a-!")]
    [InlineData("/a/ cost $$5", "a", "cost $5")]
    [InlineData("/[[:digit:]]{2,3}/ x", "a12", "x")]
    [InlineData("/a/!/b/ x", "ab", null)]
    [InlineData("/a/!/b/ x", "ac", "x")]
    [InlineData("!/a/!/b/ x", "c", "x")]
    [InlineData("|^/etc| x", "/etc/passwd", "x")]
    public void Posix_patterns(string text, string key, string? value) => Assert.Equal(value, Ask(LookupType.Regexp, text, key));

    [Theory]
    [InlineData("/^(?!owner-)(.*)-list@(.*)$/ $1@$2", "x-list@example.org", "x@example.org")]
    [InlineData("/^(?!owner-)(.*)-list@(.*)$/ $1@$2", "owner-x-list@example.org", null)]
    [InlineData("/\\d+@/ digits", "a1@b", "digits")]
    [InlineData("/a b/x x", "ab", "x")]
    [InlineData("/b/A x", "ab", null)]
    [InlineData("/^(?P<who>a+)@/ $1", "aa@b", "aa")]
    [InlineData("/^\\Qa.b\\E$/ x", "axb", null)]
    public void Perl_patterns(string text, string key, string? value) => Assert.Equal(value, Ask(LookupType.Pcre, text, key));

    [Theory]
    [InlineData(LookupType.Hash, "a\n", "t:1: 'a' has no value; expected 'key value'. Not used")]
    [InlineData(LookupType.Hash, "  a b\n", "t:1: the line begins with white space but there is no line that it could continue; not used")]
    [InlineData(LookupType.Cidr, "\n192.0.2.1/24 x", "t:2: '192.0.2.1/24' has bits behind its prefix; write 192.0.2.0/24; not used")]
    [InlineData(LookupType.Cidr, "10 x", "t:1: '10' is not an address or a network such as 192.0.2.0/24 or 2001:db8::/32; not used")]
    [InlineData(LookupType.Cidr, "endif", "t:1: 'endif' has no 'if'; not used")]
    [InlineData(LookupType.Regexp, "/a x", "t:1: the pattern has no closing /; not used")]
    [InlineData(LookupType.Regexp, "/a/q x", "t:1: 'q' is no flag of a regexp table; known are i, m, x; not used")]
    [InlineData(LookupType.Regexp, "/a/ $1", "t:1: the value has $1, but the pattern has only 0 groups; not used")]
    [InlineData(LookupType.Regexp, "!/(a)/ $1", "t:1: the value has $1, but a pattern that must not match has no groups; not used")]
    [InlineData(LookupType.Regexp, "/(a)/ $x", "t:1: '$x' in the value names no group of the pattern; write $1, ${1}, or $$ for a dollar sign; not used")]
    [InlineData(LookupType.Regexp, "a b", "t:1: 'a b' is no rule; expected '/pattern/flags value', 'if /pattern/' or 'endif'; not used")]
    [InlineData(LookupType.Regexp, "if /a/\n/b/ x", "t:1: the 'if' has no 'endif'; it holds to the end of the file")]
    [InlineData(LookupType.Pcre, "/a/U x", "t:1: the flag U (short matches first) is not supported; write *? and +? in the pattern; not used")]
    public void Mistakes_are_named_with_their_line(LookupType type, string text, string problem) => Assert.Equal(problem, Assert.Single(Parse(type, text).Problems).ToString());

    /// <summary>The longest match counts for the groups, as in glibc; with assertions in the midst the first.</summary>
    [Theory]
    [InlineData("/(a|ab)(c|bcd)?/ $1,$2", "abcd", "a,bcd")]
    [InlineData("/(a|ann)(a?)/ $1,$2", "xanna", "ann,a")]
    [InlineData("/(ex|exam)(p?)/ $1,$2", "example", "exam,p")]
    [InlineData("/^(a|ab)/ $1", "abab", "ab")]
    [InlineData("/x|(a|ab|ab$)/ $1", "abc", "a")]
    public void Groups_are_those_of_the_longest_match(string rule, string key, string value) =>
        Assert.Equal(value, Assert.IsType<LookupResult.Found>(TableContent.Parse(LookupType.Regexp, "t", rule + "\n", TimeSpan.FromSeconds(1)).Find(key)).Value);

    [Fact]
    public void A_pattern_that_explodes_is_linear_or_has_a_deadline()
    {
        string key = new string('a', 2000) + "!";
        Assert.IsType<LookupResult.Absent>(Parse(LookupType.Regexp, "/^(a+)+$/ x").Find(key));
        // Back references and look-ahead need backtracking: there the deadline ends it, and the answer is temporary.
        LookupResult.Unavailable slow = Assert.IsType<LookupResult.Unavailable>(Parse(LookupType.Pcre, "/^(?=a)(a+)+\\1?b$/ x").Find(key));
        Assert.StartsWith("t:1: the pattern thought too long", slow.Why, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_changed_file_is_read_and_a_broken_one_keeps_the_last_good_table()
    {
        string path = Path.GetTempFileName();
        try
        {
            FakeTimeProvider time = new(new DateTimeOffset(2026, 5, 1, 12, 0, 0, TimeSpan.Zero));
            int writes = 0;
            Write("a 1\n");
            LookupTables tables = new(new() { Tables = new Dictionary<string, LookupSource> { ["t"] = new(LookupType.Hash, path) } }, time, NullLogger.Instance);
            ILookupTable table = tables.Find("t")!;
            Assert.Equal(new LookupResult.Found("1"), await AskAsync("a"));
            Write("a 2\n");
            Assert.Equal(new LookupResult.Found("2"), await AskAsync("a"));
            Write("a 3\nbroken\n");
            Assert.Equal(new LookupResult.Found("2"), await AskAsync("a"));
            Assert.Equal([$"{path}:2: 'broken' has no value; expected 'key value'. Not used", $"{path}: the file has mistakes; the table that was last read without them stays in use"],
                tables.Problems.Select(static p => p.ToString()));
            File.Delete(path);
            Assert.Equal(new LookupResult.Found("2"), await AskAsync("a"));
            Write("a 4\n");
            Assert.Equal(new LookupResult.Found("4"), await AskAsync("a"));
            Assert.Empty(tables.Problems);
            Assert.Null(tables.Find("u"));

            void Write(string text)
            {
                File.WriteAllText(path, text);
                File.SetLastWriteTimeUtc(path, new DateTime(2026, 4, 1, 0, 0, 0, DateTimeKind.Utc).AddMinutes(++writes));
            }
            async Task<LookupResult> AskAsync(string key)
            {
                time.Advance(TimeSpan.FromSeconds(1));
                return await table.FindAsync(key, TestContext.Current.CancellationToken);
            }
        }
        finally { File.Delete(path); }
    }

    [Fact]
    public async Task A_table_that_was_never_read_cannot_say()
    {
        LookupTables tables = new(new() { Tables = new Dictionary<string, LookupSource> { ["t"] = new(LookupType.Hash, "/nonexistent/table") } }, TimeProvider.System, NullLogger.Instance);
        Assert.IsType<LookupResult.Unavailable>(await tables.Find("t")!.FindAsync("a", TestContext.Current.CancellationToken));
        Assert.Equal("/nonexistent/table: does not exist", Assert.Single(tables.Problems).ToString());
    }

    [Fact]
    public void A_word_of_a_backslash_alone_is_no_address() => Assert.Contains("an address is empty", Assert.Single(Parse(LookupType.Aliases, "ann: \\, bob\n").Problems).ToString(), StringComparison.Ordinal);

    [Fact]
    public void Any_text_is_read_without_an_exception() => Gen.Select(
        Gen.Enum<LookupType>(),
        Gen.OneOf(Gen.String, OneOf("/a/ b\n", "if /x/\n", "endif\n", "!/(a|b)*/ $1\n", "[", "\\", "(", ")", "{1,", "[[:alpha:]", "$", "*", "192.0.2.0/24 x\n", "a: b\n", "\"", ":include:/x\n", " ", "\n", "(?", "\\1", "++", "^")).Array[0, 12].Select(string.Concat),
        Gen.String).Sample((type, text, key) =>
        {
            TableContent table = Parse(type, text);
            Assert.NotNull(table.Find(key));
            Assert.InRange(table.Problems.Count, 0, text.Length + 1);
        }, iter: 3000);

    private static Gen<string> OneOf(params string[] texts) => Gen.Int[0, texts.Length - 1].Select(i => texts[i]);
}
