using Microsoft.Extensions.Logging;
using Posthorn.Core;
using Posthorn.Journal.Volume;
using Posthorn.Store;
using Posthorn.Store.Scripts;
using Posthorn.Transport.Trace;

namespace Posthorn.Transport.Filtering;

/// <summary>What running scripts on this server takes.</summary>
public sealed class SieveServices(IMailStores stores, IScriptStore scripts, IVolume volume, TimeProvider time, ILogger log)
{
    public IMailStores Stores => stores;
    public TimeProvider Time => time;
    public ILogger Log => log;

    /// <summary>Keeps the life of messages; null for nobody.</summary>
    public TraceLog? TraceLog { init => Trace = value is null ? NoTrace.Instance : value; }

    internal ITrace Trace { get; init; } = NoTrace.Instance;

    /// <summary>As whom owners may send, as by submission (<see cref="MailTransport.MaySendAsAsync"/>). Set once, before mail comes in; until then as nobody but themselves.</summary>
    public Func<MailAccount, ReversePath, CancellationToken, ValueTask<bool>>? MaySendAs { get; set; }

    /// <summary>Scripts, compiled.</summary>
    public ScriptLibrary Library { get; } = new(scripts, volume, time, log);

    /// <summary>Lists outside scripts.</summary>
    public ListFiles Lists { get; } = new(volume, time);

    internal AccountTurns Turns { get; } = new();
    internal OwnerLog OwnerLog { get; } = new(volume, time);
}
