using System.Net;
using Posthorn.Core;
using Posthorn.Directory.Passwords;

namespace Posthorn.Directory.Files;

/// <summary>One line of a passwd-file.</summary>
/// <param name="User">The part of the key before the <c>@</c>.</param>
/// <param name="Domain">The part after it, or null.</param>
internal sealed record PasswdEntry(string File, int Line, string User, DomainName? Domain)
{
    /// <summary>The password to compare with; null when the field is empty or cannot be used.</summary>
    public StoredPassword? Password { get; init; }

    /// <summary>Dovecot's <c>nopassword</c>: any password will do.</summary>
    public bool NoPassword { get; init; }

    /// <summary>Dovecot's <c>allow_nets</c>; null for everywhere.</summary>
    public IReadOnlyList<IPNetwork>? AllowNets { get; init; }

    /// <summary><c>local</c> in <c>allow_nets</c>: Unix sockets.</summary>
    public bool AllowLocal { get; init; }

    public string? Home { get; init; }
    public string? Mail { get; init; }

    /// <summary>What Dovecot 2.4 says in fields of their own and 2.3 behind the location, as the latter writes it.</summary>
    public string MailOptions { get; init; } = "";
    public long? QuotaBytes { get; init; }
    public long? QuotaMessages { get; init; }

    /// <summary>The owner of the mail in the file's view; ours is always the service user. For <c>check</c>.</summary>
    public string? Uid { get; init; }

    public bool Admits(IPAddress? remote)
    {
        if (AllowNets is null) return true;
        if (remote is null) return AllowLocal;
        IPAddress address = remote.IsIPv4MappedToIPv6 ? remote.MapToIPv4() : remote;
        foreach (IPNetwork network in AllowNets)
            if (network.Contains(address)) return true;
        return false;
    }
}

/// <summary>A whole passwd-file: the lines that can be used, and what is wrong with the others.</summary>
internal sealed record PasswdTable(IReadOnlyList<PasswdEntry> Entries, IReadOnlyList<DirectoryProblem> Problems);
