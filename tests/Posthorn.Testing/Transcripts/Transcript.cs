using System.Globalization;
using System.Text;

namespace Posthorn.Testing;

/// <summary>One line of a transcript.</summary>
/// <param name="Line">Its number in the file, from 1.</param>
/// <param name="Kind">What it does.</param>
/// <param name="Peer">Which connection, from 1.</param>
/// <param name="Text">Its text.</param>
public sealed record TranscriptStep(int Line, StepKind Kind, int Peer, string Text);

public enum StepKind
{
    /// <summary>Sets the scene: handed to the host.</summary>
    Given,
    /// <summary>The client sends this line and CRLF.</summary>
    Client,
    /// <summary>The client sends exactly these bytes: escapes <c>\r \n \t \0 \\ \xHH</c>, and <c>\{N*x}</c> for N times the character x.</summary>
    ClientRaw,
    /// <summary>The client closes its side.</summary>
    ClientCloses,
    /// <summary>The server must send this line; <c>$name</c> captures or compares, <c>$_</c> is anything.</summary>
    Server,
    /// <summary>The server must have closed the connection.</summary>
    ServerCloses,
}

/// <summary>
/// A conversation in a file. <c>C:</c> and <c>S:</c> lines for the first connection, <c>C2:</c>/<c>S2:</c> for the second; <c>C!:</c> for raw bytes;
/// <c>C: &lt;close&gt;</c> and <c>S: &lt;close&gt;</c>; <c>given …</c> sets the scene; <c>#</c> starts a comment; blank lines part.
/// </summary>
public sealed class Transcript
{
    private Transcript(string name, IReadOnlyList<TranscriptStep> steps) => (Name, Steps) = (name, steps);

    public string Name { get; }
    public IReadOnlyList<TranscriptStep> Steps { get; }

    /// <summary>All transcripts below a folder of the checkout, for a theory's data: paths relative to that folder.</summary>
    public static IEnumerable<TheoryDataRow<string>> In(string folder)
    {
        string root = System.IO.Path.Combine(SharedFolder.Checkout, folder);
        foreach (string path in Directory.EnumerateFiles(root, "*.transcript", SearchOption.AllDirectories).Order(StringComparer.Ordinal))
            yield return new(System.IO.Path.GetRelativePath(root, path));
    }

    public static Transcript Load(string folder, string relative) =>
        Parse(relative, File.ReadAllText(System.IO.Path.Combine(SharedFolder.Checkout, folder, relative)));

    public static Transcript Parse(string name, string text)
    {
        List<TranscriptStep> steps = [];
        int number = 0;
        foreach (string line in text.ReplaceLineEndings("\n").Split('\n'))
        {
            number++;
            if (line.Length == 0 || line[0] == '#') continue;
            steps.Add(ParseLine(name, number, line));
        }
        return new(name, steps);
    }

    /// <summary>The bytes of a raw line.</summary>
    public static byte[] Unescape(string text)
    {
        List<byte> bytes = new(text.Length);
        for (int i = 0; i < text.Length; i++)
        {
            if (text[i] != '\\')
            {
                bytes.AddRange(Encoding.UTF8.GetBytes(text[i].ToString()));
                continue;
            }
            switch (text[++i])
            {
                case 'r': bytes.Add((byte)'\r'); break;
                case 'n': bytes.Add((byte)'\n'); break;
                case 't': bytes.Add((byte)'\t'); break;
                case '0': bytes.Add(0); break;
                case '\\': bytes.Add((byte)'\\'); break;
                case 'x':
                    bytes.Add(byte.Parse(text.AsSpan(i + 1, 2), NumberStyles.HexNumber, CultureInfo.InvariantCulture));
                    i += 2;
                    break;
                case '{':
                    int star = text.IndexOf('*', i), end = text.IndexOf('}', star + 2);
                    int times = int.Parse(text.AsSpan(i + 1, star - i - 1), CultureInfo.InvariantCulture);
                    byte[] unit = Unescape(text[(star + 1)..end]);
                    for (int n = 0; n < times; n++) bytes.AddRange(unit);
                    i = end;
                    break;
                default: throw new FormatException($"unknown escape \\{text[i]}");
            }
        }
        return [.. bytes];
    }

    private static TranscriptStep ParseLine(string name, int number, string line)
    {
        if (line.StartsWith("given ", StringComparison.Ordinal)) return new(number, StepKind.Given, 0, line[6..].Trim());
        int colon = line.IndexOf(':', StringComparison.Ordinal);
        string mark = colon > 0 ? line[..colon] : "";
        string text = colon < 0 ? "" : line[(colon + 1)..];
        if (text.StartsWith(' ')) text = text[1..];
        bool raw = mark.EndsWith('!');
        string digits = mark.TrimStart('C', 'S').TrimEnd('!');
        int peer = digits.Length == 0 ? 1 : int.TryParse(digits, CultureInfo.InvariantCulture, out int n) ? n : 0;
        if (peer == 0 || mark.Length == 0 || mark[0] is not ('C' or 'S')) throw new FormatException($"{name}:{number}: not a transcript line: {line}");
        StepKind kind = (mark[0], raw, text) switch
        {
            ('C', true, _) => StepKind.ClientRaw,
            ('C', _, "<close>") => StepKind.ClientCloses,
            ('C', _, _) => StepKind.Client,
            ('S', _, "<close>") => StepKind.ServerCloses,
            _ => StepKind.Server,
        };
        return new(number, kind, peer, text);
    }
}
