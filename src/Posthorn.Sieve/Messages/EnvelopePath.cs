namespace Posthorn.Sieve.Messages;

/// <summary>Reads a path of an envelope strictly (RFC 5321 section 4.1.2). A local part may stand alone, as deliveries within one machine have it.</summary>
internal static class EnvelopePath
{
    /// <summary>The address of <c>&lt;path&gt;</c> or of a bare path; null when it is none. The null path is not read here.</summary>
    /// <remarks><c>Path = "&lt;" [ A-d-l ":" ] Mailbox "&gt;"</c>, <c>A-d-l = At-domain *( "," At-domain )</c></remarks>
    public static ParsedAddress? Read(string text)
    {
        string path = text.Trim();
        if (path is ['<', .., '>']) path = path[1..^1];
        if (path.StartsWith('@'))
        {
            int colon = path.IndexOf(':', StringComparison.Ordinal);
            if (colon < 0) return null;
            foreach (string hop in path[..colon].Split(','))
                if (hop.Length < 2 || hop[0] != '@' || !IsDomain(hop.AsSpan(1))) return null;
            path = path[(colon + 1)..];
        }
        int end = LocalPartEnd(path);
        if (end <= 0) return null;
        string local = Unquoted(path[..end]);
        if (end == path.Length) return new(local, "", true, text);
        return path[end] == '@' && IsDomain(path.AsSpan(end + 1)) ? new(local, path[(end + 1)..], true, text) : null;
    }

    // Local-part = Dot-string / Quoted-string; dots at odd places are let through, as Japanese telephones send them.
    private static int LocalPartEnd(string path)
    {
        if (path.StartsWith('"'))
        {
            for (int i = 1; i < path.Length; i++)
            {
                if (path[i] == '\\') i++;
                else if (path[i] == '"') return i + 1;
            }
            return -1;
        }
        int at = 0;
        while (at < path.Length && (path[at] >= 128 || char.IsAsciiLetterOrDigit(path[at]) || "!#$%&'*+-/=?^_`{|}~.".Contains(path[at], StringComparison.Ordinal))) at++;
        return at;
    }

    private static string Unquoted(string local)
    {
        if (!local.StartsWith('"')) return local;
        System.Text.StringBuilder plain = new(local.Length);
        for (int i = 1; i < local.Length - 1; i++) plain.Append(local[i] == '\\' && i + 2 < local.Length ? local[++i] : local[i]);
        return plain.ToString();
    }

    private static bool IsDomain(ReadOnlySpan<char> domain)
    {
        if (domain is ['[', .., ']']) return domain.Length > 2;
        if (domain.IsEmpty || domain[0] == '.' || domain[^1] == '.' || domain.IndexOf("..") >= 0) return false;
        foreach (char c in domain)
            if (c < 128 && !char.IsAsciiLetterOrDigit(c) && c is not ('-' or '.' or '_')) return false;
        return true;
    }
}
