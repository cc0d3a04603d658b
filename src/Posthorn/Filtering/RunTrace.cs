using Posthorn.Sieve;

namespace Posthorn.Filtering;

/// <summary>Keeps what an evaluation did, step by step. Bounded: a long loop must not fill memory.</summary>
internal sealed class RunTrace : ISieveTrace
{
    /// <summary>More steps than anybody reads.</summary>
    private const int MaxSteps = 100_000;

    /// <summary>A value in a trace: enough to know it again.</summary>
    private const int MaxValue = 200;

    private readonly List<TraceStep> _steps = [];

    public IReadOnlyList<TraceStep> Steps => _steps;

    /// <summary>Some steps were too many to keep.</summary>
    public bool IsCut { get; private set; }

    public void Begin()
    {
        _steps.Clear();
        IsCut = false;
    }

    public void Command(string script, SourcePosition at, string name) => Add(new("command", script, at.Line, at.Column, name, null, null, null));

    public void Test(string script, SourcePosition at, string name, bool result) => Add(new("test", script, at.Line, at.Column, name, null, null, result));

    public void Compare(string script, string value, string key, bool result) => Add(new("compare", script, null, null, null, Short(value), Short(key), result));

    private void Add(TraceStep step)
    {
        if (_steps.Count < MaxSteps) _steps.Add(step);
        else IsCut = true;
    }

    private static string Short(string text) => SieveText.Truncate(text, MaxValue) is { } start && start.Length < text.Length ? start + "…" : text;
}

/// <summary>One step: a command that was reached, a comparison of a value with a key, or a test that ended. A test's comparisons stand before it.</summary>
internal sealed record TraceStep(string Kind, string Script, int? Line, int? Column, string? Name, string? Value, string? Key, bool? Result);
