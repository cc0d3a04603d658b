using Posthorn.Core;
using Posthorn.Directory;
using Posthorn.Directory.Lookups;

namespace Posthorn.Transport.Rewriting;

/// <summary>Asks the tables what addresses become. For one message; after a table could not say, <see cref="Failure"/> tells why, and nothing that it answered counts.</summary>
internal sealed class AddressRewriter(RewritingOptions options, LookupTables tables, IDirectory directory)
{
    /// <summary>How often a result is looked up again, as in Postfix's cleanup(8): longer chains are circles.</summary>
    private const int MaxSteps = 20;

    private readonly DirectorySplitter _splitter = new(directory);

    /// <summary>Why a table could not say; null while all could.</summary>
    public string? Failure { get; private set; }

    /// <summary>An address by <c>sender-canonical</c> or <c>recipient-canonical</c>, then by <c>canonical</c>; each as far as it speaks for the place where the address stands.</summary>
    public async ValueTask<EmailAddress> CanonicalAsync(EmailAddress address, AddressClasses place, CancellationToken cancel)
    {
        if ((options.SenderClasses & place) != 0) address = await MapAsync(options.SenderCanonical, address, cancel);
        if ((options.RecipientClasses & place) != 0) address = await MapAsync(options.RecipientCanonical, address, cancel);
        return (options.CanonicalClasses & place) != 0 ? await MapAsync(options.Canonical, address, cancel) : address;
    }

    /// <summary>An address of mail that leaves, by <c>generic</c>: looked up once, without what the key leaves out, as in Postfix's smtp(8).</summary>
    public async ValueTask<EmailAddress> GenericAsync(EmailAddress address, CancellationToken cancel)
    {
        if (options.Generic.Count == 0) return address;
        (string? value, string extension) = await FindAsync(options.Generic, address, cancel);
        return value is null ? address : Complete(value, address, extension, keepsExtension: false) ?? address;
    }

    /// <summary>An envelope after canonical(5), with the recipients of copies behind its own: after all checks, before aliases, as in Postfix's cleanup(8).</summary>
    public async ValueTask<(ReversePath From, IReadOnlyList<EnvelopeRecipient> Recipients)> EnvelopeAsync(ReversePath from, IEnumerable<EnvelopeRecipient> given, CancellationToken cancel)
    {
        if (!from.IsNull) from = ReversePath.Of(await CanonicalAsync(from.Address, AddressClasses.EnvelopeSender, cancel));
        List<EnvelopeRecipient> recipients = [];
        foreach (EnvelopeRecipient one in given)
        {
            recipients.Add(one.Readdressed(await CanonicalAsync(one.Address, AddressClasses.EnvelopeRecipient, cancel)));
        }
        foreach (EmailAddress copy in await CopiesAsync(from, recipients, cancel)) recipients.Add(new(copy, DsnNotify.Never, null));
        return (from, recipients);
    }

    /// <summary>Who gets copies, none twice and nobody who gets the message anyhow.</summary>
    public async ValueTask<IReadOnlyList<EmailAddress>> CopiesAsync(ReversePath from, IReadOnlyList<EnvelopeRecipient> recipients, CancellationToken cancel)
    {
        List<EmailAddress> copies = [];
        if (options.AlwaysBcc is { } always) Add(always);
        if (!from.IsNull && options.SenderBcc.Count > 0) await AddFromAsync(options.SenderBcc, from.Address);
        if (options.RecipientBcc.Count > 0)
            foreach (EnvelopeRecipient recipient in recipients) await AddFromAsync(options.RecipientBcc, recipient.Address);
        return copies;

        async ValueTask AddFromAsync(IReadOnlyList<string> names, EmailAddress key)
        {
            (string? value, _) = await FindAsync(names, key, cancel);
            if (value is not null && Complete(value, key, "", keepsExtension: false) is { } copy) Add(copy);
        }

        void Add(EmailAddress copy)
        {
            if (!copies.Contains(copy) && !recipients.Any(recipient => recipient.Address == copy)) copies.Add(copy);
        }
    }

    /// <summary>Where somebody is now, by <c>relocated</c>; null where nothing is written.</summary>
    public async ValueTask<string?> NewPlaceAsync(EmailAddress address, CancellationToken cancel) => (await FindAsync(options.Relocated, address, cancel)).Value;

    private async ValueTask<EmailAddress> MapAsync(IReadOnlyList<string> names, EmailAddress address, CancellationToken cancel)
    {
        if (names.Count == 0) return address;
        for (int step = 0; step < MaxSteps; step++)
        {
            (string? value, string extension) = await FindAsync(names, address, cancel);
            if (value is null || Complete(value, address, extension, keepsExtension: true) is not { } next || next == address) return address;
            address = next;
        }
        return address;
    }

    private async ValueTask<(string? Value, string Extension)> FindAsync(IReadOnlyList<string> names, EmailAddress address, CancellationToken cancel)
    {
        if (Failure is not null) return (null, "");
        (LookupResult result, string extension) = await LookupSearch.AddressAsync(tables.Find(names), address, _splitter, cancel);
        if (result is LookupResult.Unavailable unavailable) Failure = unavailable.Why;
        return ((result as LookupResult.Found)?.Value, extension);
    }

    // "user@domain", "user" of our own domain, "@domain" for the same user there; of several the first.
    private EmailAddress? Complete(string value, EmailAddress from, string extension, bool keepsExtension)
    {
        string text = value[..FirstEnd(value)].Trim();
        if (text.StartsWith('@')) return DomainName.TryCreate(text.AsSpan(1), out DomainName domain) && EmailAddress.TryCreate(keepsExtension ? from.LocalPart : from.LocalPart[..^extension.Length], domain, out EmailAddress moved) ? moved : null;
        if (!text.Contains('@', StringComparison.Ordinal)) text = $"{text}@{directory.DefaultDomain}";
        if (!EmailAddress.TryParse(text, out EmailAddress address)) return null;
        return keepsExtension && extension.Length > 0 && EmailAddress.TryCreate(address.LocalPart + extension, address.Domain, out EmailAddress extended) ? extended : address;
    }

    // Up to the first comma that stands in no quotation marks.
    private static int FirstEnd(string value)
    {
        bool quoted = false;
        for (int i = 0; i < value.Length; i++)
        {
            if (value[i] == '"') quoted = !quoted;
            else if (quoted && value[i] == '\\') i++;
            else if (!quoted && value[i] == ',') return i;
        }
        return value.Length;
    }
}
