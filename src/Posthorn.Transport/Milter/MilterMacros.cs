using System.Buffers;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Posthorn.Core;
using Posthorn.Transport.Policy;

namespace Posthorn.Transport.Milter;

/// <summary>Macros: what filters may ask of a session by Sendmail's names. A macro without a value is not sent.</summary>
internal sealed class MilterMacros(MilterServices services, string daemonName)
{
    /// <summary>What is sent at each stage to filters that do not choose (as Postfix does), in the order of <see cref="MilterStage"/>.</summary>
    private static readonly string[][] Usual =
    [
        ["j", "{daemon_name}", "{daemon_addr}", "{daemon_port}", "v", "_", "{client_name}", "{client_addr}", "{client_port}", "{client_ptr}", "{client_connections}"],
        ["{tls_version}", "{cipher}", "{cipher_bits}", "{cert_subject}", "{cert_issuer}"],
        ["i", "{auth_type}", "{auth_authen}", "{auth_author}", "{mail_addr}", "{mail_host}", "{mail_mailer}"],
        ["i", "{rcpt_addr}", "{rcpt_host}", "{rcpt_mailer}"],
        ["i"],
        ["i"],
        ["i"],
    ];

    private static readonly string Software = $"Posthorn {typeof(MilterMacros).Assembly.GetName().Version?.ToString(3)}";

    /// <summary>The session as it is now.</summary>
    public required ClientContext Client { get; set; }

    /// <summary>What the DNS calls the Client.</summary>
    public ClientName Name { get; set; } = ClientName.Unknown;

    /// <summary>The client comes over a Unix socket.</summary>
    public bool IsUnixSocket => Client is { Port: 0, LocalEndPoint: not IPEndPoint };

    /// <summary>Sendmail's form of an address: IPv6 with its family before it.</summary>
    public static string Shown(IPAddress address) => address.AddressFamily == AddressFamily.InterNetworkV6 ? $"IPv6:{address}" : address.ToString();

    /// <summary>The open transaction; null outside one.</summary>
    public Envelope? Envelope { get; set; }

    /// <summary>The sender as it is now: a filter may have changed it.</summary>
    public ReversePath? Sender { get; set; }

    /// <summary>The recipient that is told of.</summary>
    public EmailAddress? Recipient { get; set; }

    /// <summary>Why that recipient is refused; null when it is taken.</summary>
    public SmtpReply? RecipientRefusal { get; set; }

    /// <summary>Writes the macros of a stage; false when none has a value.</summary>
    public bool Write(ArrayBufferWriter<byte> into, byte command, MilterStage stage, MilterTerms terms)
    {
        IReadOnlyList<string> names = terms.Macros.Count > (int)stage && terms.Macros[(int)stage] is { } chosen ? chosen : Usual[(int)stage];
        into.Write([command]);
        foreach (string name in names)
            if (Find(name) is { Length: > 0 } value) MilterConnection.WriteTexts(into, name, value);
        return into.WrittenCount > 1;
    }

    /// <summary>A macro's value; null when it has none now.</summary>
    public string? Find(string name)
    {
        return name.Trim('{', '}') switch
        {
            "j" => services.Hostname,
            "v" => Software,
            "_" => $"{Name.Verified ?? Unknown} [{Peer}]",
            "i" => Envelope?.Id.Value,
            "s" => Client.Helo,
            "daemon_name" => daemonName,
            "daemon_addr" => Local is { } address ? Shown(address.Address) : null,
            "daemon_port" => Local?.Port.ToString(CultureInfo.InvariantCulture),
            "client_name" => Name.Verified ?? Unknown,
            "client_addr" => Peer,
            "client_port" => Client.Port == 0 ? null : Client.Port.ToString(CultureInfo.InvariantCulture),
            "client_ptr" => Name.Reverse ?? Unknown,
            "client_resolve" => Name.Verified is not null ? "OK" : Name.IsTemporary ? "TEMP" : "FAIL",
            "client_connections" => services.Connections(Client.Address).ToString(CultureInfo.InvariantCulture),
            "if_addr" => Local is { } near ? Shown(near.Address) : null,
            "tls_version" => Client.Tls?.Version,
            "cipher" => Client.Tls?.Cipher.ToString(),
            "cipher_bits" => Client.Tls?.Bits.ToString(CultureInfo.InvariantCulture),
            "auth_type" => Client.Mechanism,
            "auth_authen" => Client.Account?.Address.ToString(),
            "mail_addr" => Sender?.ToString(),
            "mail_host" => Sender is { IsNull: false } from ? HostOf(from.Address) : null,
            "mail_mailer" => Sender is { IsNull: false } sender ? MailerOf(sender.Address) : null,
            "rcpt_addr" => RecipientRefusal is { } refusal ? refusal.Text : Recipient?.ToString(),
            "rcpt_host" => RecipientRefusal is { } why ? why.Status : Recipient is { } to ? HostOf(to) : null,
            "rcpt_mailer" => RecipientRefusal is not null ? "error" : Recipient is { } rcpt ? MailerOf(rcpt) : null,
            "nrcpts" => Envelope?.Recipients.Count.ToString(CultureInfo.InvariantCulture),
            _ => null, // {cert_subject} and {cert_issuer}: clients are not asked for certificates
        };
    }

    private const string Unknown = "unknown";

    private string Peer => Client.IsAddressKnown ? Shown(Client.Address) : Unknown;

    private IPEndPoint? Local => Client.LocalEndPoint is IPEndPoint ip ? new(ip.Address.IsIPv4MappedToIPv6 ? ip.Address.MapToIPv4() : ip.Address, ip.Port) : null;

    private static string HostOf(EmailAddress address) => address.Domain.Ascii;

    private string MailerOf(EmailAddress address) => services.IsLocal(address.Domain) ? "local" : "smtp";
}
