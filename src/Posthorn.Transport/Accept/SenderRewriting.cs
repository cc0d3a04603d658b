using System.Security.Cryptography;
using System.Text;
using Posthorn.Core;

namespace Posthorn.Transport.Accept;

/// <summary>The Sender Rewriting Scheme: mail that our aliases and scripts send on leaves under an address of ours, so that SPF holds at the next server; bounces to it find the way back.</summary>
/// <remarks>
/// <c>SRS0=HASH=DAY=domain=local@ours</c>, and <c>SRS1=HASH=first-forwarder==rest@ours</c> for what another forwarder has rewritten already (libsrs2's forms).
/// The hash is ours alone and names a day: without it anybody could send to anybody through us.
/// </remarks>
internal sealed class SenderRewriting(SenderRewritingOptions options)
{
    private const string Base32 = "abcdefghijklmnopqrstuvwxyz234567";

    /// <summary>Octets of the hash: 40 bits, and each guess costs a connection. Base 32, since some servers change the case of local parts.</summary>
    private const int HashOctets = 5;

    /// <summary>The days are counted modulo this, two characters of base 32.</summary>
    private const int DayCircle = 1024;

    /// <summary>The sender under which mail is sent on; the same when it cannot be rewritten.</summary>
    public ReversePath Forward(ReversePath from, DateTimeOffset now)
    {
        if (from.IsNull || from.Address.Domain == options.Domain) return from;
        string local = from.Address.LocalPart;
        string domain = from.Address.Domain.Ascii;
        string rewritten;
        if (IsForm(local, "SRS0"))
        {
            string rest = local[4..];
            rewritten = $"SRS1={Hash(domain, rest)}={domain}={rest}";
        }
        else if (IsForm(local, "SRS1") && Split(local) is { } known) rewritten = $"SRS1={Hash(known.Domain, known.Tail)}={known.Domain}={known.Tail}";
        else
        {
            string day = Day(now);
            rewritten = $"SRS0={Hash(day, domain, local)}={day}={domain}={local}";
        }
        return EmailAddress.TryCreate(rewritten, options.Domain, out EmailAddress address) ? ReversePath.Of(address) : from;
    }

    /// <summary>True for an address of this scheme in our domain, genuine or not.</summary>
    public bool IsOurs(EmailAddress address) => address.Domain == options.Domain && (IsForm(address.LocalPart, "SRS0") || IsForm(address.LocalPart, "SRS1"));

    /// <summary>The address that stands behind one of ours; false when we never made it or it is too old.</summary>
    public bool TryReverse(EmailAddress address, DateTimeOffset now, out EmailAddress original)
    {
        original = default;
        if (!IsOurs(address)) return false;
        if (IsForm(address.LocalPart, "SRS1"))
        {
            if (Split(address.LocalPart) is not { } known || !IsGenuine(known.Hash, Hash(known.Domain, known.Tail))) return false;
            return DomainName.TryCreate(known.Domain, out DomainName first) && EmailAddress.TryCreate("SRS0" + known.Tail, first, out original);
        }
        string[] parts = address.LocalPart[5..].Split('=', 4);
        if (parts.Length != 4 || !IsGenuine(parts[0], Hash(parts[1], parts[2], parts[3])) || !IsRecent(parts[1], now)) return false;
        return DomainName.TryCreate(parts[2], out DomainName domain) && EmailAddress.TryCreate(parts[3], domain, out original);
    }

    private static bool IsForm(string local, string form) => local.Length > 5 && local.StartsWith(form, StringComparison.OrdinalIgnoreCase) && local[4] is '=' or '-' or '+';

    // SRS1=HASH=domain=rest, where rest begins with the separator that stood behind SRS0.
    private static (string Hash, string Domain, string Tail)? Split(string local) => local[5..].Split('=', 3) is [string hash, string domain, string rest] ? (hash, domain, rest) : null;

    private string Hash(params ReadOnlySpan<string> parts)
    {
        string text = string.Join('=', parts.ToArray()).ToLowerInvariant();
        Span<byte> hash = stackalloc byte[HMACSHA256.HashSizeInBytes];
        HMACSHA256.HashData(options.Secret.Span, Encoding.UTF8.GetBytes(text), hash);
        StringBuilder coded = new(HashOctets * 8 / 5);
        ulong bits = 0;
        foreach (byte octet in hash[..HashOctets]) bits = bits << 8 | octet;
        for (int shift = HashOctets * 8 - 5; shift >= 0; shift -= 5) coded.Append(Base32[(int)(bits >> shift & 31)]);
        return coded.ToString();
    }

    private static bool IsGenuine(string given, string ours) => CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(given.ToLowerInvariant()), Encoding.UTF8.GetBytes(ours));

    private static string Day(DateTimeOffset now)
    {
        int day = (int)(now.ToUnixTimeSeconds() / 86400 % DayCircle);
        return $"{Base32[day >> 5]}{Base32[day & 31]}";
    }

    private bool IsRecent(string day, DateTimeOffset now)
    {
        for (int age = 0; age <= options.MaxAgeDays; age++)
            if (day.Equals(Day(now.AddDays(-age)), StringComparison.OrdinalIgnoreCase)) return true;
        return false;
    }
}
