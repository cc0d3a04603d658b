using System.Text;
using Posthorn.Core;
using Posthorn.Sieve;
using Posthorn.Transport.Filtering;

namespace Posthorn.Filtering;

/// <summary>The envelope that a stored message came with, as well as its lines of the delivery tell it: Return-Path, Delivered-To, and the topmost Received.</summary>
/// <param name="AsItCame">The message without the lines that its delivery put before it, which no script saw.</param>
/// <param name="IsGuess">None of those lines is there: From, Sender and To have to do.</param>
internal sealed record StoredEnvelope(SieveEnvelope Envelope, ReadOnlyMemory<byte> AsItCame, bool IsGuess)
{
    // The header is looked at no further: trace lines stand at its top.
    private const int MaxHeader = 64 * 1024;

    public static StoredEnvelope Guess(ReadOnlyMemory<byte> octets, MailAccount account)
    {
        List<(string Name, string Value, int End)> fields = Top(octets.Span);
        string? First(params string[] names) => fields.Find(f => names.Contains(f.Name, StringComparer.OrdinalIgnoreCase)).Value;
        string? sender = First("Return-Path"), delivered = First("Delivered-To", "X-Envelope-To", "Envelope-To"), original = First("X-Original-To", "Envelope-To");
        string? named = First("Received") is { } received ? ForClause(received) : null;
        SieveEnvelope guess = SieveEnvelope.Guess(MimeSieveMessage.Parse(octets));
        string own = account.Address.ToString();
        string to = Address(delivered) ?? Address(named) ?? own;
        // The trace lines of another hop name somebody else's mailbox.
        if (!EmailAddress.TryParse(to, out EmailAddress parsed) || parsed.Domain != account.Address.Domain) to = own;
        SieveEnvelope envelope = new()
        {
            From = sender is null ? guess.From : sender.Trim() is "<>" or "" ? "" : Address(sender) ?? guess.From,
            To = to,
            OriginalTo = Address(original) ?? Address(named) ?? to,
        };
        int prefix = fields is [("Return-Path", _, _), ("Delivered-To", _, var end), ..] ? end : 0;
        return new(envelope, octets[prefix..], sender is null && delivered is null && named is null);
    }

    private static string? Address(string? text) => text is not null && EmailAddress.TryParse(text.Trim().Trim('<', '>'), out EmailAddress address) ? address.ToString() : null;

    // "… for <address>; date" (RFC 5321 section 4.4)
    private static string? ForClause(string received)
    {
        int at = received.IndexOf(" for <", StringComparison.OrdinalIgnoreCase);
        int close = at < 0 ? -1 : received.IndexOf('>', at);
        return close < 0 ? null : received[(at + 6)..close];
    }

    private static List<(string Name, string Value, int End)> Top(ReadOnlySpan<byte> octets)
    {
        List<(string, string, int)> fields = [];
        for (int at = 0; at < Math.Min(octets.Length, MaxHeader);)
        {
            int end = LineEnd(octets, at);
            while (end < octets.Length && octets[end] is (byte)' ' or (byte)'\t') end = LineEnd(octets, end);
            int colon = octets[at..end].IndexOf((byte)':');
            if (colon <= 0) break;
            string value = Encoding.UTF8.GetString(octets[(at + colon + 1)..end]).ReplaceLineEndings("").Replace('\t', ' ').Trim();
            fields.Add((Encoding.ASCII.GetString(octets.Slice(at, colon)).Trim(), value, end));
            at = end;
        }
        return fields;
    }

    private static int LineEnd(ReadOnlySpan<byte> octets, int at) => octets[at..].IndexOf((byte)'\n') is >= 0 and int length ? at + length + 1 : octets.Length;
}
