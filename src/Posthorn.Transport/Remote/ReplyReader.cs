using System.Text;
using Posthorn.Net;

namespace Posthorn.Transport.Remote;

/// <summary>Reads replies of a server that may be slow, broken or hostile (RFC 5321 section 4.2): bounded in lines and in text.</summary>
internal sealed class ReplyReader(Connection connection)
{
    /// <summary>The longest line looked at, octets. RFC 5321 section 4.5.3.1.5 says 512; chatty servers exceed it.</summary>
    private const int MaxLine = 4096;

    /// <summary>The most lines of one reply: EHLO of the richest server has some thirty.</summary>
    private const int MaxLines = 128;

    /// <summary>What is kept of a reply's text, characters.</summary>
    private const int MaxText = 8192;

    /// <summary>Reads one reply; null when the connection ended or what came is not a reply, and <see cref="Problem"/> says which.</summary>
    public async ValueTask<SmtpReply?> ReadAsync(CancellationToken cancel)
    {
        StringBuilder text = new();
        int code = 0;
        string status = "";
        for (int line = 0; line < MaxLines; line++)
        {
            InputLine input = await connection.ReadLineAsync(MaxLine, cancel);
            if (input.Status == LineStatus.Ended) return Fail(connection.Stopped == StopReason.Timeout ? "did not answer in time" : "closed the connection");
            if (input.Status == LineStatus.TooLong) return Fail("sent a line that is too long");
            if (!TryParse(input.Bytes.Span, out int found, out bool more, out string words) || line > 0 && found != code) return Fail("sent what is not a reply of SMTP");
            code = found;
            words = Strip(words, code, ref status, line == 0);
            if (text.Length + words.Length < MaxText)
            {
                if (line > 0) text.Append('\n');
                text.Append(words);
            }
            if (!more) return new(code, status, text.ToString());
        }
        return Fail("sent a reply without end");
    }

    /// <summary>What was wrong, as the predicate of a sentence about the host.</summary>
    public string Problem { get; private set; } = "";

    private SmtpReply? Fail(string problem)
    {
        Problem = problem;
        return null;
    }

    // Reply-line = Reply-code [ SP / "-" textstring ]
    private static bool TryParse(ReadOnlySpan<byte> line, out int code, out bool more, out string words)
    {
        (code, more, words) = (0, false, "");
        if (line.Length < 3 || line[0] is < (byte)'2' or > (byte)'5' || !char.IsAsciiDigit((char)line[1]) || !char.IsAsciiDigit((char)line[2])) return false;
        code = (line[0] - '0') * 100 + (line[1] - '0') * 10 + line[2] - '0';
        if (line.Length == 3) return true;
        if (line[3] is not ((byte)' ' or (byte)'-')) return false;
        more = line[3] == '-';
        words = Clean(line[4..]);
        return true;
    }

    // The words end up in logs and reports: no control characters, nothing that is not text.
    private static string Clean(ReadOnlySpan<byte> bytes) =>
        string.Create(Encoding.UTF8.GetCharCount(bytes), bytes, static (text, source) =>
        {
            Encoding.UTF8.GetChars(source, text);
            foreach (ref char c in text)
                if (char.IsControl(c)) c = ' ';
        });

    // The enhanced status code stands before the text of each line (RFC 2034 section 4); it counts when it fits the reply code.
    private static string Strip(string words, int code, ref string status, bool first)
    {
        int space = words.IndexOf(' ', StringComparison.Ordinal);
        string token = space < 0 ? words : words[..space];
        if (!IsStatus(token) || token[0] != (char)('0' + code / 100) || !first && token != status) return words;
        status = token;
        return space < 0 ? "" : words[(space + 1)..];
    }

    private static bool IsStatus(string token)
    {
        string[] parts = token.Split('.');
        if (parts.Length != 3 || parts[0] is not ("2" or "4" or "5")) return false;
        return parts.Skip(1).All(part => part.Length is > 0 and <= 3 && part.All(char.IsAsciiDigit));
    }
}
