using System.Globalization;
using System.Text.RegularExpressions;
using Tomlyn.Syntax;

namespace Posthorn.Configuration;

/// <summary>Says in plain words what is wrong with the form of a TOML file. One mistake makes a parser stumble several times; the first word of each line counts.</summary>
internal static partial class TomlMistakes
{
    public const string NoClosingQuote = "this text has no closing quote";

    /// <summary>The place of the first text that its line leaves open, and the file with the quote that it lacks; null when the first mistake is another.</summary>
    public static (int Line, int Column, string Mended)? MendQuote(string text, IEnumerable<DiagnosticMessage> stumbles)
    {
        DiagnosticMessage? first = stumbles.OrderBy(s => s.Span.Start.Line).ThenBy(s => s.Span.Start.Column).FirstOrDefault();
        if (first is null || first.Message.Contains("multi-line string", StringComparison.Ordinal)) return null;
        string[] lines = text.Split('\n');
        // The parser stumbles at the end of that line, or in the next one.
        foreach (int number in (int[])[first.Span.Start.Line - 1, first.Span.Start.Line])
        {
            if (number < 0 || number >= lines.Length || OpenQuote(lines[number], out int brackets) is not { } column) continue;
            // What looks like a comment was meant as one.
            string line = lines[number].TrimEnd();
            int end = line.IndexOf(" #", column, StringComparison.Ordinal) is var comment and >= 0 ? line[..comment].TrimEnd().Length : line.Length;
            while (brackets > 0 && end > column + 1 && line[end - 1] is ']' or '}' && brackets-- > 0) end--;
            lines[number] = line[..end] + line[column] + line[end..];
            return (number, column, string.Join('\n', lines));
        }
        return null;
    }

    // The quote that nothing closes on its line, and how many brackets are open before it.
    private static int? OpenQuote(string line, out int brackets)
    {
        (brackets, int? open) = (0, null);
        if (line.Contains("\"\"\"", StringComparison.Ordinal) || line.Contains("'''", StringComparison.Ordinal)) return null;
        for (int i = line.IndexOf('=', StringComparison.Ordinal) + 1; i < line.Length; i++)
        {
            char c = line[i];
            if (open is { } at)
            {
                if (c == '\\' && line[at] == '"') i++;
                else if (c == line[at]) open = null;
            }
            else if (c == '#') break;
            else if (c is '"' or '\'') open = i;
            else if (c is '[' or '{') brackets++;
            else if (c is ']' or '}') brackets--;
        }
        return open;
    }

    /// <summary>Adds the mistakes; true when what follows the last of them cannot be understood (a text, list, table or name without an end).</summary>
    public static bool Explain(string file, string text, IEnumerable<DiagnosticMessage> stumbles, List<ConfigProblem> problems)
    {
        string[] lines = text.Split('\n');
        int last = -1;
        foreach (DiagnosticMessage stumble in stumbles.OrderBy(s => s.Span.Start.Line).ThenBy(s => s.Span.Start.Column))
        {
            int number = stumble.Span.Start.Line;
            if (number == last) continue;
            last = number;
            string line = number < lines.Length ? lines[number].TrimEnd('\r') : "";
            (string what, int? column, bool endless) = Say(stumble.Message, line, Math.Min(stumble.Span.Start.Column, line.Length));
            problems.Add(new(new(file, number + 1, (column ?? stumble.Span.Start.Column) + 1), what));
            if (endless) return true;
        }
        return false;
    }

    private static (string What, int? Column, bool Endless) Say(string stumble, string line, int column)
    {
        if (Defined().Match(stumble) is { Success: true } twice)
            return ($"'{twice.Groups[1].Value}' is set already in line {twice.Groups[2].Value}", null, false);
        if (Has("multi-line string")) return ("a text that begins with three quotes has no end", null, true);
        if (Has("in a string") || Has("string literal")) return (NoClosingQuote, OpeningQuote(line), false);
        if (Has("escape")) return ("a backslash in a text begins an escape such as \\n; write \\\\ for a backslash, or put the text in single quotes", null, false);
        if (Has("for an array")) return ("a list before this has no closing ']'", null, true);
        if (Has("inline table")) return ("a table before this has no closing '}'", null, true);
        if (Has("closebracket")) return ("the name of this section has no closing ']'", line.IndexOf('[', StringComparison.Ordinal), true);
        if (Has("to separate items")) return ("expected ',' between the items of a list", null, false);
        if (Has("leading zero")) return ("a number does not begin with 0", null, false);
        if (Has("expecting a value")) return ("expected a value behind '='", null, false);
        if (Has("for a value") || Has("`newline`")) return NotAValue(line, column);
        if (Has("after a key")) return ($"expected KEY = VALUE or [SECTION], found '{line.Trim()}'", line.Length - line.TrimStart().Length, false);
        return ($"expected KEY = VALUE or [SECTION], found '{line[column..].Trim()}'", null, false);

        bool Has(string part) => stumble.Contains(part, StringComparison.Ordinal);
    }

    // A text without quotes is the commonest mistake by far.
    private static (string What, int? Column, bool Endless) NotAValue(string line, int column)
    {
        int value = line.IndexOf('=', StringComparison.Ordinal) + 1;
        string found = line[value..].Trim();
        if (value > 0 && found.Length == 0) return ("expected a value behind '='", null, false);
        if (value == 0 || found[0] is '"' or '\'' or '[' or '{')
            return (string.Create(CultureInfo.InvariantCulture, $"expected the end of the line, found '{line[column..].Trim()}'"), null, false);
        return ($"expected a value, found '{found}'; a text stands in quotes: \"{found.Trim('“', '”', '"')}\"", value + line[value..].IndexOf(found, StringComparison.Ordinal), false);
    }

    private static int OpeningQuote(string line) => Math.Max(0, line.IndexOfAny(['"', '\''], line.IndexOf('=', StringComparison.Ordinal) + 1));

    [GeneratedRegex(@"^The key `(.*?)` is already defined at \((\d+),")]
    private static partial Regex Defined();
}
