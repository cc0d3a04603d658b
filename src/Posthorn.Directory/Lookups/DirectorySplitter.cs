using Posthorn.Core;

namespace Posthorn.Directory.Lookups;

/// <summary>Extensions as our domains have them; those of other domains as the default domain has them, for Postfix has one delimiter for all.</summary>
public sealed class DirectorySplitter(IDirectory directory) : IAddressSplitter
{
    public string Split(EmailAddress address, out string extension)
    {
        extension = directory.DetailInTables(address) is { } detail ? address.LocalPart[^(detail.Length + 1)..] : "";
        return address.LocalPart[..^extension.Length];
    }

    public bool IsOwn(DomainName domain) => directory.IsLocalDomain(domain);
}
