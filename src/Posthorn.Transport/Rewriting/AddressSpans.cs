namespace Posthorn.Transport.Rewriting;

/// <summary>Finds where addresses stand in an address field (RFC 5322 section 3.4): between angle brackets, or bare with an <c>@</c>; never in quotes or comments.</summary>
public static class AddressSpans
{
    /// <summary>The addresses of a field, from an octet on.</summary>
    public static IReadOnlyList<Range> In(ReadOnlySpan<byte> field, int from)
    {
        List<Range> found = [];
        int start = -1;
        bool hasAt = false;
        for (int i = from; i < field.Length; i++)
        {
            switch (field[i])
            {
                case (byte)'"':
                    if (start < 0) start = i;
                    i = SkipQuoted(field, i);
                    break;
                case (byte)'(':
                    End(i);
                    i = SkipComment(field, i);
                    break;
                case (byte)'<':
                    (start, hasAt) = (-1, false);
                    break;
                case (byte)'>' or (byte)',' or (byte)';' or (byte)':' or (byte)' ' or (byte)'\t' or (byte)'\r' or (byte)'\n':
                    End(i);
                    break;
                default:
                    if (start < 0) start = i;
                    hasAt |= field[i] == '@' && i > start; // at the start it is a route (RFC 5322 section 4.4), which the address follows
                    break;
            }
        }
        End(field.Length);
        return found;

        void End(int at)
        {
            if (start >= 0 && hasAt) found.Add(start..at);
            (start, hasAt) = (-1, false);
        }
    }

    /// <summary>From a quotation mark to the one that closes it, or behind the field.</summary>
    public static int SkipQuoted(ReadOnlySpan<byte> field, int at)
    {
        for (at++; at < field.Length && field[at] != '"'; at++)
            if (field[at] == '\\') at++;
        return at;
    }

    /// <summary>From a parenthesis to the one that closes it, or behind the field.</summary>
    public static int SkipComment(ReadOnlySpan<byte> field, int at)
    {
        int depth = 0;
        for (; at < field.Length; at++)
        {
            if (field[at] == '\\') at++;
            else if (field[at] == '(') depth++;
            else if (field[at] == ')' && --depth == 0) break;
        }
        return at;
    }
}
