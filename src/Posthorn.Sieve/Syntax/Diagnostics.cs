namespace Posthorn.Sieve.Syntax;

/// <summary>Gathers the remarks on one script, bounded, in the order of their places.</summary>
internal sealed class Diagnostics(int maxErrors)
{
    private readonly List<SieveDiagnostic> _all = [];

    public int Errors { get; private set; }

    public bool IsFull => Errors >= maxErrors;

    public void Error(SourcePosition at, string message, string? advice = null)
    {
        if (IsFull) return;
        Errors++;
        _all.Add(new(SieveSeverity.Error, at, message, advice));
    }

    public void Warn(SourcePosition at, string message, string? advice = null)
    {
        if (_all.Count < maxErrors * 2) _all.Add(new(SieveSeverity.Warning, at, message, advice));
    }

    public IReadOnlyList<SieveDiagnostic> ToList() =>
        [.. _all.Select((d, i) => (d, i)).OrderBy(p => p.d.At.Line).ThenBy(p => p.d.At.Column).ThenBy(p => p.i).Select(p => p.d)];
}
