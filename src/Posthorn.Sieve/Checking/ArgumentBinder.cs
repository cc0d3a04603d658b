using System.Globalization;
using Posthorn.Sieve.Language;
using Posthorn.Sieve.Running;
using Posthorn.Sieve.Syntax;

namespace Posthorn.Sieve.Checking;

/// <summary>Matches the arguments of one command with its grammar (RFC 5228 section 2.6).</summary>
internal sealed class ArgumentBinder(Compiler compiler, Bound bound, IReadOnlyList<SieveArgument> arguments)
{
    private readonly CommandSpec _spec = bound.Spec;
    private readonly List<SieveArgument> _positional = [];
    private bool _good = true;
    private string? _fail;

    /// <summary>A test stands where none may: it is what was meant as the argument that is missing, and is complained of elsewhere.</summary>
    public bool HasStrayTest { get; init; }

    /// <summary>The last argument is a tag without its value: what follows was meant as that.</summary>
    public bool HasLostValue { get; private set; }

    /// <summary>False when something was reported; <paramref name="fail"/> is an error that waits for run time.</summary>
    public bool Bind(out string? fail)
    {
        for (int i = 0; i < arguments.Count; i++)
        {
            if (arguments[i] is SieveArgument.Tag tag) i += Tag(tag, i + 1 < arguments.Count ? arguments[i + 1] : null);
            else _positional.Add(arguments[i]);
        }
        // A tag that is unknown may have had the argument that is now one too many.
        if (_good && _fail is null) Positional();
        fail = _fail;
        return _good;
    }

    // Gives the number of arguments that the tag took.
    private int Tag(SieveArgument.Tag tag, SieveArgument? next)
    {
        TagSpec? spec = _spec.FindTag(tag.Name);
        if (spec is null)
        {
            if (compiler.IsLenient && compiler.MayHoldUnknownNames) _fail = $"'{_spec.Name}' has no argument ':{tag.Name}'";
            else
            {
                string? near = Compiler.Suggest(tag.Name, _spec.Tags.Select(t => t.Name));
                Wrong(tag.At, $"'{_spec.Name}' has no argument ':{tag.Name}'", near is null ? null : $"did you mean ':{near}'?");
            }
            return 0;
        }
        if (_positional.Count > 0 && !spec.MayTrail) Wrong(tag.At, $"':{tag.Name}' must stand before the other arguments of '{_spec.Name}'");
        if (spec.Extension is { } extension && !Allow(extension, tag)) return spec.Kind == ArgumentKind.None ? 0 : 1;
        if (bound.Has(spec.Name)) Wrong(tag.At, $"':{tag.Name}' is given twice");
        else if (spec.Group is { } group && _spec.Tags.FirstOrDefault(t => t.Group == group && t != spec && bound.Has(t.Name)) is { } other)
            Wrong(tag.At, $"':{tag.Name}' cannot be used together with ':{other.Name}'");
        if (spec.Kind == ArgumentKind.None)
        {
            bound.SetTag(spec.Name, tag.At, null);
            return 0;
        }
        if (next is null or SieveArgument.Tag)
        {
            HasLostValue |= next is null;
            Wrong(tag.At, $"':{tag.Name}' must be followed by {Describe(spec.Kind)}");
            return 0;
        }
        if (Value(next, spec.Kind) is { } value) bound.SetTag(spec.Name, tag.At, value);
        else Wrong(next.At, $"':{tag.Name}' must be followed by {Describe(spec.Kind)}, found {Describe(next)}");
        return 1;
    }

    private bool Allow(string extension, SieveArgument.Tag tag)
    {
        if (compiler.IsRequired(extension))
        {
            compiler.Use(extension);
            return true;
        }
        if (compiler.IsLenient)
        {
            // Found by ihave or not, that is known at run time only: the value is bound, and the command checks.
            bound.Gates.Add(extension);
            return true;
        }
        Wrong(tag.At, $"':{tag.Name}' needs the extension \"{extension}\"", $"add require \"{extension}\";");
        return false;
    }

    private void Positional()
    {
        int needed = _spec.Parameters.Count(p => !p.IsOptional);
        int all = _spec.Parameters.Count;
        int given = _positional.Count;
        if (given < needed && HasStrayTest) _good = false;
        else if (given < needed || given > all)
        {
            string want = all == needed ? Number(needed) : $"{Number(needed)} or {Number(all)}";
            string names = all == 0 ? "" : $" ({string.Join(", ", _spec.Parameters.Select(p => p.Name))})";
            if (given > all && all > 0) Wrong(_positional[all].At, $"'{_spec.Name}' takes {want} arguments{names}, this is one too many");
            else if (given > all) Wrong(_positional[0].At, $"'{_spec.Name}' takes no argument here", _positional[0] is SieveArgument.Text ? "is a tag or a ';' missing before it?" : null);
            else Wrong(bound.At, $"'{_spec.Name}' needs {want} argument{(needed == 1 && all == 1 ? "" : "s")}{names}, found {Number(given)}");
        }
        if (!_good) return;
        bool skipOptional = given < all;
        int i = 0;
        foreach (ParamSpec parameter in _spec.Parameters)
        {
            if (parameter.IsOptional && skipOptional) continue;
            SieveArgument argument = _positional[i++];
            if (Value(argument, parameter.Kind) is { } value) bound.SetParameter(parameter.Name, argument.At, value);
            else Wrong(argument.At, $"the argument {parameter.Name} of '{_spec.Name}' must be {Describe(parameter.Kind)}, found {Describe(argument)}");
        }
    }

    private static string Number(int number) => number.ToString(CultureInfo.InvariantCulture);

    private object? Value(SieveArgument argument, ArgumentKind kind) => (kind, argument) switch
    {
        (ArgumentKind.Number, SieveArgument.Number number) => number.Value,
        (ArgumentKind.Text or ArgumentKind.TextList, SieveArgument.Text text) => new TextListExpr([Compile(text)]),
        (ArgumentKind.TextList, SieveArgument.TextList list) => new TextListExpr(list.Items.Select(Compile)),
        _ => null,
    };

    private TextExpr Compile(SieveArgument.Text text) => StringCompiler.Compile(compiler, text);

    private void Wrong(SourcePosition at, string message, string? advice = null)
    {
        // Further complaints about one command follow from the first.
        if (_good) compiler.Diagnostics.Error(at, message, advice);
        _good = false;
    }

    private static string Describe(ArgumentKind kind) => kind switch
    {
        ArgumentKind.Number => "a number",
        ArgumentKind.Text => "a string",
        _ => "a string or a list of strings",
    };

    private static string Describe(SieveArgument argument) => argument switch
    {
        SieveArgument.Number => "a number",
        SieveArgument.Text => "a string",
        SieveArgument.TextList => "a list",
        _ => "a tag",
    };
}
