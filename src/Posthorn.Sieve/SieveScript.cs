using Posthorn.Sieve.Running;
using Posthorn.Sieve.Syntax;

namespace Posthorn.Sieve;

/// <summary>A script that has been checked and can be run, any number of times and by many at once.</summary>
public sealed class SieveScript
{
    internal SieveScript(string name, SieveTree tree, IReadOnlySet<string> required)
    {
        Name = name;
        Tree = tree;
        Required = required;
    }

    /// <summary>The name in errors and traces.</summary>
    public string Name { get; }

    /// <summary>The script as written.</summary>
    public SieveTree Tree { get; }

    /// <summary>The extensions that it requires.</summary>
    public IReadOnlySet<string> Required { get; }

    internal Op[] Body { get; set; } = [];

    internal int VariableCount { get; set; }
}

/// <summary>What compiling a script gave: the script, or errors; and warnings.</summary>
public sealed record SieveCompilation(SieveScript? Script, IReadOnlyList<SieveDiagnostic> Diagnostics)
{
    public bool IsOk => Script is not null;

    public IEnumerable<SieveDiagnostic> Errors => Diagnostics.Where(d => d.Severity == SieveSeverity.Error);

    public IEnumerable<SieveDiagnostic> Warnings => Diagnostics.Where(d => d.Severity == SieveSeverity.Warning);
}
