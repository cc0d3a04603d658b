using System.Text;
using Posthorn.Sieve.Tests.Messages;
using Posthorn.Sieve.Testsuite;
using Posthorn.Transport.Filtering;

namespace Posthorn.Sieve.Tests.Testsuite;

public sealed class SieveTestRunnerTests
{
    private static string Folder => Path.Combine(AppContext.BaseDirectory, "svtest");

    public static TheoryData<string> Files => [.. Directory.GetFiles(Folder, "*.svtest").Select(f => Path.GetFileName(f)!).Order()];

    private static (int Status, string Output) Run(ISieveTestWorld world, params string[] files)
    {
        using StringWriter output = new();
        int status = new SieveTestRunner(world, MimeSieveMessage.Parse, TimeProvider.System, output).Run(files);
        return (status, output.ToString().ReplaceLineEndings("\n"));
    }

    [Theory]
    [MemberData(nameof(Files))]
    public void OurOwnFilesPass(string file)
    {
        (int status, string output) = Run(new DiskWorld(), Path.Combine(Folder, file));
        Assert.True(status == 0, output);
        Assert.DoesNotContain("PASS: 0", output);
    }

    private static (int Status, string Output) RunText(string text) => Run(new MemoryWorld(text), "/t/x.svtest");

    [Fact]
    public void TestsAreReportedOneByOne()
    {
        (int status, string output) = RunText("""
            require ["vnd.dovecot.testsuite", "variables"];
            test "good" { }
            test "bad" { set "why" "it broke"; if true { test_fail "${why}"; } test_fail "not reached"; }
            test "good again" { keep; }
            """);
        Assert.Equal(1, status);
        Assert.Equal(" 1: Test 'good' SUCCEEDED\n 2: Test 'bad' FAILED: it broke\n 3: Test 'good again' SUCCEEDED\nFAIL: 1 of 3 tests failed.\n", output);
    }

    [Theory]
    [InlineData("require \"vnd.dovecot.testsuite\"; nonsense;", "XX: Test CASE FAILED: the file cannot be compiled")]
    [InlineData("require \"vnd.dovecot.testsuite\"; test_fail \"here\";", "XX: Test CASE FAILED: here")]
    [InlineData("require \"vnd.dovecot.testsuite\"; test \"x\" { test_config_reload :extension \"nope\"; }", "XX: Test CASE FAILED: there is no extension")]
    [InlineData("require [\"vnd.dovecot.testsuite\", \"ihave\"]; test \"x\" { error \"y\"; }", "XX: Test CASE FAILED: y")]
    [InlineData("require \"vnd.dovecot.testsuite\"; test \"a\" { test \"b\" { } }", "XX: Test CASE FAILED: the file cannot be compiled")]
    public void AFileCanFailAsAWhole(string text, string expected)
    {
        (int status, string output) = RunText(text);
        Assert.Equal(1, status);
        Assert.Contains(expected, output);
    }

    // One for each mistake; and one more where Pigeonhole's own files are to be counted with.
    [Theory]
    [InlineData("keep; stop true;", 1)]
    [InlineData("fileinto true;", 1)]
    [InlineData("header \"a\" \"b\"; header \"a\" \"b\";", 2)]
    [InlineData("elsif true { } elsif true { } else { }", 1)]
    [InlineData("if true { require \"relional\"; }", 1)]
    [InlineData("stop \"frop\" true { keep; }", 2)]
    [InlineData("fileinto \"INBOX.${unicode:200000}\";", 1)]
    [InlineData("if size :under 18446744073709551615 { } if size :over 34359738368G { } if size :over 18446744073709551616 { }", 2)]
    [InlineData("if not address :comparator \"i;octet\" :value e \"to\" \"3\" { }", 1)]
    [InlineData("if mailboxexists \"${hex:ff}\" { }", 0)]
    [InlineData("notify \"snailto:x@example.org\";", 1)]
    [InlineData("include \"frop\"; include \"../frop\";", 2)]
    [InlineData("if ihave \"imapflags\" { addflags \"x\"; }", 2)]
    public void MistakesAreCountedOneByOne(string script, int errors)
    {
        string inner = "require [\"fileinto\", \"encoded-character\", \"mailbox\", \"enotify\", \"include\", \"relational\", \"ihave\", \"imap4flags\"]; " + script;
        if (!script.Contains("ihave", StringComparison.Ordinal)) inner = inner.Replace(", \"ihave\"", "", StringComparison.Ordinal);
        string test = $$"""
            require ["vnd.dovecot.testsuite", "relational", "comparator-i;ascii-numeric"];
            test "counted" { if test_script_compile "s.sieve" { } if not test_error :count "eq" :comparator "i;ascii-numeric" "NUMBER" { test_fail "wrong number"; } }
            """;
        foreach (bool alike in (bool[])[false, true])
        {
            using StringWriter output = new();
            int number = errors + (alike && errors > 0 ? 1 : 0);
            ISieveTestWorld world = new MemoryWorld(test.Replace("NUMBER", number.ToString(System.Globalization.CultureInfo.InvariantCulture), StringComparison.Ordinal), inner);
            Assert.True(new SieveTestRunner(world, PlainMessage.Parse, TimeProvider.System, output) { CountsFailedCompilation = alike }.Run(["/t/x.svtest"]) == 0, $"{script}: not {number}");
        }
    }

    [Fact]
    public void StopEndsTheFileWithoutFailure() =>
        Assert.Equal((0, "PASS: 0 tests succeeded.\n"), RunText("require \"vnd.dovecot.testsuite\"; test \"x\" { stop; } test \"y\" { test_fail \"z\"; }"));

    [Fact]
    public void AMissingFileFails() => Assert.Equal(1, Run(new MemoryWorld(""), "/t/other.svtest").Status);

    [Fact]
    public void ProgramsRunWhereADirectoryIsNamed() => Assert.Equal(0, RunText("""
        require ["vnd.dovecot.testsuite", "vnd.dovecot.execute", "vnd.dovecot.filter", "vnd.dovecot.pipe", "variables"];
        test_config_set "sieve_execute_bin_dir" "/bin-x";
        test_config_set "sieve_filter_bin_dir" "/bin-x";
        test_config_set "sieve_pipe_bin_dir" "/bin-x";
        test_config_reload;
        test "execute" {
            if not execute :input "abc" :output "out" "upper" ["x"] { test_fail "no"; }
            if not string :is "${out}" "ABC" { test_fail "${out}"; }
        }
        test "filter" {
            if not filter "upper" { test_fail "no"; }
            if not header :comparator "i;octet" "subject" "FROP!" { test_fail "same"; }
        }
        test "pipe" {
            pipe "upper";
            if not test_result_execute { test_fail "no"; }
            pipe "missing";
            if test_result_execute { test_fail "yes"; }
        }
        """).Status);

    private sealed class DiskWorld : ISieveTestWorld
    {
        public string DirectoryOf(string path) => Path.GetDirectoryName(Path.GetFullPath(path))!;
        public string Resolve(string directory, string path) => Path.GetFullPath(Path.Combine(directory, path));
        public ReadOnlyMemory<byte>? Read(string path) => File.Exists(path) ? (ReadOnlyMemory<byte>?)File.ReadAllBytes(path) : null;
        public (bool IsOk, ReadOnlyMemory<byte> Output)? Run(SieveTestProgram program) => null;
    }

    private sealed class MemoryWorld(string text, string? script = null) : ISieveTestWorld
    {
        public string DirectoryOf(string path) => "/t";
        public string Resolve(string directory, string path) => directory + "/" + path;
        public ReadOnlyMemory<byte>? Read(string path) =>
            path == "/t/x.svtest" ? (ReadOnlyMemory<byte>?)Encoding.UTF8.GetBytes(text) : path == "/t/s.sieve" && script is not null ? (ReadOnlyMemory<byte>?)Encoding.UTF8.GetBytes(script) : null;

        public (bool IsOk, ReadOnlyMemory<byte> Output)? Run(SieveTestProgram program) =>
            program.Name == "upper" ? (true, Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(program.Input.Span).ToUpperInvariant())) : null;
    }
}
