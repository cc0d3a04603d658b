using Posthorn.Core;

namespace Posthorn.Configuration;

/// <summary><c>[imap]</c>: what users find beside their own mail, and what one session may ask.</summary>
public sealed record ImapSection
{
    /// <summary>The first level of other users' mailboxes; null for none.</summary>
    public required string? OtherUsers { get; init; }

    /// <summary>The first level of mailboxes that belong to nobody.</summary>
    public required string Public { get; init; }

    /// <summary>The account whose mailboxes those are.</summary>
    public required EmailAddress? PublicAccount { get; init; }

    /// <summary>Who may set limits (SETQUOTA).</summary>
    public required IReadOnlyList<EmailAddress> Administrators { get; init; }

    /// <summary>The server's annotation <c>/shared/admin</c>.</summary>
    public required string? Admin { get; init; }

    /// <summary>The server's annotation <c>/shared/comment</c>.</summary>
    public required string? Comment { get; init; }

    /// <summary>Commands that one session may send in a second before it is slowed down; 0 for no bound.</summary>
    public required int CommandsPerSecond { get; init; }

    /// <summary>Messages that one command works on (RFC 9738); null for no bound.</summary>
    public required int? MessageLimit { get; init; }

    /// <summary>Clients may log out and in again on one connection (RFC 8437).</summary>
    public required bool Unauthenticate { get; init; }
}

/// <summary>Reads <c>[imap]</c>.</summary>
internal static class ImapBinder
{
    public static ImapSection Read(ConfigReader reader, char separator)
    {
        string users = Level(reader, "other-users", "Other Users", separator);
        int limit = reader.Number("message-limit", 0, 0, int.MaxValue);
        if (limit is > 0 and < 1000) reader.Problem(reader.PlaceOf("message-limit"), $"'imap.message-limit' is {limit}; expected 0 for none, or at least 1000, which clients must be able to rely on");
        return new()
        {
            OtherUsers = users.Length == 0 ? null : users,
            Public = Level(reader, "public", "Public", separator),
            PublicAccount = Addresses(reader, "public-account", reader.OptionalText("public-account") is { } account ? [account] : []).Select(address => (EmailAddress?)address).FirstOrDefault(),
            Administrators = Addresses(reader, "administrators", reader.Texts("administrators", [])),
            Admin = reader.OptionalText("admin"),
            Comment = reader.OptionalText("comment"),
            CommandsPerSecond = reader.Number("commands-per-second", 10_000, 0, 1_000_000),
            MessageLimit = limit == 0 ? null : limit,
            Unauthenticate = reader.Flag("unauthenticate", true),
        };
    }

    private static string Level(ConfigReader reader, string key, string fallback, char separator)
    {
        string text = reader.Text(key, fallback);
        bool good = text.Length == 0 && key != "public" || MailboxName.TryCreate(text, separator, out MailboxName name) && !name.IsInbox && !text.Contains(separator, StringComparison.Ordinal);
        if (!good) reader.Problem(reader.PlaceOf(key), $"'imap.{key}' is \"{text}\"; expected the name of one level without '{separator}', such as \"{fallback}\"");
        return text;
    }

    private static List<EmailAddress> Addresses(ConfigReader reader, string key, IReadOnlyList<string> texts)
    {
        List<EmailAddress> addresses = [];
        foreach (string text in texts)
        {
            if (EmailAddress.TryParse(text, out EmailAddress address)) addresses.Add(address);
            else reader.Problem(reader.PlaceOf(key), $"'imap.{key}' names \"{text}\"; expected an address such as \"ann@example.org\"");
        }

        return addresses;
    }
}
