using Posthorn.Directory.Lookups;

namespace Posthorn.Configuration;

/// <summary><c>[[lookup]]</c> and the tables that other settings name: by such a name, or as <c>type:/path</c> where they are used.</summary>
internal static class LookupBinder
{
    /// <summary>Reads the named tables.</summary>
    public static void Read(ConfigReader root)
    {
        foreach (string _ in root.Sections<string>("lookup", Table)) { /* each notes itself */ }
    }

    /// <summary>All tables, after everything that may name one has been read.</summary>
    public static IReadOnlyDictionary<string, LookupSource> Finish(ConfigContext context)
    {
        foreach ((string name, string key, ConfigPlace place) in context.TablesAsked)
            if (!context.Tables.ContainsKey(name))
                context.Add(place, $"'{key}' names the table \"{name}\", which no [[lookup]] defines; or write the table itself, such as \"hash:/etc/posthorn/{name}\" (types: {LookupSource.KnownTypes})");
        return context.Tables;
    }

    /// <summary>The tables that a setting names, as names for <see cref="LookupTables"/>.</summary>
    public static IReadOnlyList<string> Names(ConfigReader reader, string key)
    {
        List<string> names = [];
        foreach (string text in reader.Texts(key, []))
        {
            if (!text.Contains(':', StringComparison.Ordinal) && !text.Contains('/', StringComparison.Ordinal))
            {
                names.Add(text);
                reader.Context.TablesAsked.Add((text, reader.PathOf(key), reader.PlaceOf(key)));
            }
            else if (Source(reader, key, text, LookupType.Hash) is { } source)
            {
                names.Add(source.ToString());
                reader.Context.Tables.TryAdd(source.ToString(), source);
            }
        }
        return names;
    }

    /// <summary>Files of aliases: paths of virtual(5), or a path with its type before it.</summary>
    public static IReadOnlyList<string> AliasFiles(ConfigReader reader, string key)
    {
        List<string> files = [];
        foreach (string text in reader.Texts(key, []))
        {
            if (Source(reader, key, text, LookupType.Hash) is not { } source) continue;
            if (source.Type == LookupType.Cidr) reader.Problem(reader.PlaceOf(key), $"'{reader.PathOf(key)}' is \"{text}\": addresses are no networks; for aliases there are hash, aliases, regexp and pcre");
            else files.Add(source.Type == LookupType.Hash ? source.Path : source.ToString());
        }
        return files;
    }

    private static string? Table(ConfigReader reader)
    {
        string? name = reader.OptionalText("name"), text = reader.OptionalText("source");
        if (reader.Context.IsListingKeys) return null;
        if (string.IsNullOrEmpty(name) || text is null)
        {
            reader.Problem("a [[lookup]] needs a 'name' and a 'source', such as name = \"blocked\" and source = \"cidr:/etc/posthorn/blocked\"");
            return null;
        }
        if (name.AsSpan().IndexOfAny(":/") >= 0) reader.Problem(reader.PlaceOf("name"), $"'lookup.name' is \"{name}\"; a name has no colon and no slash");
        else if (Source(reader, "source", text, LookupType.Hash) is { } source && !reader.Context.Tables.TryAdd(name, source))
            reader.Problem(reader.PlaceOf("name"), $"the table \"{name}\" is there twice");
        return name;
    }

    private static LookupSource? Source(ConfigReader reader, string key, string text, LookupType fallback)
    {
        if (!LookupSource.TryParse(text, fallback, out LookupSource source))
        {
            reader.Problem(reader.PlaceOf(key), $"'{reader.PathOf(key)}' is \"{text}\"; expected a type and a path, such as \"hash:/etc/posthorn/table\" (types: {LookupSource.KnownTypes})");
            return null;
        }
        source = source with { Path = reader.Absolute(key, source.Path) };
        ConfigurationBinder.CheckFiles(reader, key, [source.Path]);
        return source;
    }
}
