using Posthorn.Core;

namespace Posthorn.Mime;

/// <summary>One mailbox of an address field (RFC 5322 section 3.4).</summary>
/// <param name="Name">The display name, decoded; empty if there is none.</param>
/// <param name="Mailbox">The local part without quotes; empty if the field has none.</param>
/// <param name="Host">The domain as it stands; empty if the field has none.</param>
/// <param name="Group">The name of the group that it stands in, or null.</param>
public readonly record struct MailAddress(string Name, string Mailbox, string Host, string? Group)
{
    /// <summary><c>mailbox@host</c>, unquoted; the mailbox alone if there is no host.</summary>
    public string Address => Host.Length == 0 ? Mailbox : $"{Mailbox}@{Host}";

    /// <summary>The address as a checked value; false if it has no host or is none that mail can go to.</summary>
    public bool TryGetEmailAddress(out EmailAddress address)
    {
        address = default;
        return DomainName.TryCreate(Host, out DomainName domain) && EmailAddress.TryCreate(Mailbox, domain, out address);
    }
}

/// <summary>Reads address fields: From, To, Cc and their like (RFC 5322 section 3.4, obsolete forms of section 4.4, RFC 6532). Garbage gives the nearest addresses, never an error.</summary>
public static class AddressList
{
    /// <summary>The mailboxes of a raw value, those in groups included; at most as many as the limit says.</summary>
    public static IReadOnlyList<MailAddress> Parse(ReadOnlySpan<byte> rawValue, MimeLimits limits)
    {
        List<MailAddress> found = [];
        Add(rawValue, limits, found);
        return found;
    }

    /// <summary>The mailboxes of all fields of that name in a header.</summary>
    public static IReadOnlyList<MailAddress> OfField(ReadOnlySpan<byte> header, ReadOnlySpan<byte> name, MimeLimits limits)
    {
        List<MailAddress> found = [];
        HeaderReader reader = new(header);
        int fields = 0;
        while (reader.MoveNext() && ++fields <= limits.MaxHeaderFields && reader.Position <= limits.MaxHeaderBytes)
            if (reader.Current.Is(name)) Add(reader.Current.RawValue, limits, found);
        return found;
    }

    private static void Add(ReadOnlySpan<byte> rawValue, MimeLimits limits, List<MailAddress> found)
    {
        AddressReader reader = new(rawValue, stackalloc byte[256], limits.MaxAddresses - found.Count);
        string? group = null;
        while (reader.MoveNext())
        {
            switch (reader.Token)
            {
                case AddressToken.GroupStart: group = EncodedWord.Decode(reader.Name); break;
                case AddressToken.GroupEnd: group = null; break;
                default:
                    found.Add(new(EncodedWord.Decode(reader.Name), Charsets.Guess.GetString(reader.LocalPart), Charsets.Guess.GetString(reader.Host), group));
                    break;
            }
        }
        reader.Dispose();
    }
}
