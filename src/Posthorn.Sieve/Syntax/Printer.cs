using System.Globalization;
using System.Text;

namespace Posthorn.Sieve.Syntax;

/// <summary>Writes a tree as a script again, in one layout: what is printed parses to the same tree.</summary>
public static class SievePrinter
{
    public static string Print(SieveTree tree)
    {
        StringBuilder text = new();
        foreach (SieveCommand command in tree.Commands) Command(text, command, 0);
        return text.ToString();
    }

    private static void Command(StringBuilder text, SieveCommand command, int indent)
    {
        text.Append(' ', indent * 4).Append(command.Name);
        Arguments(text, command.Arguments);
        Tests(text, command.Tests, command.IsList);
        if (command.Block is null)
        {
            text.Append(";\r\n");
            return;
        }
        text.Append(" {\r\n");
        foreach (SieveCommand inner in command.Block) Command(text, inner, indent + 1);
        text.Append(' ', indent * 4).Append("}\r\n");
    }

    private static void Arguments(StringBuilder text, IReadOnlyList<SieveArgument> arguments)
    {
        foreach (SieveArgument argument in arguments)
        {
            text.Append(' ');
            switch (argument)
            {
                case SieveArgument.Text one:
                    String(text, one);
                    break;
                case SieveArgument.TextList list:
                    text.Append('[');
                    for (int i = 0; i < list.Items.Count; i++)
                    {
                        if (i > 0) text.Append(", ");
                        String(text, list.Items[i]);
                    }
                    text.Append(']');
                    break;
                case SieveArgument.Number number:
                    text.Append(number.Value.ToString(CultureInfo.InvariantCulture));
                    break;
                case SieveArgument.Tag tag:
                    text.Append(':').Append(tag.Name);
                    break;
            }
        }
    }

    private static void Tests(StringBuilder text, IReadOnlyList<SieveTest> tests, bool isList)
    {
        if (tests.Count == 0) return;
        text.Append(isList ? " (" : " ");
        for (int i = 0; i < tests.Count; i++)
        {
            if (i > 0) text.Append(", ");
            text.Append(tests[i].Name);
            Arguments(text, tests[i].Arguments);
            Tests(text, tests[i].Tests, tests[i].IsList);
        }
        if (isList) text.Append(')');
    }

    private static void String(StringBuilder text, SieveArgument.Text value)
    {
        // Whole lines only can be written as text:.
        if (value.IsText && (value.Value.Length == 0 || value.Value.EndsWith("\r\n", StringComparison.Ordinal)))
        {
            text.Append("text:\r\n");
            if (value.Value.Length > 0)
                foreach (string line in value.Value[..^2].Split("\r\n"))
                    text.Append(line.StartsWith('.') ? "." : "").Append(line).Append("\r\n");
            text.Append(".\r\n");
            return;
        }
        text.Append('"');
        foreach (char c in value.Value)
        {
            if (c is '"' or '\\') text.Append('\\');
            text.Append(c);
        }
        text.Append('"');
    }
}
