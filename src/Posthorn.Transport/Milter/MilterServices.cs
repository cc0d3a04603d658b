using System.Net;
using Microsoft.Extensions.Logging;
using Posthorn.Core;
using Posthorn.Store;
using Posthorn.Transport.Policy;

namespace Posthorn.Transport.Milter;

/// <summary>What talking to filters takes.</summary>
public sealed record MilterServices
{
    /// <summary>Our own name, macro <c>j</c>.</summary>
    public required string Hostname { get; init; }
    public required IMailStores Stores { get; init; }

    /// <summary>Connections that wait; outlives a reload.</summary>
    public required MilterPool Pool { get; init; }
    public required TimeProvider Time { get; init; }
    public required ILogger Log { get; init; }

    /// <summary>The longest header and message after changes, octets.</summary>
    public required int MaxHeaderSize { get; init; }
    public required long MaxMessageSize { get; init; }

    /// <summary>Whether a domain's mail is kept here.</summary>
    public Func<DomainName, bool> IsLocal { get; init; } = static _ => false;

    /// <summary>Connections that an address has open now.</summary>
    public Func<IPAddress, int> Connections { get; init; } = static _ => 1;
}

/// <summary>One filter of the configuration: makes its side of each session that it sees.</summary>
public sealed class MilterSource(MilterOptions options, MilterServices services) : ICheckSource
{
    public ISessionCheck? Open(ClientContext client) => options.Listeners.Contains(client.Listener) ? new MilterCheck(options, services, client) : null;
}
