using System.Buffers;
using System.Globalization;
using System.Text;
using Tomlyn.Parsing;
using Tomlyn.Syntax;

namespace Posthorn.Configuration;

/// <summary>Reads TOML into a tree that remembers where everything stands. Syntax mistakes become problems; the rest of the file is still read.</summary>
internal sealed class ConfigTreeParser
{
    /// <summary>Each costs a reading of the file.</summary>
    private const int MostMended = 20;

    private readonly string _file;
    private readonly List<ConfigProblem> _problems;

    private ConfigTreeParser(string file, List<ConfigProblem> problems) => (_file, _problems) = (file, problems);

    /// <summary>The tree; null when the file cannot be understood as a whole.</summary>
    public static ConfigValue.Table? Parse(string file, ReadOnlySpan<byte> bytes, List<ConfigProblem> problems)
    {
        if (Decode(file, bytes, problems) is not { } text) return null;
        DocumentSyntax document = SyntaxParser.Parse(text, file, validate: true);
        // A text ends with its line. Where its quote is missing the parser takes all quotes behind it for their opposites.
        for (int mended = 0; mended < MostMended && TomlMistakes.MendQuote(text, document.Diagnostics) is var (line, column, whole); mended++)
        {
            problems.Add(new(new(file, line + 1, column + 1), TomlMistakes.NoClosingQuote));
            text = whole;
            document = SyntaxParser.Parse(text, file, validate: true);
        }
        return TomlMistakes.Explain(file, text, document.Diagnostics, problems) ? null : new ConfigTreeParser(file, problems).Document(document);
    }

    // TOML is UTF-8. One wrong byte is one mistake, and its place is worth more than what a parser makes of the rest.
    private static string? Decode(string file, ReadOnlySpan<byte> bytes, List<ConfigProblem> problems)
    {
        if (bytes.StartsWith(Encoding.UTF8.Preamble)) bytes = bytes[Encoding.UTF8.Preamble.Length..];
        if (bytes.StartsWith(Encoding.Unicode.Preamble) || bytes.StartsWith(Encoding.BigEndianUnicode.Preamble))
        {
            problems.Add(new(new(file, 1, 1), "the file is UTF-16; save it as UTF-8"));
            return null;
        }
        int good = 0;
        while (good < bytes.Length && Rune.DecodeFromUtf8(bytes[good..], out Rune rune, out int length) == OperationStatus.Done && rune.Value != 0) good += length;
        if (good == bytes.Length) return Encoding.UTF8.GetString(bytes);
        ReadOnlySpan<byte> before = bytes[..good];
        int column = Encoding.UTF8.GetCharCount(before[(before.LastIndexOf((byte)'\n') + 1)..]) + 1;
        problems.Add(new(new(file, before.Count((byte)'\n') + 1, column), string.Create(CultureInfo.InvariantCulture, $"the byte 0x{bytes[good]:X2} is no UTF-8 text; save the file as UTF-8")));
        return null;
    }

    private ConfigValue.Table Document(DocumentSyntax document)
    {
        ConfigValue.Table root = new(new(_file, 1, 1));
        foreach (KeyValueSyntax pair in document.KeyValues) Add(root, pair);
        foreach (TableSyntaxBase section in document.Tables)
        {
            if (section.Name is not { } name) continue;
            ConfigValue.Table? table = Open(root, Path(name), Place(section), section is TableArraySyntax);
            if (table is null) continue;
            foreach (KeyValueSyntax pair in section.Items) Add(table, pair);
        }
        return root;
    }

    private void Add(ConfigValue.Table table, KeyValueSyntax pair)
    {
        if (pair.Key is not { } key || pair.Value is not { } value) return;
        List<string> path = Path(key);
        ConfigPlace place = Place(key);
        if (path.Count > 1)
        {
            if (Open(table, path[..^1], place, array: false) is not { } inner) return;
            table = inner;
        }
        table.Items.TryAdd(path[^1], (place, Value(value))); // a second one is named by the parser
    }

    // Follows a dotted name, making what is missing; the last item of an array of tables stands for the array.
    private ConfigValue.Table? Open(ConfigValue.Table root, List<string> path, ConfigPlace place, bool array)
    {
        ConfigValue.Table at = root;
        for (int i = 0; i < path.Count; i++)
        {
            bool last = i == path.Count - 1;
            if (!at.Items.TryGetValue(path[i], out (ConfigPlace Place, ConfigValue Value) found))
            {
                ConfigValue.Table made = new(place);
                at.Items[path[i]] = (place, last && array ? new ConfigValue.List(new List<ConfigValue> { made }, place) : made);
                at = made;
                continue;
            }
            switch (found.Value)
            {
                case ConfigValue.Table table:
                    at = table;
                    break;
                case ConfigValue.List { Items: List<ConfigValue> items } when last && array:
                    at = new(place);
                    items.Add(at);
                    break;
                case ConfigValue.List { Items: [.., ConfigValue.Table tail] }:
                    at = tail;
                    break;
                default:
                    _problems.Add(new(place, $"'{path[i]}' is {found.Value.Kind} already and cannot be a table too"));
                    return null;
            }
        }
        return at;
    }

    private ConfigValue Value(ValueSyntax value)
    {
        ConfigPlace place = Place(value);
        switch (value)
        {
            case StringValueSyntax text: return new ConfigValue.Text(text.Value ?? "", place);
            case IntegerValueSyntax number: return new ConfigValue.Number(number.Value, place);
            case BooleanValueSyntax flag: return new ConfigValue.Switch(flag.Value, place);
            case ArraySyntax array:
                return new ConfigValue.List([.. array.Items.Select(i => i.Value).OfType<ValueSyntax>().Select(Value)], place);
            case InlineTableSyntax inline:
                ConfigValue.Table table = new(place);
                foreach (InlineTableItemSyntax item in inline.Items)
                    if (item.KeyValue is { } pair) Add(table, pair);
                return table;
            case FloatValueSyntax: return new ConfigValue.Other("a number with a fraction", place);
            default: return new ConfigValue.Other("a date or time", place);
        }
    }

    private static List<string> Path(KeySyntax key)
    {
        List<string> path = [Name(key.Key)];
        foreach (DottedKeyItemSyntax item in key.DotKeys) path.Add(Name(item.Key));
        return path;
    }

    private static string Name(BareKeyOrStringValueSyntax? key) => key switch
    {
        BareKeySyntax bare => bare.Key?.Text ?? "",
        StringValueSyntax quoted => quoted.Value ?? "",
        _ => "",
    };

    private ConfigPlace Place(SyntaxNode node) => new(_file, node.Span.Start.Line + 1, node.Span.Start.Column + 1);
}
