using System.Text.RegularExpressions;

namespace Posthorn.Testing.Stores;

/// <summary>One SQL text of the mail store's source, its holes filled.</summary>
public sealed record SqlText(string File, int Line, string Text);

/// <summary>The SQL that the mail store's catalogue uses, read from its source.</summary>
public static partial class CatalogueSql
{
    private static readonly string[] Tables = ["messages", "files", "tombstones", "letters", "list_fields", "list_marks", "annotations", "acl"];

    /// <summary>All texts, those of several statements too.</summary>
    public static IReadOnlyList<SqlText> Read() => Read(Path.Combine(SharedFolder.Checkout, "src", "Posthorn.Store"));

    private static List<SqlText> Read(string root)
    {
        string[] files = [.. System.IO.Directory.EnumerateFiles(root, "*.cs", SearchOption.AllDirectories).Where(path => !path.Contains("/obj/", StringComparison.Ordinal)).Order(StringComparer.Ordinal)];
        Dictionary<string, string> constants = [];
        foreach (string file in files)
            foreach (Match constant in Constant().Matches(File.ReadAllText(file))) constants[constant.Groups[1].Value] = constant.Groups[2].Value;
        List<SqlText> found = [];
        foreach (string file in files)
        {
            string text = File.ReadAllText(file);
            foreach (Match literal in Literal().Matches(text))
            {
                string sql = literal.Groups["raw"].Success ? literal.Groups["raw"].Value : literal.Groups["plain"].Value;
                if (!Statement().IsMatch(sql)) continue;
                if (literal.Value[0] == '$') sql = Fill(sql, constants);
                found.Add(new(Path.GetRelativePath(root, file), text.AsSpan(0, literal.Index).Count('\n') + 1, sql));
            }
        }

        return found;
    }

    private static string Fill(string sql, Dictionary<string, string> constants) => Hole().Replace(sql, hole =>
    {
        string name = hole.Groups[1].Value;
        if (name == "table") return Tables[0];
        if (constants.TryGetValue(name[(name.LastIndexOf('.') + 1)..], out string? value)) return value;
        return name.StartsWith("(int)", StringComparison.Ordinal) || name is "value" or "pagesInLog" ? "1" : throw new InvalidOperationException($"What stands for {hole.Value} in: {sql}");
    });

    [GeneratedRegex("""const string (\w+) = "([^"]*)";""")]
    private static partial Regex Constant();

    [GeneratedRegex("\\$?\"\"\"(?<raw>.*?)\"\"\"|\\$?\"(?<plain>(?:[^\"\\\\\\n]|\\\\.)*)\"", RegexOptions.Singleline)]
    private static partial Regex Literal();

    [GeneratedRegex(@"^\s*(SELECT|INSERT|UPDATE|DELETE|CREATE|ALTER|DROP|BEGIN|COMMIT|ROLLBACK|PRAGMA|VACUUM|WITH|REPLACE|ATTACH|ANALYZE)\b")]
    private static partial Regex Statement();

    [GeneratedRegex(@"\{([^}]+)\}")]
    private static partial Regex Hole();
}
