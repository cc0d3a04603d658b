namespace Posthorn.Sieve;

/// <summary>How much a remark on a script matters.</summary>
public enum SieveSeverity
{
    /// <summary>The script cannot be used.</summary>
    Error,
    /// <summary>Legal, and likely not what was meant.</summary>
    Warning,
}

/// <summary>A place in a script, from 1.</summary>
public readonly record struct SourcePosition(int Line, int Column)
{
    public override string ToString() => $"{Line}:{Column}";
}

/// <summary>One remark on a script: where, what was found, and what to do about it.</summary>
public sealed record SieveDiagnostic(SieveSeverity Severity, SourcePosition At, string Message, string? Advice = null)
{
    /// <summary>As compilers print it: <c>line:column: error: message (advice)</c>.</summary>
    public override string ToString()
    {
        string kind = Severity == SieveSeverity.Error ? "error" : "warning";
        return Advice is null ? $"{At}: {kind}: {Message}" : $"{At}: {kind}: {Message} ({Advice})";
    }
}
