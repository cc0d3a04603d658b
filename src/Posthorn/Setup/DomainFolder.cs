using Posthorn.Core;

namespace Posthorn.Setup;

/// <summary>The files of a new server for a domain: configuration, accounts, aliases and a certificate to start with.</summary>
internal static class DomainFolder
{
    /// <summary>Writes them beside each other; what exists is left alone, the configuration itself must not exist.</summary>
    /// <exception cref="IOException">The configuration exists, or something cannot be written.</exception>
    public static void Write(string configuration, string data, DomainName hostname, DomainName domain, TimeProvider time)
    {
        if (File.Exists(configuration)) throw new IOException($"{configuration} exists already; posthorn check tells whether it is good");
        string folder = Path.GetDirectoryName(configuration) ?? "/";
        Folder.CreateDirectory(folder);
        PrivateFile.MakeFolder(data);
        string users = Path.Combine(folder, "users"), aliases = Path.Combine(folder, "aliases");
        string certificate = Path.Combine(data, "tls", "certificate.pem"), key = Path.Combine(data, "tls", "key.pem");
        if (!File.Exists(users)) PrivateFile.Write(users, "# Accounts, as in Dovecot's passwd-file: user@domain:{SCHEME}hash\n# posthorn account add USER@DOMAIN writes a line.\n");
        if (!File.Exists(aliases)) PrivateFile.Write(aliases, $"# Aliases, as in Postfix's virtual(5): ADDRESS TARGET, ...\n# info@{domain} somebody@{domain}\n");
        if (!File.Exists(certificate) || !File.Exists(key))
        {
            PrivateFile.MakeFolder(Path.Combine(data, "tls"));
            SelfSignedCertificate.Write(certificate, key, hostname, time);
        }
        File.WriteAllText(configuration, Text(data, hostname, domain, users, aliases, certificate, key));
    }

    private static string Text(string data, DomainName hostname, DomainName domain, string users, string aliases, string certificate, string key) => $"""
        # Posthorn. posthorn check tells whether this file is good; docs/configuration.md lists every key.
        hostname = "{hostname}"          # the name in the banner and in EHLO; its DNS must lead here and back
        data     = "{data}"              # journal, queue, mail

        [[domain]]
        name = "{domain}"
        recipient-delimiter = "+"
        aliases = "{aliases}"

        [mail]
        location = "maildir:{data}/mail/{"{domain}/{localpart}"}"

        [auth]
        passwd-file = "{users}"

        [tls]                            # self-signed, made by init: put a real certificate here
        certificate = "{certificate}"
        key         = "{key}"

        [listen]
        smtp        = [":25"]
        submission  = [":587"]
        submissions = [":465"]
        imap        = [":143"]
        imaps       = [":993"]
        managesieve = [":4190"]

        """;
}
