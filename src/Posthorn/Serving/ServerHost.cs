using System.Net;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Posthorn.Configuration;
using Posthorn.Control;
using Posthorn.Directory;
using Posthorn.Journal;
using Posthorn.Net;
using Posthorn.Sendmail;
using Posthorn.Store;

namespace Posthorn.Serving;

/// <summary>The running server: everything that <see cref="Composition"/> put together, started and stopped in order.</summary>
internal sealed class ServerHost : IAsyncDisposable
{
    /// <summary>How long sessions may take to say goodbye.</summary>
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(4);

    private readonly Composition _parts;
    private readonly List<Listener> _listeners;
    private readonly DateTimeOffset _started;
    private readonly Lock _reloading = new();
    private ControlServer? _control;
    private DropPickup? _drop;
    private ServerConfiguration _configuration;

    private ServerHost(ServerConfiguration configuration, Composition parts, List<Listener> listeners)
    {
        (_configuration, _parts, _listeners) = (configuration, parts, listeners);
        _started = parts.Time.GetUtcNow();
        Listeners = [.. listeners.Select(Describe)];
    }

    public TimeProvider Time => _parts.Time;
    public IMailStores Stores => _parts.Stores;
    public IDirectory Directory => _parts.Directory;

    /// <summary>Ends all waiting while the server stops.</summary>
    public CancellationToken Hurry { set => _parts.Hurry = value; }

    /// <summary>Where it listens, with the ports that were taken.</summary>
    public IReadOnlyList<ListenerReport> Listeners { get; }

    /// <summary>Opens everything and accepts connections.</summary>
    /// <exception cref="IOException">Something is in the way; the message names all listeners that could not be bound.</exception>
    public static async Task<ServerHost> StartAsync(ServerConfiguration configuration, TimeProvider time, CancellationToken cancel)
    {
        Composition parts = await Composition.OpenAsync(configuration, time, cancel);
        List<Listener> listeners = [];
        try
        {
            await BindAsync(configuration, parts, listeners);
            ServerHost host = new(configuration, parts, listeners);
            foreach (Listener listener in listeners) listener.Start();
            host.WatchDrop();
            host._control = await ControlServer.StartAsync(ControlClient.SocketPath(configuration.Data), host.Routes(), cancel);
            parts.Log.Ready(configuration.Hostname.Ascii, listeners.Count);
            return host;
        }
        catch
        {
            foreach (Listener listener in listeners) await listener.DisposeAsync();
            await parts.DisposeAsync();
            throw;
        }
    }

    /// <summary>Completes when the server is asked to stop.</summary>
    public async Task RunAsync(CancellationToken stop)
    {
        TaskCompletionSource stopped = new(TaskCreationOptions.RunContinuationsAsynchronously);
        await using (stop.Register(stopped.SetResult)) await stopped.Task;
        _parts.Log.Stopping(_parts.Connections.Count);
    }

    /// <summary>Reads the configuration again. What can change while running does; what cannot is named; a bad file changes nothing.</summary>
    public ReloadReport Reload()
    {
        lock (_reloading)
        {
            ConfigurationResult loaded = ConfigurationLoader.Load(_configuration.File);
            string[] problems = [.. loaded.Problems.Select(p => p.ToString())];
            if (loaded.Configuration is not { } fresh)
            {
                _parts.Log.ReloadRefused(string.Join("; ", problems));
                return new(false, problems, []);
            }
            List<string> needRestart = RestartKeys(_configuration, fresh);
            _parts.Apply(fresh);
            _configuration = fresh;
            _parts.Log.Reloaded(string.Join(", ", needRestart));
            return new(true, problems, needRestart);
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_control is not null) await _control.DisposeAsync();
        if (_drop is not null) await _drop.DisposeAsync();
        foreach (Listener listener in _listeners) await listener.DisposeAsync();
        await _parts.Connections.StopAllAsync(Grace);
        await _parts.DisposeAsync();
    }

    // With the port that was taken, where the configuration names none.
    private void WatchDrop()
    {
        EndPoint[] places = [.. _listeners.Where(static l => l.Name == "smtp").Select(static l => l.EndPoint)];
        if (_configuration.Sendmail.Drop is { } folder && places.Length > 0) _drop = new(folder, _configuration.Sendmail, LocalServer.Of(_configuration, places), Time, _parts.Log);
    }

    // Binds all listeners and reports all that failed, not the first.
    private static async Task BindAsync(ServerConfiguration configuration, Composition parts, List<Listener> bound)
    {
        List<string> failed = [];
        foreach (ListenEntry entry in configuration.Listeners)
        {
            try { bound.Add(Listener.Bind(entry.Options, parts.HandlerFor(entry.Options), parts.ListenerServices)); }
            catch (IOException e) { failed.Add($"{entry.Place}: {e.Message}"); }
        }
        if (failed.Count == 0) return;
        foreach (Listener listener in bound) await listener.DisposeAsync();
        bound.Clear();
        throw new IOException(string.Join('\n', failed));
    }

    private Dictionary<string, Func<ControlRequest, CancellationToken, ValueTask<ControlReply>>> Routes() => new()
    {
        ["GET /status"] = (_, _) => Reply(Status(), ControlJson.Default.StatusReport),
        ["POST /reload"] = (_, _) => Reply(Reload(), ControlJson.Default.ReloadReport),
        ["GET /queue"] = (request, _) => Reply(QueueRoutes.List(_parts.Queue, request), ControlJson.Default.QueueReport),
        ["POST /queue/retry"] = (request, _) => ValueTask.FromResult(QueueRoutes.Retry(_parts.Queue, request)),
        ["POST /queue/hold"] = (request, cancel) => QueueRoutes.ChangeAsync(request, filter => _parts.Queue.HoldAsync(filter, cancel)),
        ["POST /queue/release"] = (request, cancel) => QueueRoutes.ChangeAsync(request, filter => _parts.Queue.ReleaseAsync(filter, cancel)),
        ["POST /queue/requeue"] = (request, cancel) => QueueRoutes.ChangeAsync(request, filter => _parts.Queue.RequeueAsync(filter, cancel)),
        ["GET /explain"] = ExplainAsync,
        ["POST /sieve/replay"] = (request, cancel) => SieveRoutes().ReplayAsync(request, cancel),
        ["GET /sieve/mailboxes"] = (request, cancel) => SieveRoutes().MailboxesAsync(request, cancel),
        ["POST /store/reindex"] = (request, cancel) => StoreRoutes.ReindexAsync(_parts, request, cancel),
        ["POST /trace/flush"] = async (_, cancel) =>
        {
            await _parts.FlushTraceAsync(cancel);
            return new(200, JsonSerializer.Serialize(new TraceFlushed(true), ControlJson.Default.TraceFlushed));
        },
        ["GET /expunged"] = (request, cancel) => UndeleteRoutes.ListAsync(_parts, request, cancel),
        ["POST /undelete"] = (request, cancel) => UndeleteRoutes.RestoreAsync(_parts, request, cancel),
        ["POST /queue/delete"] = (request, cancel) => QueueRoutes.ChangeAsync(request, filter => _parts.Queue.DeleteAsync(filter, cancel)),
    };

    private async ValueTask<ControlReply> ExplainAsync(ControlRequest request, CancellationToken cancel)
    {
        (ExplainReport? report, string? problem) = await new ExplainRoutes(_configuration, Directory, _parts.Explainer).AnswerAsync(ExplainQuestion.Of(request), cancel);
        return report is null ? ControlReply.Unusable(problem!) : new(200, JsonSerializer.Serialize(report, ControlJson.Default.ExplainReport));
    }

    private SieveRoutes SieveRoutes() => new(OptionsFor.Sieve(_configuration), _parts.Filters, _parts.Lists, _parts.Directory, _parts.Stores, _parts.Time);

    private static ValueTask<ControlReply> Reply<T>(T report, JsonTypeInfo<T> type) =>
        ValueTask.FromResult(new ControlReply(200, JsonSerializer.Serialize(report, type)));

    private StatusReport Status()
    {
        JournalStatistics journal = _parts.JournalStatistics;
        return new(
            typeof(ServerHost).Assembly.GetName().Version?.ToString(3) ?? "", _configuration.Hostname.Ascii, _started, _configuration.File,
            _parts.Connections.Count, Listeners, Directory.Accounts.Count, _parts.Queued, journal.Records, journal.Flushes, Environment.WorkingSet, _parts.Space.Report());
    }

    private static List<string> RestartKeys(ServerConfiguration old, ServerConfiguration fresh)
    {
        List<string> keys = [];
        if (old.Data != fresh.Data) keys.Add("data");
        if (!old.Listeners.Select(l => l.Options).SequenceEqual(fresh.Listeners.Select(l => l.Options))) keys.Add("listen");
        if (old.Mail.Separator != fresh.Mail.Separator) keys.Add("mail.separator");
        if (old.Mail.SpecialFolders != fresh.Mail.SpecialFolders) keys.Add("mail.special-folders");
        if (old.Tls != fresh.Tls) keys.Add("tls");
        if (old.Journal != fresh.Journal) keys.Add("journal");
        if (!old.Dns.Servers.SequenceEqual(fresh.Dns.Servers)) keys.Add("dns");
        if (old.Sendmail with { Wait = default } != fresh.Sendmail with { Wait = default }) keys.Add("sendmail.drop");
        return keys;
    }

    private static ListenerReport Describe(Listener listener)
    {
        string tls = listener.Tls switch { TlsMode.Implicit => "implicit", TlsMode.StartTls => "starttls", _ => "none" };
        return listener.EndPoint is IPEndPoint ip
            ? new(listener.Name, ip.Address.ToString(), ip.Port, null, tls)
            : new(listener.Name, null, null, listener.EndPoint.ToString(), tls);
    }
}
