using System.Globalization;
using System.Net;
using System.Text;
using Posthorn.Transport.Policy.Rules;

namespace Posthorn.Transport.Policy.Delegation;

/// <summary>The attributes of a request (Postfix's SMTPD_POLICY_README, as of Postfix 3.2).</summary>
internal static class PolicyRequest
{
    public static async ValueTask<byte[]> WriteAsync(RuleFacts facts, CancellationToken cancel)
    {
        ClientContext client = facts.Client;
        ClientName name = await facts.Context.NameAsync(cancel);
        Envelope? envelope = facts.Envelope;
        StringBuilder text = new(1024);
        Add(text, "request", "smtpd_access_policy");
        Add(text, "protocol_state", StateOf(facts));
        Add(text, "protocol_name", client.Role == ListenerRole.Lmtp ? "LMTP" : client.IsExtended ? "ESMTP" : "SMTP");
        Add(text, "client_address", client.IsAddressKnown ? client.Address.ToString() : "unknown");
        Add(text, "client_name", name.Verified ?? "unknown");
        Add(text, "client_port", client.Port == 0 ? "" : client.Port.ToString(CultureInfo.InvariantCulture));
        Add(text, "reverse_client_name", name.Reverse ?? "unknown");
        Add(text, "server_address", (client.LocalEndPoint as IPEndPoint)?.Address.ToString() ?? "");
        Add(text, "server_port", (client.LocalEndPoint as IPEndPoint)?.Port.ToString(CultureInfo.InvariantCulture) ?? "");
        Add(text, "helo_name", client.Helo);
        Add(text, "queue_id", envelope?.Id.Value ?? "");
        // One and the same for all requests about one message.
        Add(text, "instance", envelope is null ? client.Session.ToString() : $"{client.Session}.{envelope.Id}");
        Add(text, "sender", envelope?.From.ToString() ?? "");
        Add(text, "recipient", facts.Recipient?.Address.ToString() ?? (envelope?.Recipients is [var only] ? only.Address.ToString() : ""));
        // Before DATA Postfix does not count.
        Add(text, "recipient_count", facts.Stage >= CheckStage.Data && envelope is not null ? envelope.Recipients.Count.ToString(CultureInfo.InvariantCulture) : "0");
        Add(text, "sasl_method", client.Mechanism ?? "");
        Add(text, "sasl_username", client.Account?.Address.ToString() ?? "");
        Add(text, "sasl_sender", "");
        Add(text, "size", SizeOf(facts).ToString(CultureInfo.InvariantCulture));
        Add(text, "ccert_subject", "");
        Add(text, "ccert_issuer", "");
        Add(text, "ccert_fingerprint", "");
        Add(text, "ccert_pubkey_fingerprint", "");
        Add(text, "encryption_protocol", client.Tls is { } tls ? tls.ToString().Split(' ')[0] : "");
        Add(text, "encryption_cipher", client.Tls?.Cipher.ToString() ?? "");
        Add(text, "encryption_keysize", client.Tls?.Bits.ToString(CultureInfo.InvariantCulture) ?? "0");
        Add(text, "etrn_domain", "");
        Add(text, "stress", "");
        Add(text, "policy_context", "");
        text.Append('\n');
        return Encoding.UTF8.GetBytes(text.ToString());
    }

    private static string StateOf(RuleFacts facts) => facts.Stage switch
    {
        CheckStage.Connect => "CONNECT",
        CheckStage.Helo => facts.Client.IsExtended ? "EHLO" : "HELO",
        CheckStage.Sender => "MAIL",
        CheckStage.Recipient => "RCPT",
        CheckStage.Data => "DATA",
        _ => "END-OF-MESSAGE",
    };

    private static long SizeOf(RuleFacts facts) => facts.Draft is { } draft ? draft.Size : facts.Envelope?.DeclaredSize ?? 0;

    // A line end in a value would begin another attribute.
    private static void Add(StringBuilder text, string name, string value)
    {
        text.Append(name).Append('=');
        foreach (char c in value) text.Append(char.IsControl(c) ? '?' : c);
        text.Append('\n');
    }
}
