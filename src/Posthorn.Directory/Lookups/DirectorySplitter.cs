using Posthorn.Core;

namespace Posthorn.Directory.Lookups;

/// <summary>Extensions as our domains have them; addresses of other domains have none.</summary>
public sealed class DirectorySplitter(IDirectory directory) : IAddressSplitter
{
    public string Split(EmailAddress address, out string extension)
    {
        extension = directory.Detail(address) is { } detail ? address.LocalPart[^(detail.Length + 1)..] : "";
        return address.LocalPart[..^extension.Length];
    }

    public bool IsOwn(DomainName domain) => directory.IsLocalDomain(domain);
}
