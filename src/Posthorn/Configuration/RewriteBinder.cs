using Posthorn.Core;
using Posthorn.Transport.Rewriting;

namespace Posthorn.Configuration;

/// <summary><c>[rewrite]</c>: what addresses become, and who gets copies.</summary>
internal static class RewriteBinder
{
    private static readonly Dictionary<string, HeaderRewriting> Whose = new()
    {
        ["none"] = HeaderRewriting.None, ["local"] = HeaderRewriting.Local, ["ours"] = HeaderRewriting.Ours, ["all"] = HeaderRewriting.All,
    };

    private static readonly Dictionary<string, AddressClasses> Places = new()
    {
        ["envelope-sender"] = AddressClasses.EnvelopeSender, ["header-sender"] = AddressClasses.HeaderSender, ["envelope-recipient"] = AddressClasses.EnvelopeRecipient, ["header-recipient"] = AddressClasses.HeaderRecipient,
    };

    public static RewritingOptions Read(ConfigReader reader) => new()
    {
        Canonical = LookupBinder.Names(reader, "canonical"),
        SenderCanonical = LookupBinder.Names(reader, "sender-canonical"),
        RecipientCanonical = LookupBinder.Names(reader, "recipient-canonical"),
        CanonicalClasses = Classes(reader, "canonical-classes", AddressClasses.All),
        SenderClasses = Classes(reader, "sender-canonical-classes", AddressClasses.Senders),
        RecipientClasses = Classes(reader, "recipient-canonical-classes", AddressClasses.Recipients),
        Generic = LookupBinder.Names(reader, "generic"),
        Relocated = LookupBinder.Names(reader, "relocated"),
        SenderBcc = LookupBinder.Names(reader, "sender-bcc"),
        RecipientBcc = LookupBinder.Names(reader, "recipient-bcc"),
        AlwaysBcc = Address(reader, "always-bcc"),
        Headers = reader.Choice("headers", HeaderRewriting.Local, Whose),
    };

    private static AddressClasses Classes(ConfigReader reader, string key, AddressClasses all)
    {
        AddressClasses classes = AddressClasses.None;
        IReadOnlyList<string> words = reader.Texts(key, []);
        if (!reader.Has(key)) return all;
        foreach (string word in words)
        {
            if (Places.TryGetValue(word, out AddressClasses place) && (all & place) != 0) classes |= place;
            else reader.Problem(reader.PlaceOf(key), $"'{reader.PathOf(key)}' has \"{word}\"; expected some of {string.Join(", ", Places.Where(one => (all & one.Value) != 0).Select(one => $"\"{one.Key}\""))}");
        }
        return classes;
    }

    private static EmailAddress? Address(ConfigReader reader, string key)
    {
        if (reader.OptionalText(key) is not { } text) return null;
        if (EmailAddress.TryParse(text, out EmailAddress address)) return address;
        reader.Problem(reader.PlaceOf(key), $"'{reader.PathOf(key)}' is \"{text}\"; expected an address such as \"archive@example.org\"");
        return null;
    }
}
