using System.Globalization;
using Posthorn.Core;

namespace Posthorn.Configuration;

/// <summary>Reads settings out of one table. Every setting asked for is a known key; what is left over at the end is a mistake, and gets the nearest known key as advice.</summary>
/// <remarks>Problems are gathered, defaults returned in their place: one reading finds all mistakes.</remarks>
internal sealed class ConfigReader
{
    private readonly ConfigValue.Table _table;
    private readonly string _path;
    private readonly ConfigContext _context;
    private readonly HashSet<string> _known = new(StringComparer.Ordinal);

    public ConfigReader(ConfigValue.Table table, string path, ConfigContext context)
    {
        (_table, _path, _context) = (table, path, context);
    }

    /// <summary>What the whole reading gathers.</summary>
    public ConfigContext Context => _context;

    /// <summary>A key with its section, as messages name it.</summary>
    public string PathOf(string key) => _path + key;

    /// <summary>A path that is part of a setting's text; a relative one starts at the folder of the file that holds the setting.</summary>
    public string Absolute(string key, string path) => Absolute(path, PlaceOf(key));

    public string Text(string key, string fallback) => Find(key) switch
    {
        null => fallback,
        ConfigValue.Text text => text.Value,
        ConfigValue.Table table => Indirect(key, table) ?? fallback,
        { } other => Wrong(other, key, "a text in quotes", fallback),
    };

    public string? OptionalText(string key) => Find(key) is null ? null : Text(key, "");

    /// <summary>A path; a relative one starts at the folder of the file that holds it.</summary>
    public string? OptionalPath(string key)
    {
        if (OptionalText(key) is not { } text) return null;
        return Absolute(text, _table.Items[key].Value.Place);
    }

    public bool Flag(string key, bool fallback) => Find(key) switch
    {
        null => fallback,
        ConfigValue.Switch flag => flag.Value,
        { } other => Wrong(other, key, "true or false", fallback),
    };

    public int Number(string key, int fallback, int low, int high)
    {
        switch (Find(key))
        {
            case null: return fallback;
            case ConfigValue.Number number when number.Value >= low && number.Value <= high: return (int)number.Value;
            case { } other: return Wrong(other, key, $"a number from {low} to {high}", fallback);
        }
    }

    public int? OptionalNumber(string key, int low, int high) => Find(key) is null ? null : Number(key, low, low, high);

    /// <summary>Octets: a number, or a text such as <c>"50 MiB"</c>.</summary>
    public long Size(string key, long fallback, long low, long high)
    {
        ConfigValue? value = Find(key);
        long? octets = value switch
        {
            ConfigValue.Number number => number.Value,
            ConfigValue.Text text => Units.TryParseSize(text.Value, out long n) ? n : null,
            _ => null,
        };
        if (value is null) return fallback;
        return octets >= low && octets <= high ? octets.Value : Wrong(value, key, $"a size such as \"{Units.Size(fallback)}\", from {Units.Size(low)} to {Units.Size(high)}", fallback);
    }

    /// <summary>A time span: a text such as <c>"5m"</c>, <c>"30s"</c>, <c>"5d"</c>.</summary>
    public TimeSpan Duration(string key, TimeSpan fallback, TimeSpan low, TimeSpan high)
    {
        ConfigValue? value = Find(key);
        if (value is null) return fallback;
        if (value is ConfigValue.Text text && Units.TryParseDuration(text.Value, out TimeSpan span) && span >= low && span <= high) return span;
        return Wrong(value, key, $"a time such as \"{Units.Duration(fallback)}\", from {Units.Duration(low)} to {Units.Duration(high)}", fallback);
    }

    public IReadOnlyList<string> Texts(string key, IReadOnlyList<string> fallback)
    {
        ConfigValue? value = Find(key);
        if (value is null) return fallback;
        if (value is ConfigValue.Text one) return [one.Value];
        if (value is ConfigValue.List list && list.Items.All(i => i is ConfigValue.Text)) return [.. list.Items.Cast<ConfigValue.Text>().Select(t => t.Value)];
        return Wrong(value, key, "a list of texts", fallback);
    }

    /// <summary>One path or a list of paths.</summary>
    public IReadOnlyList<string> Paths(string key) =>
        [.. Texts(key, []).Select(t => Absolute(t, _table.Items[key].Value.Place))];

    /// <summary>One of the words given.</summary>
    public T Choice<T>(string key, T fallback, IReadOnlyDictionary<string, T> choices) where T : notnull
    {
        ConfigValue? value = Find(key);
        if (value is null) return fallback;
        if (value is ConfigValue.Text text && choices.TryGetValue(text.Value, out T? chosen)) return chosen;
        return Wrong(value, key, "one of " + string.Join(", ", choices.Keys.Select(k => $"\"{k}\"")), fallback);
    }

    public DomainName? OptionalDomain(string key)
    {
        ConfigValue? value = Find(key);
        if (value is null) return null;
        if (value is ConfigValue.Text text && DomainName.TryCreate(text.Value, out DomainName domain)) return domain;
        return Wrong<DomainName?>(value, key, "a domain name such as \"example.org\"", null);
    }

    /// <summary>The values of a list, each to be read by the caller; one value stands for a list of one.</summary>
    public IReadOnlyList<ConfigValue> Values(string key) => Find(key) switch
    {
        null => [],
        ConfigValue.List list => list.Items,
        { } one => [one],
    };

    /// <summary>A section; an absent one reads as empty, so that all its keys are known and all defaults given.</summary>
    public T Section<T>(string key, Func<ConfigReader, T> read)
    {
        ConfigValue.Table table = Find(key) switch
        {
            null => new(_table.Place),
            ConfigValue.Table found => found,
            { } other => Wrong(other, key, $"a section [{_path}{key}]", new ConfigValue.Table(other.Place)),
        };
        ConfigReader reader = new(table, $"{_path}{key}.", _context);
        T result = read(reader);
        reader.Finish();
        return result;
    }

    /// <summary>Sections that may stand several times, as <c>[[domain]]</c>.</summary>
    public IReadOnlyList<T> Sections<T>(string key, Func<ConfigReader, T?> read) where T : class
    {
        List<T> results = [];
        List<ConfigValue.Table> tables = [];
        foreach (ConfigValue value in Values(key))
        {
            if (value is ConfigValue.Table table) tables.Add(table);
            else Wrong(value, key, $"sections [[{_path}{key}]]", false);
        }
        if (tables.Count == 0 && _context.IsListingKeys) tables.Add(new(_table.Place));
        foreach (ConfigValue.Table table in tables)
        {
            ConfigReader reader = new(table, $"{_path}{key}.", _context);
            if (read(reader) is { } result) results.Add(result);
            reader.Finish();
        }
        return results;
    }

    public void Problem(string text, string? key = null)
    {
        ConfigPlace place = key is not null && _table.Items.TryGetValue(key, out (ConfigPlace Place, ConfigValue Value) item) ? item.Value.Place : _table.Place;
        _context.Add(place, text);
    }

    public void Problem(ConfigPlace place, string text) => _context.Add(place, text);

    public void Warning(ConfigPlace place, string text) => _context.Warn(place, text);

    /// <summary>Where a key's value stands; the table's own place when it is not set.</summary>
    public ConfigPlace PlaceOf(string key) => _table.Items.TryGetValue(key, out (ConfigPlace Place, ConfigValue Value) item) ? item.Value.Place : _table.Place;

    /// <summary>Where the table itself stands.</summary>
    public ConfigPlace Place => _table.Place;

    public bool Has(string key) => _table.Items.ContainsKey(key);

    /// <summary>Names every key that nobody asked for.</summary>
    public void Finish()
    {
        foreach ((string key, (ConfigPlace place, _)) in _table.Items)
        {
            if (_known.Contains(key)) continue;
            string? nearest = Spelling.Nearest(key, _known);
            string advice = nearest is not null ? $"; did you mean '{_path}{nearest}'?" : $"; known here: {string.Join(", ", _known.Order(StringComparer.Ordinal))}";
            _context.Add(place, $"unknown key '{_path}{key}'{advice}");
        }
    }

    private ConfigValue? Find(string key)
    {
        _known.Add(key);
        _context.Know(_path + key);
        return _table.Items.TryGetValue(key, out (ConfigPlace Place, ConfigValue Value) item) ? item.Value : null;
    }

    // { env = "NAME" } and { file = "path" } keep secrets out of the file.
    private string? Indirect(string key, ConfigValue.Table table)
    {
        if (table.Items.Count == 1 && table.Items.TryGetValue("env", out (ConfigPlace, ConfigValue Value) env) && env.Value is ConfigValue.Text name)
        {
            if (Environment.GetEnvironmentVariable(name.Value) is { } value) return value;
            _context.Add(table.Place, $"'{_path}{key}' takes its value from the environment variable {name.Value}, which is not set");
            return null;
        }
        if (table.Items.Count == 1 && table.Items.TryGetValue("file", out (ConfigPlace, ConfigValue Value) file) && file.Value is ConfigValue.Text path)
        {
            string full = Absolute(path.Value, table.Place);
            try { return File.ReadAllText(full).TrimEnd('\r', '\n'); }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                _context.Add(table.Place, $"'{_path}{key}' takes its value from {full}: {e.Message}");
                return null;
            }
        }
        Wrong(table, key, "a text in quotes, or { env = \"NAME\" } or { file = \"path\" }", false);
        return null;
    }

    private static string Absolute(string path, ConfigPlace place) =>
        Path.GetFullPath(path, Path.GetDirectoryName(Path.GetFullPath(place.File)) ?? "/");

    private T Wrong<T>(ConfigValue found, string key, string expected, T fallback)
    {
        _context.Add(found.Place, string.Create(CultureInfo.InvariantCulture, $"'{_path}{key}' is {found.Kind}; expected {expected}"));
        return fallback;
    }
}

/// <summary>What one reading of the configuration gathers.</summary>
internal sealed class ConfigContext
{
    private readonly List<ConfigProblem> _problems = [];
    private readonly SortedSet<string> _keys = new(StringComparer.Ordinal);

    /// <summary>Set to learn all keys: repeated sections are read once even when absent.</summary>
    public bool IsListingKeys { get; init; }

    /// <summary>Files of accounts and aliases need not be there.</summary>
    public bool MayLackFiles { get; init; }

    public IReadOnlyList<ConfigProblem> Problems => _problems;

    /// <summary>Every key that was asked for, with its section: <c>mail.home</c>.</summary>
    public IReadOnlyCollection<string> KnownKeys => _keys;

    /// <summary>The tables that the configuration names so far.</summary>
    public Dictionary<string, Posthorn.Directory.Lookups.LookupSource> Tables { get; } = new(StringComparer.Ordinal);

    /// <summary>Names of tables that settings use, to be checked when all tables are known.</summary>
    public List<(string Name, string Key, ConfigPlace Place)> TablesAsked { get; } = [];

    public void Add(ConfigPlace place, string text) => _problems.Add(new(place, text));

    public void Warn(ConfigPlace place, string text) => _problems.Add(new(place, text, IsWarning: true));

    public void Know(string key) => _keys.Add(key);
}
