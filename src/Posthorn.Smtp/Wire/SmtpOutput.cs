using System.Globalization;
using Posthorn.Net;
using Posthorn.Transport;

namespace Posthorn.Smtp.Wire;

/// <summary>Writes replies (RFC 5321 section 4.2.1): each line with code and enhanced status, ASCII, no longer than 512 octets.</summary>
internal static class SmtpOutput
{
    /// <summary>Text of one line: RFC 5321 section 4.5.3.1.5 allows 512 octets with code, status and CRLF.</summary>
    private const int MaxText = 480;

    public static void Write(this OutputBuffer output, SmtpReply reply)
    {
        ReadOnlySpan<char> rest = reply.Text;
        while (true)
        {
            int length = rest.IndexOf('\n');
            bool last = length < 0;
            if (last) length = rest.Length;
            bool cut = length > MaxText;
            if (cut) length = MaxText;
            WriteLine(output, reply, rest[..length], last && !cut);
            if (last && !cut) return;
            rest = rest[(cut ? length : length + 1)..];
        }
    }

    private static void WriteLine(OutputBuffer output, SmtpReply reply, ReadOnlySpan<char> text, bool last)
    {
        Span<byte> line = output.GetSpan(text.Length + 32);
        reply.Code.TryFormat(line, out int at, default, CultureInfo.InvariantCulture);
        line[at++] = (byte)(last ? ' ' : '-');
        foreach (char c in reply.Status) line[at++] = (byte)c;
        if (reply.Status.Length > 0) line[at++] = (byte)' ';
        // Texts may quote what a peer has sent: nothing of it may end the line or leave ASCII.
        foreach (char c in text) line[at++] = c is >= ' ' and <= '~' ? (byte)c : (byte)'?';
        line[at++] = (byte)'\r';
        line[at++] = (byte)'\n';
        output.Advance(at);
    }
}
