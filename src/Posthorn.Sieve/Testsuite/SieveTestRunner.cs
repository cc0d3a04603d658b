using System.Globalization;
using Posthorn.Sieve.Matching;
using Posthorn.Sieve.Running;

namespace Posthorn.Sieve.Testsuite;

/// <summary>What the test tool needs of the world: files, and programs for those who test pipe, filter and execute.</summary>
public interface ISieveTestWorld
{
    /// <summary>The directory of a file, absolute.</summary>
    string DirectoryOf(string path);

    /// <summary>A path relative to a directory.</summary>
    string Resolve(string directory, string path);

    /// <summary>A file's content, or null when it cannot be read.</summary>
    ReadOnlyMemory<byte>? Read(string path);

    /// <summary>Runs a program of a directory; null when there is none of that name.</summary>
    (bool IsOk, ReadOnlyMemory<byte> Output)? Run(SieveTestProgram program);
}

/// <summary>A program to run: one of a directory, by name, with its input. A timeout of zero waits for it.</summary>
public sealed record SieveTestProgram(string Directory, string Name, IReadOnlyList<string> Arguments, ReadOnlyMemory<byte> Input, TimeSpan Timeout)
{
    /// <summary>The variables of its environment, beside the search path.</summary>
    public IReadOnlyDictionary<string, string> Environment { get; init; } = new Dictionary<string, string>();
}

/// <summary>Runs <c>.svtest</c> files: Sieve scripts that require vnd.dovecot.testsuite.</summary>
public sealed class SieveTestRunner(ISieveTestWorld world, SieveMessageParser parser, TimeProvider time, TextWriter output)
{
    // Before lines of a template that hold for those who take addresses in UTF-8, as we do.
    private const string TemplateMark = "#UTF8#";

    // A test file that runs longer than this hangs.
    private static readonly TimeSpan MaxFileTime = TimeSpan.FromMinutes(10);

    /// <summary>Log one error more for each script that cannot be compiled, as Pigeonhole does: its own test files count it.</summary>
    public bool CountsFailedCompilation { get; init; }

    /// <summary>Runs the files one after another; 0 when all tests of all went well.</summary>
    public int Run(IReadOnlyList<string> files)
    {
        int all = 0;
        int failed = 0;
        foreach (string file in files)
        {
            if (files.Count > 1) output.WriteLine($"Test case: {file}");
            TestState state = RunFile(file);
            all += state.Count;
            failed += state.Failures;
        }
        output.WriteLine(failed == 0
            ? string.Create(CultureInfo.InvariantCulture, $"PASS: {all} tests succeeded.")
            : string.Create(CultureInfo.InvariantCulture, $"FAIL: {failed} of {all} tests failed."));
        return failed == 0 ? 0 : 1;
    }

    private TestState RunFile(string file)
    {
        TestState state = new(world, parser, time, output, file, CountsFailedCompilation);
        if (world.Read(file) is not { } source)
        {
            state.Abort($"{file} is not there, or cannot be read");
            return state;
        }
        if (file.EndsWith(".in", StringComparison.Ordinal)) source = SieveText.ToUtf8(SieveText.FromUtf8(source.Span).Replace(TemplateMark, "", StringComparison.Ordinal));
        SieveCompilation compiled = SieveCompiler.Compile(source.Span, file, state.Settings);
        if (compiled.Script is not { } script)
        {
            state.Abort("the file cannot be compiled");
            foreach (SieveDiagnostic error in compiled.Errors) output.WriteLine($"  {file}:{error}");
            return state;
        }
        StepBudget budget = new(long.MaxValue / 4, MaxFileTime, time);
        Execution x = new(state.Message, state.Context, state.Settings, state.Answer, budget) { Tests = state, Namespaces = state.Variable };
        state.Main = x;
        try
        {
            SieveInterpreter.Attempt(x, [script], out SieveError? error);
            if (error is not null) state.Abort($"{error.Message} (at {error.At})");
        }
        catch (TestFailedException failed)
        {
            state.Abort(failed.Message);
        }
        return state;
    }
}

/// <summary>test_fail: ends the block it stands in, or the file.</summary>
#pragma warning disable CA1032, CA1064 // Made and caught in this assembly only.
internal sealed class TestFailedException(string reason) : Exception(reason);
#pragma warning restore CA1032, CA1064
