namespace Posthorn.Sieve.Language;

internal enum CommandKind
{
    Control,
    Action,
    Test,
}

internal enum ArgumentKind
{
    None,
    Number,
    Text,
    TextList,
}

/// <summary>How many tests a command or test takes.</summary>
internal enum TestArity
{
    None,
    One,
    List,
}

/// <summary>A tagged argument. Tags of one group exclude each other.</summary>
/// <param name="Extension">What must be required besides the command's own extension.</param>
internal sealed record TagSpec(string Name, ArgumentKind Kind = ArgumentKind.None, string? Group = null, string? Extension = null)
{
    /// <summary>May stand after the positional arguments too, as RFC 8580 section 5 shows it.</summary>
    public bool MayTrail { get; init; }
}

/// <summary>A positional argument.</summary>
internal sealed record ParamSpec(string Name, ArgumentKind Kind, bool IsOptional = false);

/// <summary>The grammar of one command or test, and how it is compiled.</summary>
internal sealed class CommandSpec(string name, CommandKind kind, params string[] extensions)
{
    public string Name { get; } = name;

    public CommandKind Kind { get; } = kind;

    /// <summary>Any one of these must be required; none for the base language.</summary>
    public string[] Extensions { get; } = extensions;

    public IReadOnlyList<TagSpec> Tags { get; init; } = [];

    public IReadOnlyList<ParamSpec> Parameters { get; init; } = [];

    public TestArity Tests { get; init; }

    public bool HasBlock { get; init; }

    /// <summary>Makes the command; null when what was found wrong has been reported.</summary>
    public Func<Bound, Running.Op?>? Build { get; init; }

    /// <summary>Makes the test.</summary>
    public Func<Bound, Running.Cond?>? BuildTest { get; init; }

    /// <summary>The command of the same name in the extension whose place this one's has taken; chosen where that is required.</summary>
    public CommandSpec? Elder { get; init; }

    public TagSpec? FindTag(string tag)
    {
        foreach (TagSpec spec in Tags)
            if (spec.Name.Equals(tag, StringComparison.OrdinalIgnoreCase)) return spec;
        return null;
    }
}
