using System.Text;

namespace Posthorn.Transport.Bounce;

/// <summary>Keeps lines of a report within what every server takes (RFC 5322 section 2.1.1), whatever others have said.</summary>
internal static class ReportLines
{
    /// <summary>Octets of one line, where even a single word is cut: below the 998 of RFC 5322, with room for what stands before it.</summary>
    private const int MaxOctets = 900;

    /// <summary>The text in lines of so many octets, broken at spaces; a longer word stands alone.</summary>
    public static IReadOnlyList<string> Wrap(string text, int width)
    {
        if (Encoding.UTF8.GetByteCount(text) <= width) return [text];
        List<string> lines = [];
        StringBuilder line = new();
        int octets = 0;
        foreach (string word in text.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            if (octets > 0 && octets + 1 + Encoding.UTF8.GetByteCount(word) > width) End();
            if (octets > 0) Add(new(' '));
            foreach (Rune rune in word.EnumerateRunes())
            {
                if (octets + rune.Utf8SequenceLength > MaxOctets) End();
                Add(rune);
            }
        }
        End();
        return lines;

        void Add(Rune rune)
        {
            line.Append(rune.ToString());
            octets += rune.Utf8SequenceLength;
        }

        void End()
        {
            lines.Add(line.ToString());
            line.Clear();
            octets = 0;
        }
    }

    /// <summary>A field of a status part, folded.</summary>
    public static void Field(string name, IEnumerable<string> lines, StringBuilder text)
    {
        string before = $"{name}: ";
        foreach (string line in lines)
            foreach (string part in Wrap(line, 78 - before.Length))
            {
                text.Append(before).Append(part).Append("\r\n");
                before = " ";
            }
    }

    /// <summary>A reply as a Diagnostic-Code tells it: line by line, as the server said it (RFC 3461 section 9.2).</summary>
    public static IEnumerable<string> Transcript(SmtpReply reply)
    {
        string[] lines = reply.Text.Split('\n');
        for (int i = 0; i < lines.Length; i++)
        {
            string words = reply.Status.Length > 0 && lines[i].Length > 0 ? $"{reply.Status} {lines[i]}" : reply.Status + lines[i];
            yield return $"{reply.Code}{(i < lines.Length - 1 ? '-' : ' ')}{words}";
        }
    }
}
