using System.Text;
using Posthorn.Core;

namespace Posthorn.Directory;

/// <summary>Paths with placeholders: <c>{localpart}</c>, <c>{domain}</c>, <c>{address}</c>, <c>{home}</c>; Dovecot's <c>%n</c>, <c>%d</c>, <c>%u</c>, <c>%h</c>
/// (also with <c>L</c>, which changes nothing as names are in lower case) and a leading <c>~</c>.</summary>
internal static class MailTemplate
{
    /// <summary>The absolute path for an account, or null and what is wrong. <paramref name="home"/> is null while the home itself is made.</summary>
    public static string? Expand(string template, EmailAddress account, string? home, out string error)
    {
        error = "";
        if (!IsSafe(account.LocalPart)) return Fail($"the name '{account.LocalPart}' cannot be used in a path", out error);
        string text = template;
        if (home is not null && (text == "~" || text.StartsWith("~/", StringComparison.Ordinal))) text = home + text[1..];

        StringBuilder path = new();
        for (int i = 0; i < text.Length;)
        {
            string? name = Placeholder(text, i, out int length);
            if (name is null)
            {
                if (text[i] is '%' or '{') return Fail($"'{template}' has an unknown placeholder at {i + 1}; known are {{localpart}} {{domain}} {{address}} {{home}} %n %d %u %h", out error);
                path.Append(text[i++]);
                continue;
            }
            if (name == "home" && home is null) return Fail($"'{template}' uses the home directory, which is not known there", out error);
            path.Append(name switch
            {
                "localpart" => account.LocalPart,
                "domain" => account.Domain.Ascii,
                "address" => $"{account.LocalPart}@{account.Domain.Ascii}",
                "home" => home,
                _ => "%",
            });
            i += length;
        }
        string result = path.ToString();
        return result.StartsWith('/') ? Path.GetFullPath(result) : Fail($"'{template}' does not give an absolute path (it gives '{result}')", out error);
    }

    private static string? Placeholder(string text, int at, out int length)
    {
        ReadOnlySpan<(string Text, string Name)> known =
        [
            ("{localpart}", "localpart"), ("{domain}", "domain"), ("{address}", "address"), ("{home}", "home"),
            ("%n", "localpart"), ("%d", "domain"), ("%u", "address"), ("%h", "home"),
            ("%Ln", "localpart"), ("%Ld", "domain"), ("%Lu", "address"), ("%%", "percent"),
            ("%{user | username}", "localpart"), ("%{user | domain}", "domain"), ("%{user|username}", "localpart"),
            ("%{user|domain}", "domain"), ("%{user}", "address"), ("%{home}", "home"),
        ];
        foreach ((string spelling, string name) in known)
        {
            if (string.CompareOrdinal(text, at, spelling, 0, spelling.Length) != 0) continue;
            length = spelling.Length;
            return name;
        }
        length = 0;
        return null;
    }

    // A name must stay one path component: it comes from a file, but that may be written by a web form.
    private static bool IsSafe(string localPart) =>
        localPart is not ("." or "..") && !localPart.Contains('/', StringComparison.Ordinal) && !localPart.Contains('\0', StringComparison.Ordinal);

    private static string? Fail(string text, out string error)
    {
        error = text;
        return null;
    }
}
