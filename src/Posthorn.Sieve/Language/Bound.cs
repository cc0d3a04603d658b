using Posthorn.Sieve.Checking;
using Posthorn.Sieve.Running;

namespace Posthorn.Sieve.Language;

/// <summary>The arguments of one command, matched with its grammar.</summary>
internal sealed class Bound(CommandSpec spec, SourcePosition at, Compiler compiler)
{
    private readonly Dictionary<string, (SourcePosition At, object? Value)> _tags = new(StringComparer.OrdinalIgnoreCase);
    private readonly Dictionary<string, (SourcePosition At, object Value)> _parameters = [];

    public CommandSpec Spec { get; } = spec;

    public SourcePosition At { get; } = at;

    public Compiler Compiler { get; } = compiler;

    public List<Cond> Tests { get; } = [];

    public Op[] Block { get; set; } = [];

    public void SetTag(string name, SourcePosition at, object? value) => _tags[name] = (at, value);

    public void SetParameter(string name, SourcePosition at, object value) => _parameters[name] = (at, value);

    /// <summary>Extensions of tags that ihave must have found when the command runs.</summary>
    public List<string> Gates { get; } = [];

    public bool Has(string tag) => _tags.ContainsKey(tag);

    public SourcePosition TagAt(string tag) => _tags.TryGetValue(tag, out (SourcePosition At, object? Value) found) ? found.At : At;

    public TextExpr? TagText(string tag) => _tags.TryGetValue(tag, out (SourcePosition At, object? Value) found) ? ((TextListExpr)found.Value!).Items[0] : null;

    public TextListExpr? TagList(string tag) => _tags.TryGetValue(tag, out (SourcePosition At, object? Value) found) ? (TextListExpr)found.Value! : null;

    public long? TagNumber(string tag) => _tags.TryGetValue(tag, out (SourcePosition At, object? Value) found) ? (long)found.Value! : null;

    public bool HasParameter(string name) => _parameters.ContainsKey(name);

    public SourcePosition ParameterAt(string name) => _parameters.TryGetValue(name, out (SourcePosition At, object Value) found) ? found.At : At;

    public TextExpr Text(string name) => List(name).Items[0];

    public TextListExpr List(string name) => (TextListExpr)_parameters[name].Value;

    public long Number(string name) => (long)_parameters[name].Value;

    public void Error(string message, string? advice = null) => Compiler.Diagnostics.Error(At, message, advice);

    public void Error(SourcePosition at, string message, string? advice = null) => Compiler.Diagnostics.Error(at, message, advice);

    public void Warn(SourcePosition at, string message, string? advice = null) => Compiler.Diagnostics.Warn(at, message, advice);
}
