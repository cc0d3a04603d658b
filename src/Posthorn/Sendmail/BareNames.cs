using System.Buffers;
using System.Text;
using Posthorn.Transport.Rewriting;

namespace Posthorn.Sendmail;

/// <summary>Completes the names of users without a domain in an address field, as local programs write them: <c>root (Cron Daemon)</c>, <c>Ann &lt;ann&gt;</c>. Whoever answers from elsewhere needs the domain (RFC 5322 section 3.4).</summary>
internal static class BareNames
{
    // What a name of a user consists of (atext and dots, RFC 5322 section 3.2.3); anything else is left alone.
    private static readonly SearchValues<byte> NameOctets = SearchValues.Create("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.!#$%&'*+-/=?^_`{|}~"u8);

    /// <summary>Writes a field, with the domain behind each bare name.</summary>
    /// <param name="field">The whole field.</param>
    /// <param name="value">Where its value begins.</param>
    /// <param name="domain">The domain.</param>
    /// <param name="output">Where to.</param>
    public static void Complete(ReadOnlySpan<byte> field, int value, string domain, IBufferWriter<byte> output)
    {
        int copied = 0;
        foreach (int end in Ends(field, value))
        {
            output.Write(field[copied..end]);
            output.Write("@"u8);
            output.Write(Encoding.UTF8.GetBytes(domain));
            copied = end;
        }
        output.Write(field[copied..]);
    }

    // The ends of all bare names. An address without angle brackets is a name when it is a single word: two would be a phrase.
    private static List<int> Ends(ReadOnlySpan<byte> field, int at)
    {
        List<int> ends = [];
        int words = 0, end = 0;
        bool isName = true, inWord = false, bracketed = false;
        for (; at < field.Length; at++)
        {
            switch (field[at])
            {
                case (byte)'(':
                    at = AddressSpans.SkipComment(field, at);
                    inWord = false;
                    break;
                case (byte)'"':
                    at = AddressSpans.SkipQuoted(field, at);
                    Word(field, isText: at < field.Length);
                    break;
                case (byte)'<':
                    (words, isName, inWord, bracketed) = (0, true, false, false);
                    break;
                case (byte)'>':
                    Flush();
                    bracketed = true;
                    break;
                case (byte)',' or (byte)';':
                    Flush();
                    bracketed = false;
                    break;
                case (byte)':': // the name of a group, or a route
                    (words, isName, inWord) = (0, true, false);
                    break;
                case (byte)' ' or (byte)'\t' or (byte)'\r' or (byte)'\n':
                    inWord = false;
                    break;
                default:
                    Word(field, NameOctets.Contains(field[at]));
                    break;
            }
        }
        Flush();
        return ends;

        void Word(ReadOnlySpan<byte> bytes, bool isText)
        {
            if (!inWord) words++;
            inWord = true;
            isName &= isText;
            end = Math.Min(at + 1, bytes.Length);
        }

        void Flush()
        {
            if (words == 1 && isName && !bracketed) ends.Add(end);
            (words, isName, inWord) = (0, true, false);
        }
    }
}
