using System.Net;
using Microsoft.Extensions.Logging;
using Posthorn.Core;
using Posthorn.Store.Engine;
using Posthorn.Transport;
using Posthorn.Transport.Rewriting;

namespace Posthorn.Configuration;

/// <summary>Turns the tree into <see cref="ServerConfiguration"/>: the one place that knows every key, its default and its range.</summary>
internal static class ConfigurationBinder
{
    private const long MiB = 1 << 20;

    /// <summary>What stands for <c>data</c> where it is missing.</summary>
    public const string NoData = "/nonexistent";

    /// <summary>Reads everything, gathering problems in the context. Null when something without a default is missing.</summary>
    public static ServerConfiguration? Bind(ConfigValue.Table root, string file, ConfigContext context)
    {
        ConfigReader reader = new(root, "", context);
        DomainName? hostname = reader.OptionalDomain("hostname");
        if (!reader.Has("hostname")) reader.Problem("'hostname' is missing: the name of this server, such as hostname = \"mail.example.org\"");
        string? data = reader.OptionalPath("data");
        if (data is null) reader.Problem("'data' is missing: the folder for journal and queue, such as data = \"/var/lib/posthorn\"");
        reader.Texts("include", []); // followed by the loader before this
        IReadOnlyList<DomainSection> domains = reader.Sections("domain", Domain);
        CheckDomains(reader, domains, context);
        MailSection mail = reader.Section("mail", r => Mail(r, domains.Count));
        AuthSection auth = reader.Section("auth", Auth);
        bool namesTls = false;
        TlsSection? tls = reader.Section("tls", r =>
        {
            namesTls = r.Has("certificate") || r.Has("key"); // what is wrong with them is said there
            return Tls(r);
        });
        IReadOnlyList<ListenEntry> listeners = reader.Section("listen", ListenBinder.Read);
        ListenBinder.Check(reader, listeners, namesTls);
        DnsSection dns = reader.Section("dns", Dns);
        LookupBinder.Read(reader);
        RewritingOptions rewriting = reader.Section("rewrite", RewriteBinder.Read);
        ServerConfiguration? configuration = new()
        {
            File = file,
            Hostname = hostname ?? DomainName.Create("localhost"),
            Data = data ?? NoData,
            Domains = domains,
            Mail = mail,
            Auth = auth,
            Tls = tls,
            Listeners = listeners,
            Network = reader.Section("network", Network),
            Dns = dns,
            Outbound = reader.Section("outbound", r => OutboundBinder.Read(r, domains, dns)),
            Limits = reader.Section("limits", Limits),
            Submission = reader.Section("submission", r => new SubmissionSection(r.Flag("hide-client", true), r.Flag("complete-trusted", true), r.Flag("broken-clients", false), r.Duration("future-release", TimeSpan.FromDays(30), TimeSpan.Zero, TimeSpan.FromDays(3650)))
            {
                SharedAliases = r.Flag("shared-aliases", true), SenderLogins = LookupBinder.Names(r, "sender-logins"),
            }),
            Sendmail = reader.Section("sendmail", r => new SendmailSection(r.OptionalText("drop") is { } drop ? r.Absolute("drop", drop) : null, r.Duration("wait", TimeSpan.FromSeconds(10), TimeSpan.Zero, TimeSpan.FromMinutes(10)))
            {
                DropMessages = r.Number("drop-messages", 1000, 1, 1_000_000), DropSize = r.Size("drop-size", 256 * MiB, MiB, 1_000_000 * MiB),
            }),
            Log = reader.Section("log", Log),
            Sieve = reader.Section("sieve", r => SieveBinder.Read(r, mail.Separator, string.Concat(domains.SelectMany(d => d.RecipientDelimiter).Distinct()))),
            Rules = reader.Sections("rule", RuleBinder.Read),
            Imap = reader.Section("imap", r => ImapBinder.Read(r, mail.Separator)),
            Milters = reader.Sections("milter", MilterBinder.Read),
            Trace = reader.Section("trace", r => TraceBinder.Read(r, data ?? NoData)),
            Journal = reader.Section("journal", r => new JournalSection(r.Size("segment-size", 64 * MiB, MiB, 4096 * MiB), r.Number("segments", 4, 2, 64))),
        };
        configuration = configuration with { Rewriting = rewriting, Lookups = LookupBinder.Finish(context) };
        reader.Finish();
        return configuration;
    }

    private static DomainSection? Domain(ConfigReader reader)
    {
        DomainName? name = reader.OptionalDomain("name");
        if (!reader.Has("name")) reader.Problem("a [[domain]] needs a name, such as name = \"example.org\"");
        string delimiter = reader.Text("recipient-delimiter", "+");
        IReadOnlyList<string> aliases = LookupBinder.AliasFiles(reader, "aliases");
        string? passwd = reader.OptionalPath("passwd-file");
        if (passwd is not null) CheckFiles(reader, "passwd-file", [passwd]);
        EmailAddress? postmaster = null;
        if (reader.OptionalText("postmaster") is { } text)
        {
            if (EmailAddress.TryParse(text, out EmailAddress address)) postmaster = address;
            else reader.Problem(reader.PlaceOf("postmaster"), $"'domain.postmaster' is \"{text}\"; expected an address such as \"postmaster@example.org\"");
        }
        NextHop? behind = HopReader.ReadBehind(reader);
        return name is { } known ? new(known, delimiter, aliases, passwd, postmaster) { Behind = behind } : null;
    }

    private static void CheckDomains(ConfigReader reader, IReadOnlyList<DomainSection> domains, ConfigContext context)
    {
        if (!reader.Has("domain") && !context.IsListingKeys) reader.Problem("no [[domain]] is named: without one no mail is ours");
        foreach (IGrouping<DomainName, DomainSection> twice in domains.GroupBy(d => d.Name).Where(g => g.Count() > 1))
            reader.Problem($"the domain {twice.Key} is named {twice.Count()} times", "domain");
    }

    private static MailSection Mail(ConfigReader reader, int domains)
    {
        string home = reader.Text("home", "{data}/accounts/{domain}/{localpart}/home");
        string location = reader.Text("location", "maildir:{data}/mail/{domain}/{localpart}");
        if (!location.StartsWith("maildir:", StringComparison.Ordinal))
            reader.Problem(reader.PlaceOf("location"), $"'mail.location' is \"{location}\"; expected maildir: and a path, such as \"maildir:/srv/mail/{{domain}}/{{localpart}}\"");
        bool distinct = location.Contains("{domain}", StringComparison.Ordinal) || location.Contains("{address}", StringComparison.Ordinal)
            || location.Contains("%d", StringComparison.Ordinal) || location.Contains("%u", StringComparison.Ordinal);
        if (domains > 1 && !distinct)
            reader.Problem(reader.PlaceOf("location"), "'mail.location' names no {domain}, and there are several domains: accounts of one name would share a mailbox");
        Dictionary<string, char> separators = new() { ["."] = '.', ["/"] = '/' };
        Dictionary<string, FileLineEndings> lineEndings = new() { ["crlf"] = FileLineEndings.Crlf, ["lf"] = FileLineEndings.Lf };
        return new(home, location, reader.Choice("separator", '.', separators), reader.Flag("special-folders", true),
            reader.Duration("keep-expunged", TimeSpan.FromDays(14), TimeSpan.Zero, TimeSpan.FromDays(3650)), reader.Flag("count-expunged", false), reader.Flag("word-index", true),
            reader.Choice("line-endings", FileLineEndings.Crlf, lineEndings));
    }

    private static AuthSection Auth(ConfigReader reader)
    {
        string? passwd = reader.OptionalPath("passwd-file");
        if (passwd is not null) CheckFiles(reader, "passwd-file", [passwd]);
        string[] known = ["PLAIN", "LOGIN", "SCRAM-SHA-256", "SCRAM-SHA-1"];
        List<string> mechanisms = [];
        foreach (string name in reader.Texts("mechanisms", ["PLAIN", "LOGIN"]))
        {
            string upper = name.ToUpperInvariant();
            if (known.Contains(upper)) mechanisms.Add(upper);
            else reader.Problem(reader.PlaceOf("mechanisms"), $"'auth.mechanisms' names \"{name}\"; known are {string.Join(", ", known)}");
        }
        return new(passwd, mechanisms, reader.OptionalDomain("default-domain"));
    }

    private static TlsSection? Tls(ConfigReader reader)
    {
        string? certificate = reader.OptionalPath("certificate");
        string? key = reader.OptionalPath("key");
        if (certificate is null && key is null) return null;
        if (certificate is null || key is null)
        {
            reader.Problem("[tls] needs both 'certificate' and 'key'");
            return null;
        }
        return CheckFiles(reader, "certificate", [certificate]) & CheckFiles(reader, "key", [key]) ? new(certificate, key) : null;
    }

    private static NetworkSection Network(ConfigReader reader)
    {
        List<IPNetwork> trusted = Networks(reader, "trusted", ["127.0.0.0/8", "::1"]);
        List<IPNetwork> relay = reader.Has("relay") ? Networks(reader, "relay", []) : trusted;
        if (!reader.Has("relay")) reader.Texts("relay", []); // known, and as trusted by default
        List<IPNetwork> xclient = Networks(reader, "xclient", []), xforward = Networks(reader, "xforward", []);
        foreach (IPNetwork wide in xclient.Where(n => n.PrefixLength == 0))
            reader.Problem(reader.PlaceOf("xclient"), $"'network.xclient' names {wide}: everybody could send as anybody; name the servers before this one");
        foreach (IPNetwork wide in relay.Where(n => n.PrefixLength < 8))
            reader.Warning(reader.PlaceOf(reader.Has("relay") ? "relay" : "trusted"), $"{wide} may relay: everybody there may send mail through this server");
        return new(trusted, relay) { XClient = xclient, XForward = xforward };
    }

    private static List<IPNetwork> Networks(ConfigReader reader, string key, IReadOnlyList<string> fallback)
    {
        List<IPNetwork> networks = [];
        foreach (string text in reader.Texts(key, fallback))
        {
            string form = text.Contains('/', StringComparison.Ordinal) ? text : text + (text.Contains(':', StringComparison.Ordinal) ? "/128" : "/32");
            if (IPNetwork.TryParse(form, out IPNetwork network)) networks.Add(network);
            else reader.Problem(reader.PlaceOf(key), $"'network.{key}' names \"{text}\"; expected an address or a network such as \"192.0.2.0/24\"");
        }
        return networks;
    }

    private static DnsSection Dns(ConfigReader reader)
    {
        List<IPEndPoint> servers = [];
        foreach (string text in reader.Texts("servers", []))
        {
            if (IPEndPoint.TryParse(text, out IPEndPoint? endPoint)) servers.Add(endPoint.Port == 0 ? new(endPoint.Address, 53) : endPoint);
            else reader.Problem(reader.PlaceOf("servers"), $"'dns.servers' names \"{text}\"; expected an address, with a port where it is not 53, such as \"127.0.0.1:5353\"");
        }
        return new(servers);
    }

    private static LimitsSection Limits(ConfigReader reader) => new()
    {
        MessageSize = reader.Size("message-size", 50 * MiB, 64 * 1024, 2000 * MiB),
        TextLine = (int)reader.Size("text-line", 64 * 1024, 998, 100 * 1024),
        Recipients = reader.Number("recipients", 1000, 1, 100_000),
        Connections = reader.Number("connections", 20_000, 1, 1_000_000),
        ConnectionsPerAddress = reader.Number("connections-per-address", 1_000, 1, 1_000_000),
        ConnectionsTransfer = reader.OptionalNumber("connections-smtp", 1, 1_000_000),
        ConnectionsBeforeLogin = reader.OptionalNumber("connections-before-login", 1, 1_000_000),
        LoginGrace = reader.Duration("login-grace", TimeSpan.FromSeconds(10), TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(3)),
        ConnectionsPer56 = reader.Number("connections-per-ipv6-56", 2_000, 1, 1_000_000),
        ConnectionsPer48 = reader.Number("connections-per-ipv6-48", 4_000, 1, 1_000_000),
        ReceivedHops = reader.Number("received-hops", 100, 1, 1000),
        ShortestDeliverBy = reader.Duration("shortest-deliver-by", TimeSpan.Zero, TimeSpan.Zero, TimeSpan.FromDays(30)),
        IPv6Prefix = reader.Number("ipv6-prefix", 64, 32, 128),
        RateWindow = reader.Duration("rate-window", TimeSpan.FromMinutes(1), TimeSpan.FromSeconds(1), TimeSpan.FromDays(1)),
        ConnectionRate = reader.Number("connection-rate", 600, 0, 1_000_000),
        MessageRate = reader.Number("message-rate", 0, 0, 1_000_000),
        RecipientRate = reader.Number("recipient-rate", 0, 0, 10_000_000),
        FailureWindow = reader.Duration("failure-window", TimeSpan.FromMinutes(10), TimeSpan.FromSeconds(1), TimeSpan.FromDays(1)),
        ErrorRate = reader.Number("errors", 200, 0, 1_000_000),
        FailedLogins = reader.Number("failed-logins", 60, 0, 1_000_000),
        GreetingDelay = reader.Duration("greeting-delay", TimeSpan.Zero, TimeSpan.Zero, TimeSpan.FromMinutes(4)),
        ForbidEarlyTalk = reader.Flag("forbid-early-talk", true),
        Tarpit = reader.Duration("tarpit", TimeSpan.FromSeconds(1), TimeSpan.Zero, TimeSpan.FromMinutes(1)),
        TarpitAfter = reader.Number("tarpit-after", 10, 0, 1_000_000),
    };

    private static LogSection Log(ConfigReader reader)
    {
        Dictionary<string, LogLevel> levels = new()
        {
            ["debug"] = LogLevel.Debug, ["information"] = LogLevel.Information, ["warning"] = LogLevel.Warning, ["error"] = LogLevel.Error,
        };
        Dictionary<string, bool> formats = new() { ["human"] = false, ["json"] = true };
        return new(reader.Choice("level", LogLevel.Information, levels), reader.Choice("format", false, formats), reader.Flag("file", true));
    }

    public static bool CheckFiles(ConfigReader reader, string key, IReadOnlyList<string> paths)
    {
        bool good = true;
        foreach (string path in paths)
        {
            string? trouble = Readable(path);
            if (trouble is null || reader.Context.MayLackFiles && key is "passwd-file" or "aliases" && !File.Exists(path)) continue;
            good = false;
            reader.Problem(reader.PlaceOf(key), $"'{key}' names {path}: {trouble}");
        }
        return good;
    }

    private static string? Readable(string path)
    {
        try
        {
            using FileStream file = new(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            return null;
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException) { return "there is no such file"; }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException) { return $"cannot be read ({e.Message})"; }
    }
}
