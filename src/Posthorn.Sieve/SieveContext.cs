using Posthorn.Core;
using Posthorn.Sieve.Messages;

namespace Posthorn.Sieve;

/// <summary>The envelope as the envelope test sees it (RFC 5228 section 5.4, RFC 6009).</summary>
public sealed record SieveEnvelope
{
    /// <summary>The sender without brackets; empty for the null path.</summary>
    public string From { get; init; } = "";

    /// <summary>The recipient for whom the script runs.</summary>
    public string To { get; init; } = "";

    /// <summary>The recipient before aliases.</summary>
    public string? OriginalTo { get; init; }

    /// <summary>The name under which the sender logged in.</summary>
    public string? Auth { get; init; }

    /// <summary>The conditions of NOTIFY.</summary>
    public IReadOnlyList<string> Notify { get; init; } = [];

    /// <summary>ORCPT, decoded, with its address type.</summary>
    public string? OriginalRecipient { get; init; }

    /// <summary>RET.</summary>
    public string? Return { get; init; }

    /// <summary>ENVID, decoded.</summary>
    public string? EnvelopeId { get; init; }

    /// <summary>BY: seconds left; negative when late.</summary>
    public long? DeliverBySeconds { get; init; }

    /// <summary>BY: return (true) or notify.</summary>
    public bool DeliverByReturn { get; init; }

    /// <summary>BY: trace.</summary>
    public bool DeliverByTrace { get; init; }

    /// <summary>As a delivery agent without an envelope would guess it from the header: for trying scripts by hand.</summary>
    public static SieveEnvelope Guess(ISieveMessage message)
    {
        List<HeaderField> fields = HeaderField.Split(message.Read(0, message.Root.BodyStart), message, 1000);
        string First(string fallback, params string[] names)
        {
            foreach (string name in names)
                if (fields.Find(f => f.IsNamed(name)) is { } field && AddressParser.Parse(field.Unfolded) is [{ IsValid: true } address, ..]) return address.All;
            return fallback;
        }
        string to = First("recipient@example.com", "Envelope-To", "To");
        return new() { From = First("sender@example.com", "Return-Path", "Sender", "From"), To = to, OriginalTo = to };
    }
}

/// <summary>The envelope sender of redirected mail.</summary>
public enum SieveSenderPolicy
{
    /// <summary>The sender of the message.</summary>
    Sender,
    /// <summary>The final recipient.</summary>
    Recipient,
    /// <summary>The recipient before aliases.</summary>
    OriginalRecipient,
    /// <summary>The owner's address.</summary>
    Owner,
    /// <summary>The postmaster.</summary>
    Postmaster,
    /// <summary>A fixed address.</summary>
    Fixed,
}

/// <summary>A choice of envelope sender, with the address where it is fixed.</summary>
public sealed record SieveSender(SieveSenderPolicy Policy, string? Address = null);

/// <summary>Everything about one run but the script and the message.</summary>
public sealed record SieveContext
{
    public required SieveEnvelope Envelope { get; init; }

    /// <summary>The owner of the script.</summary>
    public EmailAddress? Owner { get; init; }

    /// <summary>Other addresses that are the owner's (RFC 5230 section 4.5).</summary>
    public IReadOnlyList<EmailAddress> OwnerAliases { get; init; } = [];

    /// <summary>The host that runs the script, a full name.</summary>
    public string HostName { get; init; } = "localhost";

    /// <summary>Who writes reports, and gets those about ours.</summary>
    public string Postmaster { get; init; } = "postmaster@localhost";

    /// <summary>The message's id in the system; ids of mail that the script sends begin with it.</summary>
    public string DeliveryId { get; init; } = "sieve";

    /// <summary>The clock and the local time zone.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>Items of the environment test beside those that the engine knows (RFC 5183, RFC 6785 section 4).</summary>
    public IReadOnlyDictionary<string, string> Environment { get; init; } = new Dictionary<string, string>();

    /// <summary>The script runs for an IMAP event, not a delivery (RFC 6785).</summary>
    public bool IsImapEvent { get; init; }

    /// <summary>The message's flags when an IMAP event begins.</summary>
    public IReadOnlyList<string> InitialFlags { get; init; } = [];

    /// <summary>Makes messages of octets; without it replace, enclose and filter fail.</summary>
    public SieveMessageParser? Parser { get; init; }

    public ISieveTrace? Trace { get; init; }
}
