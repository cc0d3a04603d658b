using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Posthorn.Core;
using Posthorn.Transport.Remote;

namespace Posthorn.Transport.Policy.Rules;

/// <summary>What a DNS list is asked about.</summary>
public enum DnsListSubject
{
    /// <summary>The client's address (DNSBL, DNSWL; RFC 5782).</summary>
    Client,
    /// <summary>The client's verified name.</summary>
    ClientName,
    /// <summary>The name in EHLO.</summary>
    Helo,
    /// <summary>The domain of the sender (RHSBL).</summary>
    Sender,
    /// <summary>The domain of the recipient.</summary>
    Recipient,
}

/// <summary>A list in the DNS with the answers that count, and how much: <c>[subject:]zone[=filter][*score]</c>, as Postfix's postscreen_dnsbl_sites.</summary>
public sealed class DnsList
{
    private readonly (int Low, int High)[][]? _filter;

    private DnsList(string zone, DnsListSubject subject, (int, int)[][]? filter, int score) => (Zone, Subject, _filter, Score) = (zone, subject, filter, score);

    public string Zone { get; }
    public DnsListSubject Subject { get; }
    public int Score { get; }

    /// <summary>The earliest stage at which it can be asked.</summary>
    public CheckStage KnownAt => Subject switch
    {
        DnsListSubject.Helo => CheckStage.Helo,
        DnsListSubject.Sender => CheckStage.Sender,
        DnsListSubject.Recipient => CheckStage.Recipient,
        _ => CheckStage.Connect,
    };

    /// <summary>Reads one; null when it is none.</summary>
    public static DnsList? Read(string text)
    {
        DnsListSubject subject = DnsListSubject.Client;
        int colon = text.IndexOf(':', StringComparison.Ordinal);
        if (colon >= 0)
        {
            switch (text[..colon])
            {
                case "client": break;
                case "client-name": subject = DnsListSubject.ClientName; break;
                case "helo": subject = DnsListSubject.Helo; break;
                case "sender": subject = DnsListSubject.Sender; break;
                case "recipient": subject = DnsListSubject.Recipient; break;
                default: return null;
            }
            text = text[(colon + 1)..];
        }
        int score = 1, star = text.LastIndexOf('*');
        if (star >= 0)
        {
            if (!int.TryParse(text.AsSpan(star + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out score) || Math.Abs(score) > 1000) return null;
            text = text[..star];
        }
        (int, int)[][]? filter = null;
        int equals = text.IndexOf('=', StringComparison.Ordinal);
        if (equals >= 0)
        {
            filter = ReadFilter(text[(equals + 1)..]);
            if (filter is null) return null;
            text = text[..equals];
        }
        return DomainName.TryCreate(text, out DomainName zone) && !zone.IsAddressLiteral ? new(zone.Ascii, subject, filter, score) : null;
    }

    /// <summary>The name to ask for; null when there is nothing to ask about.</summary>
    internal async ValueTask<string?> QuestionAsync(RuleFacts facts, CancellationToken cancel)
    {
        string? subject = Subject switch
        {
            DnsListSubject.Client => facts.Client.IsAddressKnown ? Reversed(facts.Client.Address) : null,
            DnsListSubject.ClientName => (await facts.Context.NameAsync(cancel)).Verified,
            DnsListSubject.Helo => NameOf(facts.Client.Helo),
            DnsListSubject.Sender => facts.Envelope is { From: { IsNull: false } from } ? NameOf(from.Address.Domain.Ascii) : null,
            _ => facts.Recipient is { } recipient ? NameOf(recipient.Address.Domain.Ascii) : null,
        };
        return subject is { Length: > 0 } ? $"{subject}.{Zone}" : null;
    }

    /// <summary>Whether an answer counts. Lists say their own troubles (a resolver that is not welcome, too many questions) in 127.255.255.0/24: that is no listing, for anybody.</summary>
    public bool Counts(IPAddress answer)
    {
        Span<byte> octets = stackalloc byte[4];
        if (answer.AddressFamily != AddressFamily.InterNetwork || !answer.TryWriteBytes(octets, out _) || octets[0] != 127) return false;
        if (octets is [_, 255, 255, _]) return false;
        if (_filter is null) return true;
        for (int i = 0; i < 4; i++)
        {
            int octet = octets[i];
            if (!Array.Exists(_filter[i], range => octet >= range.Low && octet <= range.High)) return false;
        }
        return true;
    }

    // Four numbers, or in brackets several of them and ranges: 127.0.0.[2..4;9].
    private static (int, int)[][]? ReadFilter(string text)
    {
        List<(int, int)[]> octets = [];
        while (text.Length > 0)
        {
            string part;
            if (text[0] == '[')
            {
                int end = text.IndexOf(']', StringComparison.Ordinal);
                if (end < 0) return null;
                (part, text) = (text[1..end], text[(end + 1)..]);
            }
            else
            {
                int dot = text.IndexOf('.', StringComparison.Ordinal);
                (part, text) = dot < 0 ? (text, "") : (text[..dot], text[dot..]);
            }
            List<(int, int)> ranges = [];
            foreach (string piece in part.Split(';'))
            {
                string[] ends = piece.Split("..");
                if (ends.Length > 2 || !byte.TryParse(ends[0], NumberStyles.None, CultureInfo.InvariantCulture, out byte low) || !byte.TryParse(ends[^1], NumberStyles.None, CultureInfo.InvariantCulture, out byte high)) return null;
                ranges.Add((low, high));
            }
            octets.Add([.. ranges]);
            if (text.Length == 0) break;
            if (text[0] != '.' || text.Length == 1) return null;
            text = text[1..];
        }
        return octets.Count == 4 ? [.. octets] : null;
    }

    // RFC 5782 sections 2.1 and 2.4.
    internal static string Reversed(IPAddress address)
    {
        byte[] octets = address.GetAddressBytes();
        StringBuilder name = new(64);
        for (int i = octets.Length - 1; i >= 0; i--)
        {
            if (octets.Length == 4) name.Append(CultureInfo.InvariantCulture, $".{octets[i]}");
            else name.Append(CultureInfo.InvariantCulture, $".{octets[i] & 15:x}.{octets[i] >> 4:x}");
        }
        return name.ToString(1, name.Length - 1);
    }

    private static string? NameOf(string text) => DomainName.TryCreate(text, out DomainName name) && !name.IsAddressLiteral ? name.Ascii : null;
}

/// <summary>The scores of these lists come to a sum. Users who have logged in and trusted networks are on no list: their addresses are dynamic, and nobody's business.</summary>
public sealed record IsListed(IReadOnlyList<DnsList> Lists, int Threshold) : IRuleCondition
{
    public CheckStage KnownAt => Lists.Max(list => list.KnownAt);

    public async ValueTask<bool> HoldsAsync(RuleFacts facts, CancellationToken cancel)
    {
        if (facts.Client.Account is not null || facts.Client.IsTrusted) return false;
        // Whatever the names need is found out first, and what the answers are is said when all are there: nothing of a session is touched by two at once.
        List<(DnsList List, string? Name)> questions = [];
        foreach (DnsList list in Lists) questions.Add((list, await list.QuestionAsync(facts, cancel)));
        AddressAnswer?[] answers = await Task.WhenAll(questions.Select(one => one.Name is { } name ? facts.ListedAsync(name, cancel) : Task.FromResult<AddressAnswer?>(null)));
        bool[] counts = [.. answers.Select((answer, i) => answer is not null && Judge(facts, Lists[i], answer))];
        int sum = Lists.Where((_, i) => counts[i]).Sum(list => list.Score);
        if (sum < Threshold) return false;
        facts.ListName = string.Join(", ", Lists.Where((list, i) => counts[i] && list.Score > 0).Select(list => list.Zone).Distinct());
        return true;
    }

    private static bool Judge(RuleFacts facts, DnsList list, AddressAnswer answer)
    {
        if (answer.Status == DnsStatus.Failed) facts.Context.Remark(new(facts.Stage, list.Zone, "the list does not answer", IsDecision: false));
        bool counts = answer.Addresses.Any(list.Counts);
        if (answer.Addresses.Count > 0)
            facts.Context.Remark(new(facts.Stage, list.Zone, $"answers {string.Join(", ", answer.Addresses)}{(counts ? string.Create(CultureInfo.InvariantCulture, $", score {list.Score}") : ", which does not count")}", IsDecision: false));
        return counts;
    }
}
