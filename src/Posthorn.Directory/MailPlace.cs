using System.Text;
using Posthorn.Core;

namespace Posthorn.Directory;

/// <summary>Where an account's mail lies, as Dovecot's <c>mail_location</c> says it: <c>maildir:PATH[:LAYOUT=…][:INDEX=…][:CONTROL=…]</c>.</summary>
internal sealed record MailPlace(string Root, MailLayout Layout)
{
    /// <summary>Octets of a root at most. 3,400: behind it comes a folder, a directory in it and a file, of 255 octets each, and what nested folders and our own add; Linux takes paths of 4,095.</summary>
    private const int LongestRoot = 3_400;

    /// <summary>The place for an account; null, and what is wrong.</summary>
    internal static MailPlace? Expand(string template, EmailAddress account, string home, out string error)
    {
        string[] parts = template.Split(':');
        bool hasDriver = parts[0] == "maildir" && parts.Length > 1;
        if (!hasDriver && parts.Length > 1 && !parts[0].StartsWith('/') && !parts[0].StartsWith('~') && !parts[0].StartsWith('%') && !parts[0].StartsWith('{'))
        {
            error = $"'{template}' begins with '{parts[0]}:'; expected 'maildir:/path'";
            return null;
        }

        if (MailTemplate.Expand(hasDriver ? parts[1] : parts[0], account, home, out error) is not { } root) return null;
        if (Encoding.UTF8.GetByteCount(root) > LongestRoot)
        {
            error = $"its path has more than {LongestRoot} octets, and folders and mail must find room behind it";
            return null;
        }

        MailLayout layout = MailLayout.Plain;
        foreach (string option in parts.Skip(hasDriver ? 2 : 1))
        {
            if (Apply(layout, option, account, home, ref error) is not { } next)
            {
                if (error.Length == 0) error = $"'{template}' has the option '{option}', which is not known here; known are LAYOUT=fs, LAYOUT=maildir++, INDEX=PATH and CONTROL=PATH";
                return null;
            }

            layout = next;
        }

        return new(root, layout);
    }

    private static MailLayout? Apply(MailLayout layout, string option, EmailAddress account, string home, ref string error)
    {
        int equals = option.IndexOf('=', StringComparison.Ordinal);
        string value = equals < 0 ? "" : option[(equals + 1)..];
        switch (equals < 0 ? option : option[..equals])
        {
            case "LAYOUT" when value is "fs": return layout with { IsNested = true };
            case "LAYOUT" when string.Equals(value, "maildir++", StringComparison.OrdinalIgnoreCase): return layout;
            case "INDEX" when value == "MEMORY": return layout; // there is nothing to read
            case "INDEX": return MailTemplate.Expand(value, account, home, out error) is { } index ? layout with { IndexRoot = index } : null;
            case "CONTROL": return MailTemplate.Expand(value, account, home, out error) is { } control ? layout with { ControlRoot = control } : null;
            default: return null;
        }
    }
}
