using Posthorn.Core;
using Posthorn.Directory.Lookups;

namespace Posthorn.Directory.Aliases;

/// <summary>Aliases by pattern: a regexp or pcre table whose keys are whole addresses.</summary>
/// <param name="File">Where the table stands.</param>
/// <param name="Table">The table.</param>
/// <param name="Domains">The domains for which it speaks; none for all that are hosted.</param>
internal sealed record AliasPatterns(string File, TableContent Table, IReadOnlyList<DomainName> Domains)
{
    /// <summary>What an address becomes; null where no pattern fits. False when the table cannot say.</summary>
    public bool TryFind(EmailAddress address, out AliasEntry? entry)
    {
        entry = null;
        if (Domains.Count > 0 && !Domains.Contains(address.Domain)) return true;
        LookupResult result = Table.FindAddress(address.ToString()); // as it stands in mail: without its quotation marks a name may look like several addresses
        if (result is LookupResult.Found found) entry = AliasParser.ParseTargets(File, found.Value);
        return result is not LookupResult.Unavailable;
    }
}
