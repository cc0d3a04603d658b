using System.Net;
using Posthorn.Net;

namespace Posthorn.Directory;

/// <summary>Counts failed logins by address, over all protocols.</summary>
internal sealed class FailedLogins(TimeProvider time)
{
    private readonly AddressRates _rates = new(time);

    /// <summary>So many have failed that no more are looked at.</summary>
    public bool IsShut(LoginContext context, DirectoryOptions options) => AddressOf(context, options) is { } address && _rates.IsOver(address, options.FailureRate);

    /// <summary>A login has ended.</summary>
    public void Ended(LoginContext context, AuthOutcome outcome, DirectoryOptions options)
    {
        if (AddressOf(context, options) is not { } address) return;
        if (outcome is AuthOutcome.Success) _rates.Forget(address, options.FailureRate);
        else if (outcome is AuthOutcome.Denied { Kind: not DenialKind.NotSecure }) _rates.Add(address, 1, options.FailureRate);
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
