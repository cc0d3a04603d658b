using Microsoft.Extensions.Logging;
using Posthorn.Directory;
using Posthorn.Directory.Lookups;
using Posthorn.Store;
using Posthorn.Transport.Accept;
using Posthorn.Transport.Queue;
using Posthorn.Transport.Trace;

namespace Posthorn.Transport;

/// <summary>What the transport works with.</summary>
public sealed record TransportServices
{
    public required IDirectory Directory { get; init; }
    public required IMailStores Stores { get; init; }
    public required MailQueue Queue { get; init; }
    public required IDeliveryPlanner Planner { get; init; }
    public required TimeProvider Time { get; init; }
    public required ILogger Log { get; init; }

    /// <summary>The tables that settings name; null where there are none.</summary>
    public LookupTables? Tables { get; init; }

    /// <summary>Keeps the life of messages; null for nobody.</summary>
    public TraceLog? TraceLog { init => Trace = value is null ? NoTrace.Instance : value; }

    internal ITrace Trace { get; init; } = NoTrace.Instance;
}
