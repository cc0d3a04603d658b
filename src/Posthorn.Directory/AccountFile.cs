using System.Globalization;
using Posthorn.Core;
using Posthorn.Directory.Files;

namespace Posthorn.Directory;

/// <summary>Edits a passwd-file for <c>posthorn account</c>: one line at a time, all else (comments, order, other fields, mode, owner) kept.</summary>
/// <param name="path">The file; it is made where there is none.</param>
/// <param name="bareDomain">The domain of its bare names.</param>
/// <param name="time">The clock for waiting on the lock.</param>
public sealed class AccountFile(string path, DomainName bareDomain, TimeProvider time)
{
    /// <summary>The accounts in the file, in its order.</summary>
    public IReadOnlyList<EmailAddress> List()
    {
        if (!File.Exists(path)) return [];
        List<EmailAddress> accounts = [];
        foreach (string line in File.ReadAllLines(path))
            if (KeyOf(line) is { } address) accounts.Add(address);
        return accounts;
    }

    /// <summary>Adds a line at the end.</summary>
    /// <param name="account">Its address.</param>
    /// <param name="passwordField">A field such as <see cref="Passwords.PasswordHasher.Argon2Id"/> makes.</param>
    /// <param name="bare">Write the name without its domain, which must be that of bare names.</param>
    /// <param name="cancel">Ends the wait for the lock.</param>
    public ValueTask<Result<Done>> AddAsync(EmailAddress account, string passwordField, bool bare, CancellationToken cancel) =>
        FileEditor.EditAsync(path, time, lines =>
        {
            string key = bare && account.Domain == bareDomain ? account.LocalPart : $"{account.LocalPart}@{account.Domain}";
            if (Check(key, passwordField) is { } wrong) return wrong;
            if (IndexOf(lines, account) >= 0) return new Refusal(RefusalKind.AlreadyExists, $"{account} is already there");
            lines.Add($"{key}:{passwordField}::::::");
            return Done.It;
        }, cancel);

    /// <summary>Changes the password field and nothing else.</summary>
    public ValueTask<Result<Done>> SetPasswordAsync(EmailAddress account, string passwordField, CancellationToken cancel) =>
        FileEditor.EditAsync(path, time, lines =>
        {
            if (Check(account.LocalPart, passwordField) is { } wrong) return wrong;
            int index = IndexOf(lines, account);
            if (index < 0) return Missing(account);
            string[] fields = lines[index].TrimEnd('\r').Split(':', 3);
            lines[index] = fields.Length > 2 ? $"{fields[0]}:{passwordField}:{fields[2]}" : $"{fields[0]}:{passwordField}";
            return Done.It;
        }, cancel);

    /// <summary>Sets the account's limits in its extra fields, in place of those that stand there; null is none.</summary>
    public ValueTask<Result<Done>> SetQuotaAsync(EmailAddress account, long? bytes, long? messages, CancellationToken cancel) =>
        FileEditor.EditAsync(path, time, lines =>
        {
            int index = IndexOf(lines, account);
            if (index < 0) return Missing(account);
            List<string> fields = [.. lines[index].TrimEnd('\r').Split(':', 8)];
            while (fields.Count < 8) fields.Add("");
            IEnumerable<string> others = fields[7].Split((char[])[' ', '\t'], StringSplitOptions.RemoveEmptyEntries).Where(word => !word.StartsWith("userdb_quota_", StringComparison.Ordinal));
            string rule = (bytes is { } octets ? string.Create(CultureInfo.InvariantCulture, $":bytes={octets}") : "") + (messages is { } count ? string.Create(CultureInfo.InvariantCulture, $":messages={count}") : "");
            fields[7] = string.Join(' ', rule.Length == 0 ? others : others.Append("userdb_quota_rule=*" + rule));
            lines[index] = string.Join(':', fields);
            return Done.It;
        }, cancel);

    /// <summary>Removes every line of the account; its mail stays where it is.</summary>
    public ValueTask<Result<Done>> RemoveAsync(EmailAddress account, CancellationToken cancel) =>
        FileEditor.EditAsync(path, time, lines => lines.RemoveAll(line => KeyOf(line) == account) > 0 ? Done.It : Missing(account), cancel);

    private int IndexOf(List<string> lines, EmailAddress account) => lines.FindIndex(line => KeyOf(line) == account);

    private EmailAddress? KeyOf(string line)
    {
        if (line.Length == 0 || line[0] is '#' or ':') return null;
        int colon = line.IndexOf(':', StringComparison.Ordinal);
        return PasswdParser.TryKey(colon < 0 ? line : line[..colon], out string user, out DomainName? domain)
            && EmailAddress.TryCreate(user, domain ?? bareDomain, out EmailAddress address) ? address : null;
    }

    // A colon or a line end in a field would make other fields or other accounts.
    private static Refusal? Check(string key, string passwordField)
    {
        if (key.Length == 0 || key[0] == '#' || key.AsSpan().ContainsAny(":\r\n\0")) return new(RefusalKind.BadName, "A passwd-file cannot hold this name: it begins with # or holds a colon");
        return passwordField.AsSpan().ContainsAny(":\r\n\0") ? new(RefusalKind.BadName, "A passwd-file cannot hold this password field: it holds a colon or a line end; hash it") : null;
    }

    private static Refusal Missing(EmailAddress account) => new(RefusalKind.NoSuchAccount, $"There is no account {account} in the file");
}
