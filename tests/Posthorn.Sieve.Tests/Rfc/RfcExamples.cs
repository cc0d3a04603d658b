using System.Text.RegularExpressions;

namespace Posthorn.Sieve.Tests.Rfc;

/// <summary>Finds what looks like a script in the text of an RFC: an indented block that begins as one and holds a semicolon.</summary>
internal static partial class RfcExamples
{
    public static List<(int Line, string Script)> Find(string text)
    {
        List<string> lines = WithoutPages(text);
        List<(int, string)> found = [];
        for (int i = 0; i < lines.Count;)
        {
            if (!Start().IsMatch(lines[i]))
            {
                i++;
                continue;
            }
            int next = Block(lines, i, out string script);
            if (script.Contains(';', StringComparison.Ordinal) && !(script.StartsWith('#') && !script.Contains('\n', StringComparison.Ordinal))) found.Add((i + 1, script));
            i = next;
        }
        return found;
    }

    private static int Block(List<string> lines, int from, out string script)
    {
        string first = Marked().Replace(lines[from], m => m.Groups[1].Value + "         ");
        int indent = Indent(first), depth = Braces(first), at = from + 1;
        bool inText = false;
        List<string> block = [first];
        while (at < lines.Count)
        {
            string line = lines[at];
            if (line.Length == 0)
            {
                int next = at;
                while (next < lines.Count && lines[next].Length == 0) next++;
                if (next >= lines.Count || Indent(lines[next]) < indent) break;
                if (depth <= 0 && !inText && !Start().IsMatch(lines[next]) && !GoesOn().IsMatch(lines[next])) break;
                block.Add("");
                at++;
                continue;
            }
            if (Indent(line) < indent && !inText) break;
            if (TextStarts().IsMatch(line)) inText = true;
            if (inText && line.Trim() == ".") inText = false;
            block.Add(line);
            depth += Braces(line);
            at++;
        }
        script = string.Join('\n', block.Select(l => l.Length >= indent && l[..indent].Trim().Length == 0 ? l[indent..] : l.Trim()));
        return at;
    }

    private static List<string> WithoutPages(string text)
    {
        List<string> lines = [];
        bool skips = false;
        foreach (string raw in text.Split('\n'))
        {
            string line = raw.Replace("\f", "", StringComparison.Ordinal).TrimEnd();
            if (Footer().IsMatch(line))
            {
                while (lines is [.., ""]) lines.RemoveAt(lines.Count - 1);
                skips = true;
                continue;
            }
            if (skips)
            {
                if (line.Length == 0 || Header().IsMatch(line)) continue;
                skips = false;
                lines.Add("");
            }
            lines.Add(line);
        }
        return lines;
    }

    private static int Indent(string line) => line.Length - line.TrimStart().Length;

    private static int Braces(string line) => line.Count(c => c == '{') - line.Count(c => c == '}');

    [GeneratedRegex("""^\s+(?:Example:\s+)?(require\s*[\["]|if\s+\S|redirect\s|fileinto\s|keep\s*[;:]|discard;|stop;|vacation\s|set\s|notify\s|addheader\s|deleteheader\s|setflag\s|addflag\s|removeflag\s|reject\s|ereject\s|foreverypart|include\s|global\s|error\s|replace\s|enclose\s|extracttext\s|#|/\*)""")]
    private static partial Regex Start();

    [GeneratedRegex(@"^(\s+)Example:  ")]
    private static partial Regex Marked();

    [GeneratedRegex(@"^\s*(}|elsif|else)")]
    private static partial Regex GoesOn();

    [GeneratedRegex(@"text:\s*(#.*)?$")]
    private static partial Regex TextStarts();

    [GeneratedRegex(@"^\S.*\[Page \d+\]$")]
    private static partial Regex Footer();

    [GeneratedRegex(@"^(RFC \d+ |Internet-Draft)")]
    private static partial Regex Header();
}
