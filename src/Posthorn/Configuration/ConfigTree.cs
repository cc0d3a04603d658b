namespace Posthorn.Configuration;

/// <summary>A place in a configuration file; line and column from 1.</summary>
public readonly record struct ConfigPlace(string File, int Line, int Column)
{
    public override string ToString() => $"{File}:{Line}:{Column}";
}

/// <summary>A mistake: where, what was found, what was expected and what to do. A warning does not keep the server from starting.</summary>
public sealed record ConfigProblem(ConfigPlace Place, string Text, bool IsWarning = false)
{
    public override string ToString() => $"{Place}: {(IsWarning ? "warning: " : "")}{Text}";
}

/// <summary>A value in a configuration file, with its place.</summary>
public abstract record ConfigValue(ConfigPlace Place)
{
    /// <summary>What it is, for messages.</summary>
    public abstract string Kind { get; }

    public sealed record Text(string Value, ConfigPlace Place) : ConfigValue(Place)
    {
        public override string Kind => $"the text \"{Shown(Value)}\"";

        // Long or binary values must not flood the terminal.
        private static string Shown(string value)
        {
            string plain = string.Concat(value.Take(60).Select(c => char.IsControl(c) ? '\uFFFD' : c));
            return value.Length > 60 ? plain + "…" : plain;
        }
    }

    public sealed record Number(long Value, ConfigPlace Place) : ConfigValue(Place)
    {
        public override string Kind => $"the number {Value}";
    }

    public sealed record Switch(bool Value, ConfigPlace Place) : ConfigValue(Place)
    {
        public override string Kind => Value ? "true" : "false";
    }

    public sealed record List(IReadOnlyList<ConfigValue> Items, ConfigPlace Place) : ConfigValue(Place)
    {
        public override string Kind => "a list";
    }

    public sealed record Table(ConfigPlace Place) : ConfigValue(Place)
    {
        /// <summary>Keys in file order, each with the place of the key itself.</summary>
        public Dictionary<string, (ConfigPlace Place, ConfigValue Value)> Items { get; } = new(StringComparer.Ordinal);
        public override string Kind => "a table";
    }

    /// <summary>A kind that no setting takes: floating point, dates.</summary>
    public sealed record Other(string Name, ConfigPlace Place) : ConfigValue(Place)
    {
        public override string Kind => Name;
    }
}
