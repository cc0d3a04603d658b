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

    public static RewritingOptions Read(ConfigReader reader) => new()
    {
        Canonical = LookupBinder.Names(reader, "canonical"),
        SenderCanonical = LookupBinder.Names(reader, "sender-canonical"),
        RecipientCanonical = LookupBinder.Names(reader, "recipient-canonical"),
        Generic = LookupBinder.Names(reader, "generic"),
        Relocated = LookupBinder.Names(reader, "relocated"),
        SenderBcc = LookupBinder.Names(reader, "sender-bcc"),
        RecipientBcc = LookupBinder.Names(reader, "recipient-bcc"),
        AlwaysBcc = Address(reader, "always-bcc"),
        Headers = reader.Choice("headers", HeaderRewriting.Local, Whose),
    };

    private static EmailAddress? Address(ConfigReader reader, string key)
    {
        if (reader.OptionalText(key) is not { } text) return null;
        if (EmailAddress.TryParse(text, out EmailAddress address)) return address;
        reader.Problem(reader.PlaceOf(key), $"'{reader.PathOf(key)}' is \"{text}\"; expected an address such as \"archive@example.org\"");
        return null;
    }
}
