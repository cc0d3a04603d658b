using System.Globalization;
using System.Net;
using Posthorn.Core;
using Posthorn.Directory.Passwords;

namespace Posthorn.Directory.Files;

/// <summary>Reads Dovecot's passwd-file: <c>user:{SCHEME}hash:uid:gid:gecos:home:shell:extra fields</c>.</summary>
internal static class PasswdParser
{
    public static PasswdTable Parse(string file, string text)
    {
        List<PasswdEntry> entries = [];
        List<DirectoryProblem> problems = [];
        int number = 0;
        foreach (string raw in text.Split('\n'))
        {
            number++;
            string line = raw.TrimEnd('\r');
            // As Dovecot: comments, and lines without a user.
            if (line.Length == 0 || line[0] is '#' or ':' || string.IsNullOrWhiteSpace(line)) continue;
            if (ParseLine(file, number, line, problems) is { } entry) entries.Add(entry);
        }
        return new(entries, problems);
    }

    /// <summary>Takes the key of a line apart: <c>user</c> or <c>user@domain</c>.</summary>
    public static bool TryKey(string key, out string user, out DomainName? domain)
    {
        domain = null;
        user = key.Trim();
        if (!LoginName.TryFold(user, out user)) return false;
        int at = user.LastIndexOf('@');
        if (at >= 0)
        {
            if (!DomainName.TryCreate(user.AsSpan(at + 1), out DomainName name)) return false;
            domain = name;
            user = user[..at];
        }
        // Any domain will do to see whether the name can be one.
        return user.Length > 0 && EmailAddress.TryCreate(user, domain ?? DomainName.Create("invalid"), out _);
    }

    private static PasswdEntry? ParseLine(string file, int number, string line, List<DirectoryProblem> problems)
    {
        string[] fields = line.Split(':', 8);
        if (!TryKey(fields[0], out string user, out DomainName? domain))
        {
            problems.Add(new(ProblemSeverity.Error, file, number, $"'{fields[0]}' is neither a user name nor an address; the line is not used"));
            return null;
        }
        if (fields.Length < 2) problems.Add(new(ProblemSeverity.Warning, file, number, $"'{user}' has no password field, so it cannot log in; expected 'user:{{SCHEME}}hash:…'"));

        PasswdEntry entry = new(file, number, user, domain)
        {
            Uid = Field(fields, 2),
            Home = Field(fields, 5),
        };
        if (Field(fields, 7) is { } extra) entry = new ExtraFields(file, number, problems).Apply(entry, extra);
        return WithPassword(entry, Field(fields, 1), problems);
    }

    private static PasswdEntry WithPassword(PasswdEntry entry, string? field, List<DirectoryProblem> problems)
    {
        if (field is null) return entry;
        if (entry.NoPassword)
        {
            problems.Add(new(ProblemSeverity.Error, entry.File, entry.Line, $"'{entry.User}' has both nopassword and a password; the password counts"));
            entry = entry with { NoPassword = false };
        }
        // A lock as in shadow(5): no password matches.
        if (field[0] is '!' or '*') return entry;
        StoredPassword? stored = StoredPassword.Parse(field, out string error);
        if (stored is null) problems.Add(new(ProblemSeverity.Error, entry.File, entry.Line, $"the password of '{entry.User}' cannot be used: {error}"));
        return entry with { Password = stored };
    }

    private static string? Field(string[] fields, int index) =>
        fields.Length > index && fields[index].Length > 0 ? fields[index] : null;

    /// <summary>The eighth field: <c>key=value</c> pairs parted by spaces.</summary>
    private sealed class ExtraFields(string file, int line, List<DirectoryProblem> problems)
    {
        public PasswdEntry Apply(PasswdEntry entry, string text)
        {
            foreach (string word in text.Split((char[])[' ', '\t'], StringSplitOptions.RemoveEmptyEntries))
            {
                int equals = word.IndexOf('=', StringComparison.Ordinal);
                string name = equals < 0 ? word : word[..equals];
                string value = equals < 0 ? "" : word[(equals + 1)..];
                entry = Apply(entry, name, value);
            }
            return entry;
        }

        private PasswdEntry Apply(PasswdEntry entry, string name, string value)
        {
            switch (name)
            {
                case "nopassword": return entry with { NoPassword = value is "" or "y" or "yes" };
                case "allow_nets": return Networks(entry, value);
                case "userdb_home": return entry with { Home = value };
                case "userdb_mail": return entry with { Mail = value };
                case "userdb_mail_path": return entry with { Mail = value };
                case "userdb_mail_driver" when value == "maildir": return entry;
                case "userdb_mailbox_list_layout": return entry with { MailOptions = $"{entry.MailOptions}:LAYOUT={value}" };
                case "userdb_mail_index_path": return entry with { MailOptions = $"{entry.MailOptions}:INDEX={value}" };
                case "userdb_mail_control_path": return entry with { MailOptions = $"{entry.MailOptions}:CONTROL={value}" };
                case "userdb_quota_storage_size": return entry with { QuotaBytes = Limit(Size(value, 1) ?? Complain(name, value)) };
                case "userdb_quota_message_count": return entry with { QuotaMessages = Limit(Size(value, 1) ?? Complain(name, value)) };
            }
            if (name.StartsWith("userdb_quota_rule", StringComparison.Ordinal)) return Quota(entry, name, value);
            problems.Add(new(ProblemSeverity.Note, file, line, $"the extra field '{name}' of '{entry.User}' is not known here and not used"));
            return entry;
        }

        private PasswdEntry Networks(PasswdEntry entry, string value)
        {
            List<IPNetwork> networks = [];
            bool local = false;
            foreach (string item in value.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
            {
                if (item == "local") local = true;
                else if (IPNetwork.TryParse(item, out IPNetwork network)) networks.Add(network);
                else if (IPAddress.TryParse(item, out IPAddress? one)) networks.Add(new(one, one.AddressFamily == System.Net.Sockets.AddressFamily.InterNetwork ? 32 : 128));
                // What cannot be read admits nobody: a lock must not open because of a typing mistake.
                else problems.Add(new(ProblemSeverity.Error, file, line, $"'{item}' in allow_nets of '{entry.User}' is not a network such as 192.0.2.0/24; it admits nobody"));
            }
            return entry with { AllowNets = networks, AllowLocal = local };
        }

        // *:storage=1G:messages=1000; rules for single folders and percentages are not ours.
        private PasswdEntry Quota(PasswdEntry entry, string name, string value)
        {
            string[] parts = value.Split(':');
            if (parts[0] != "*")
            {
                problems.Add(new(ProblemSeverity.Note, file, line, $"the quota rule for '{parts[0]}' is not used; only rules for '*' are"));
                return entry;
            }
            foreach (string part in parts.AsSpan(1))
            {
                int equals = part.IndexOf('=', StringComparison.Ordinal);
                string key = equals < 0 ? part : part[..equals], amount = equals < 0 ? "" : part[(equals + 1)..];
                if (key == "ignore") return entry with { QuotaBytes = null, QuotaMessages = null };
                long? size = Limit(key switch { "storage" => Size(amount, 1024), "bytes" or "messages" => Size(amount, 1), _ => null } ?? Complain(name, part));
                entry = key == "messages" ? entry with { QuotaMessages = size } : entry with { QuotaBytes = size };
            }
            return entry;
        }

        private long? Complain(string name, string value)
        {
            problems.Add(new(ProblemSeverity.Error, file, line, $"'{value}' in {name} is not understood; expected for example *:storage=1G:messages=1000. No limit is set by it"));
            return null;
        }

        // Dovecot: 0 is unlimited; storage counts kibibytes unless a letter says otherwise.
        private static long? Size(string text, long unit)
        {
            ReadOnlySpan<char> number = text.AsSpan().TrimEnd("bBkKmMgGtT");
            if (text.Length - number.Length > 0)
            {
                unit = char.ToUpperInvariant(text[number.Length]) switch { 'K' => 1L << 10, 'M' => 1L << 20, 'G' => 1L << 30, 'T' => 1L << 40, _ => 1 };
            }
            if (!long.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out long value) || value > long.MaxValue / unit) return null;
            return value * unit;
        }

        private static long? Limit(long? size) => size == 0 ? null : size;
    }
}
