namespace Posthorn.Commands;

/// <summary>Rows in columns, one line each and never folded: what stands in them can be copied, and found by grep.</summary>
internal static class Columns
{
    private const string Gap = "  ";

    /// <summary>The lines; the last column is as wide as it wants.</summary>
    public static IEnumerable<string> Lines(IReadOnlyList<IReadOnlyList<string>> rows)
    {
        int[] widths = [.. Enumerable.Range(0, rows.Count == 0 ? 0 : rows[0].Count).Select(column => rows.Max(row => row[column].Length))];
        foreach (IReadOnlyList<string> row in rows) yield return string.Join(Gap, row.Select((text, column) => Plain(text).PadRight(widths[column]))).TrimEnd();
    }

    // What other servers say goes to a terminal, and a line of theirs is no line of ours.
    private static string Plain(string text) => string.Concat(text.Select(c => char.IsControl(c) ? ' ' : c));
}
