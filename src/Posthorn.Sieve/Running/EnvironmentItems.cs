namespace Posthorn.Sieve.Running;

/// <summary>The items of the environment test (RFC 5183 section 4.1, RFC 6785 section 4, vnd.dovecot.environment).</summary>
internal static class EnvironmentItems
{
    public static string? Find(Execution x, string item)
    {
        item = item.ToLowerInvariant();
        if (x.Context.Environment.TryGetValue(item, out string? known)) return known;
        if (x.Context.Environment.TryGetValue(item.Replace('_', '-'), out known)) return known;
        return item switch
        {
            "domain" => Domain(x.Context.HostName),
            "host" => x.Context.HostName,
            "location" => x.Context.IsImapEvent ? "MS" : "MDA",
            "phase" => x.Context.IsImapEvent ? "post" : "during",
            "name" => "Posthorn Sieve",
            "version" => Version,
            "remote-host" or "remote-ip" => "",
            "imap.user" or "imap.email" or "imap.cause" or "imap.mailbox" or "imap.changedflags" => "",
            "vnd.dovecot.default-mailbox" or "vnd.dovecot.default_mailbox" => "INBOX",
            "vnd.dovecot.username" => x.Context.Owner?.ToString() ?? "",
            _ => null,
        };
    }

    private static string Version { get; } = typeof(EnvironmentItems).Assembly.GetName().Version?.ToString(3) ?? "0";

    private static string Domain(string host)
    {
        int dot = host.IndexOf('.', StringComparison.Ordinal);
        return dot > 0 && host.IndexOf('.', dot + 1) > 0 ? host[(dot + 1)..] : host;
    }
}
