using System.Text.Json;
using Posthorn.Testing;

namespace Posthorn.Tests.Commands;

/// <summary><c>posthorn sieve check|run|testsuite</c> as a script would call them.</summary>
public sealed class SieveCommandTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private string Write(string name, string text)
    {
        string path = Path.Combine(_folder.Path, name);
        Folder.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, text);
        return path;
    }

    [Fact]
    public async Task Check_names_every_mistake_with_its_place_and_advice()
    {
        string bad = Write("bad.sieve", "fileinto \"Work\";\nkeeep;\nif header \"subject\" { discard; }\n"), good = Write("good.sieve", "keep;\n");
        (int status, string output, _) = await ProgramRun.RunAsync(null, "sieve", "check", bad, good);
        Assert.Equal(1, status);
        string[] lines = output.TrimEnd().Split('\n');
        Assert.StartsWith($"{bad}:1:1: error: 'fileinto' needs the extension \"fileinto\" (add require", lines[0], StringComparison.Ordinal);
        Assert.StartsWith($"{bad}:2:1: error: unknown command 'keeep' (did you mean 'keep'?)", lines[1], StringComparison.Ordinal);
        Assert.Contains(lines, l => l.StartsWith($"{bad}:3:", StringComparison.Ordinal));
        Assert.Equal([$"{bad}: 3 mistakes", $"{good}: good"], lines[^2..]);
    }

    [Fact]
    public async Task Check_tells_warnings_and_reads_standard_input_and_writes_JSON()
    {
        (int status, string output, _) = await ProgramRun.RunAsync("stop; keep;", "sieve", "check", "-", "--json");
        Assert.Equal(0, status);
        JsonElement report = JsonDocument.Parse(output).RootElement;
        Assert.True(report.GetProperty("good").GetBoolean());
        JsonElement warning = Assert.Single(report.GetProperty("files")[0].GetProperty("problems").EnumerateArray());
        Assert.Equal(("warning", 1, 7), (warning.GetProperty("severity").GetString(), warning.GetProperty("line").GetInt32(), warning.GetProperty("column").GetInt32()));
    }

    [Theory]
    [InlineData(1, "there is no such file", "sieve", "check", "/nowhere/x.sieve")]
    [InlineData(2, "FILE", "sieve", "check")]
    [InlineData(2, "FILE", "sieve", "testsuite")]
    [InlineData(2, "'x' is not an address", "sieve", "run", "/nowhere/x.sieve", "/nowhere/m.eml", "--to", "x")]
    public async Task Wrong_uses_have_their_status(int expected, string text, params string[] arguments)
    {
        (int status, string output, string errors) = await ProgramRun.RunAsync(null, arguments);
        Assert.Equal(expected, status);
        Assert.Contains(text, output + errors, StringComparison.Ordinal);
    }

    private const string Message = "From: ann@example.com\r\nTo: bob@example.org\r\nSubject: Frop!\r\n\r\nHello.\r\n";

    [Fact]
    public async Task Run_prints_the_actions_and_with_trace_each_test_with_its_values()
    {
        string script = Write("s.sieve", """
            require ["fileinto", "imap4flags"];
            if anyof (header :contains "subject" "frop", size :over 1M) {
                fileinto :flags "\\Seen" "Work";
                redirect "carl@example.net";
            }
            """);
        string message = Write("m.eml", Message);
        (int status, string output, _) = await ProgramRun.RunAsync(null, "sieve", "run", script, message, "--trace");
        Assert.Equal(0, status);
        Assert.Contains("\"Frop!\" against \"frop\": yes", output, StringComparison.Ordinal);
        Assert.Contains("test header: true", output, StringComparison.Ordinal);
        Assert.Contains("test anyof: true", output, StringComparison.Ordinal);
        Assert.EndsWith("  -> fileinto \"Work\" [\\Seen]\n  -> redirect to carl@example.net from <ann@example.com>\n", output.ReplaceLineEndings("\n"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Run_writes_JSON_for_many_messages_and_tells_run_time_errors()
    {
        string script = Write("s.sieve", "require [\"variables\", \"fileinto\", \"mailbox\", \"include\"];\nif mailboxexists \"Work\" { fileinto \"Work\"; }\nif header :is \"subject\" \"bad\" { redirect \"${x}\"; }\ninclude \"more\";\n");
        Write("more.sieve", "require \"fileinto\"; fileinto \"More\";");
        string good = Write("good.eml", Message), bad = Write("bad.eml", "Subject: bad\r\n\r\n");
        (int status, string output, _) = await ProgramRun.RunAsync(null, "sieve", "run", script, good, bad, "--json", "--trace", "--mailbox", "Work", "--from", "<>", "--to", "dora@example.org");
        Assert.Equal(1, status);
        JsonElement report = JsonDocument.Parse(output).RootElement;
        JsonElement first = report.GetProperty("messages")[0], second = report.GetProperty("messages")[1];
        Assert.Equal(["Work", "More"], first.GetProperty("actions").EnumerateArray().Select(a => a.GetProperty("mailbox").GetString()));
        // The evaluation was begun anew after each answer; the trace holds the last one only.
        Assert.Single(first.GetProperty("trace").EnumerateArray(), s => s.GetProperty("kind").GetString() == "test" && s.GetProperty("name").GetString() == "mailboxexists");
        Assert.Equal(3, second.GetProperty("error").GetProperty("line").GetInt32());
        Assert.Equal("keep", second.GetProperty("actions")[0].GetProperty("action").GetString());
        Assert.False(report.GetProperty("good").GetBoolean());
    }

    [Fact]
    public async Task Testsuite_reports_as_the_page_says()
    {
        string good = Write("good.svtest", "require \"vnd.dovecot.testsuite\";\ntest \"one\" { if not header \"subject\" \"Frop!\" { test_fail \"no\"; } }\n");
        string bad = Write("bad.svtest", "require \"vnd.dovecot.testsuite\";\ntest \"two\" { test_fail \"it broke\"; }\n");
        Assert.Equal((0, " 1: Test 'one' SUCCEEDED\nPASS: 1 tests succeeded.\n"), await TestsuiteAsync(good));
        Assert.Equal((1, " 1: Test 'two' FAILED: it broke\nFAIL: 1 of 1 tests failed.\n"), await TestsuiteAsync(bad));
        (int status, string output) = await TestsuiteAsync(good, bad);
        Assert.Equal(1, status);
        Assert.EndsWith("FAIL: 1 of 2 tests failed.\n", output, StringComparison.Ordinal);
        string missing = Path.Combine(_folder.Path, "missing.svtest");
        Assert.Equal((1, $"XX: Test CASE FAILED: {missing} is not there, or cannot be read\nFAIL: 1 of 1 tests failed.\n"), await TestsuiteAsync(missing));
    }

    [Fact]
    public async Task Testsuite_finds_scripts_beside_the_file_and_runs_programs_and_reads_templates()
    {
        string program = Write("bin/shout", "#!/bin/sh\ntr a-z A-Z\n[ \"$1\" != bad ]\n");
        File.SetUnixFileMode(program, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        Write("scripts/x.sieve", "require [\"include\", \"fileinto\"]; include \"p\"; include :global \"g\";");
        Write("included/p.sieve", "require \"fileinto\"; fileinto \"P\";");
        Write("included-global/g.sieve", "require \"fileinto\"; fileinto \"G\";");
        string file = Write("all.svtest.in", """
            require ["vnd.dovecot.testsuite", "vnd.dovecot.execute", "variables"];
            test_config_set "sieve_execute_bin_dir" "${tst.path}/bin";
            test_config_reload :extension "vnd.dovecot.execute";
            test "program" {
                if not execute :input "abc" :output "out" "shout" { test_fail "failed"; }
                if not string "${out}" "ABC" { test_fail "${out}"; }
                if execute "shout" ["bad"] { test_fail "its status counts"; }
                if execute "missing" { test_fail "there is none"; }
            }
            test "scripts" {
                if not allof (test_script_compile "scripts/x.sieve", test_script_run) { test_fail "no"; }
                if not allof (test_result_action :index 1 "store", test_result_action :index 2 "store") { test_fail "not both"; }
            }
            #UTF8#test "template" { }
            """);
        Assert.Equal((0, " 1: Test 'program' SUCCEEDED\n 2: Test 'scripts' SUCCEEDED\n 3: Test 'template' SUCCEEDED\nPASS: 3 tests succeeded.\n"), await TestsuiteAsync(file));
    }

    // The other test files of our own need no programs: Posthorn.Sieve.Tests has them.
    [Fact]
    public async Task Testsuite_runs_our_own_file_of_programs()
    {
        (int status, string output) = await TestsuiteAsync(Path.Combine(AppContext.BaseDirectory, "svtest", "programs.svtest"));
        Assert.EndsWith("PASS: 4 tests succeeded.\n", output, StringComparison.Ordinal);
        Assert.Equal(0, status);
    }

    private static async Task<(int Status, string Output)> TestsuiteAsync(params string[] files)
    {
        (int status, string output, _) = await ProgramRun.RunAsync(null, ["sieve", "testsuite", .. files]);
        return (status, output.ReplaceLineEndings("\n"));
    }
}
