using System.Text;

namespace Posthorn.Directory.Lookups;

/// <summary>A logical line and where it begins.</summary>
internal readonly record struct LogicalLine(int Number, string Text);

/// <summary>Reads the lines of Postfix's text maps (postmap(1)).</summary>
/// <remarks>A logical line begins with text; lines that begin with white space continue it. Empty lines and lines whose first
/// character is <c>#</c> are left out wherever they stand, also between a line and its continuation.</remarks>
internal static class LogicalLines
{
    public static IEnumerable<LogicalLine> Read(string file, string text, List<DirectoryProblem> problems)
    {
        StringBuilder logical = new();
        int start = 0, number = 0;
        foreach (string raw in text.Split('\n'))
        {
            number++;
            string line = raw.TrimEnd('\r');
            if (string.IsNullOrWhiteSpace(line) || line.TrimStart()[0] == '#') continue;
            if (line[0] is not (' ' or '\t' or '\v' or '\f' or '\r'))
            {
                if (logical.Length > 0) yield return new(start, logical.ToString().TrimEnd());
                logical.Clear().Append(line);
                start = number;
            }
            else if (start == 0) problems.Add(new(ProblemSeverity.Error, file, number, "the line begins with white space but there is no line that it could continue; not used"));
            else logical.Append(line);
        }
        if (logical.Length > 0) yield return new(start, logical.ToString().TrimEnd());
    }
}
