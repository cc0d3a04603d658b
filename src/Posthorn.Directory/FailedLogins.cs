using System.Net;
using Posthorn.Core;
using Posthorn.Net;

namespace Posthorn.Directory;

/// <summary>Counts failed logins by address, over all protocols, and lets nobody hear more of them than the limit.</summary>
/// <remarks>A password is looked at before its failure is counted, so many may be looked at at once; what came of those over the limit nobody is told.</remarks>
internal sealed class FailedLogins(TimeProvider time)
{
    /// <summary>Accounts whose failures from one address can be forgiven; some 20 MB at most. What finds no room is counted all the same, and not forgiven.</summary>
    private const int MaxForgivable = 100_000;

    private static readonly AuthOutcome.Temporary TooMany = new("Too many failed logins from your address, try again later");

    private readonly AddressRates _rates = new(time);
    private readonly RateTable<(IPAddress From, EmailAddress Account)> _forgivable = new(time, MaxForgivable);

    /// <summary>What the client is told instead of a check when so many have failed that no more is looked at; null to check.</summary>
    public AuthOutcome.Temporary? Shut(LoginContext context, DirectoryOptions options) => AddressOf(context, options) is { } address && _rates.IsOver(address, options.FailureRate) ? TooMany : null;

    /// <summary>A login has ended; what the client is told.</summary>
    /// <param name="context">Where it came from.</param>
    /// <param name="account">The account that the login means, if there is one. Its success forgives its own failures from there and no others: guesses at somebody else's password stay counted.</param>
    /// <param name="outcome">What came of it.</param>
    /// <param name="options">The limit.</param>
    public AuthOutcome Ended(LoginContext context, EmailAddress? account, AuthOutcome outcome, DirectoryOptions options)
    {
        if (AddressOf(context, options) is not { } address) return outcome;
        RateLimit limit = options.FailureRate;
        IPAddress group = AddressGroup.Of(address, limit.IPv6Prefix);
        switch (outcome)
        {
            case AuthOutcome.Success success:
                if (_rates.IsOver(address, limit)) return TooMany;
                _rates.TakeBack(address, _forgivable.Take((group, success.Account.Address), limit.Window), limit);
                return outcome;
            case AuthOutcome.Denied { Kind: not DenialKind.NotSecure }:
                if (!_rates.TryAdd(address, limit)) return TooMany;
                if (account is { } known) _forgivable.Add((group, known), 1, limit.Window);
                return outcome;
            default: return outcome;
        }
    }

    // Nobody is counted on a Unix socket or in a network of our own.
    private static IPAddress? AddressOf(LoginContext context, DirectoryOptions options)
    {
        if (!options.FailureRate.IsSet || context.RemoteAddress is not { } remote) return null;
        if (remote.IsIPv4MappedToIPv6) remote = remote.MapToIPv4();
        foreach (IPNetwork network in options.AuthTrustedNetworks)
            if (network.Contains(remote)) return null;
        return remote;
    }
}
