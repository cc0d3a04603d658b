using Posthorn.Core;
using Posthorn.Directory;
using Posthorn.Directory.Lookups;

namespace Posthorn.Transport.Accept;

/// <summary>Under which addresses an account may send.</summary>
public enum SenderRight
{
    /// <summary>It may.</summary>
    Granted,
    /// <summary>It may not.</summary>
    Denied,
    /// <summary>A table that would say cannot be read now.</summary>
    Unknown,
}

/// <summary>Says under which addresses accounts may send: what the directory says (one's own, aliases), and beyond that tables in the format of Postfix's smtpd_sender_login_maps, which name the logins of an address.</summary>
internal sealed class SenderRights(IDirectory directory, LookupTables? tables, IReadOnlyList<string> names)
{
    private static readonly char[] Separators = [',', ' ', '\t'];

    public async ValueTask<SenderRight> OfAsync(MailAccount account, ReversePath from, CancellationToken cancel)
    {
        if (directory.MaySendAs(account, from)) return SenderRight.Granted;
        switch (await FindAsync(from, cancel))
        {
            case LookupResult.Found found:
                string[] logins = found.Value.Split(Separators, StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
                return logins.Any(login => directory.FindLogin(login) is { } owner && owner.Address == account.Address) ? SenderRight.Granted : SenderRight.Denied;
            case LookupResult.Unavailable: return SenderRight.Unknown;
            default: return SenderRight.Denied;
        }
    }

    /// <summary>Whether an address is somebody's here, so that not everybody may send under it; null when a table cannot say.</summary>
    public async ValueTask<bool?> IsOwnedAsync(ReversePath from, CancellationToken cancel)
    {
        if (from.IsNull) return false;
        if (directory.Resolve(from.Address) is Resolution.Recipients) return true;
        return await FindAsync(from, cancel) switch { LookupResult.Found => true, LookupResult.Unavailable => null, _ => false };
    }

    private async ValueTask<LookupResult> FindAsync(ReversePath from, CancellationToken cancel)
    {
        if (names.Count == 0 || tables is null || from.IsNull) return LookupResult.None;
        return (await LookupSearch.AddressAsync(tables.Find(names), from.Address, new DirectorySplitter(directory), cancel)).Result;
    }
}
