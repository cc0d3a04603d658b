using Microsoft.Extensions.Logging;
using Posthorn.Configuration;
using Posthorn.Core;
using Posthorn.Directory;
using Posthorn.Directory.Lookups;
using Posthorn.DovecotAuth;
using Posthorn.Imap;
using Posthorn.Journal;
using Posthorn.Journal.Volume;
using Posthorn.Logging;
using Posthorn.ManageSieve;
using Posthorn.Net;
using Posthorn.Pop3;
using Posthorn.Setup;
using Posthorn.Smtp;
using Posthorn.Store;
using Posthorn.Store.Engine;
using Posthorn.Store.Scripts;
using Posthorn.Transport;
using Posthorn.Transport.Accept;
using Posthorn.Transport.Filtering;
using Posthorn.Transport.Policy.Explaining;
using Posthorn.Transport.Queue;
using Posthorn.Transport.Remote;
using Posthorn.Transport.Remote.Security;
using Posthorn.Transport.Trace;

namespace Posthorn.Serving;

/// <summary>The one place where the server is put together, with plain constructors.</summary>
internal sealed class Composition : IAsyncDisposable
{
    /// <summary>A journal that grew and then rested this long is checkpointed, so that a later start has little to replay and Dovecot's files on disk are true.</summary>
    private static readonly TimeSpan IdleBeforeCheckpoint = TimeSpan.FromSeconds(15);

    /// <summary>Rests of the journal after which memory is given back: two and a half minutes, when accounts that nobody uses have been closed.</summary>
    private const int QuietTicksBeforeTrim = 10;

    /// <summary>How soon a removed account or a changed password ends sessions on a server that nobody asks anything: about a second more than the files are looked at at most.</summary>
    private static readonly TimeSpan LookAtAccounts = TimeSpan.FromSeconds(2);

    /// <summary>How often reports on TLS are looked after, and policies that grow old asked for again.</summary>
    private static readonly TimeSpan Chores = TimeSpan.FromMinutes(15);

    private readonly LogOutput _logOutput;
    private readonly Foundation _base;
    private readonly Journal.Journal _journal;
    private readonly SievePlanner _planner;
    private readonly MailTransport _transport;
    private readonly Checks _checks;
    private readonly QueueRunner _runner;
    private readonly HttpsClient _https;
    private readonly TraceLog _trace;
    private readonly StsPolicies _policies;
    private readonly TlsTally _tally;
    private readonly TlsReporter _reports;
    private readonly Housekeeping _housekeeping;
    private readonly ImapServer _imap;
    private readonly ManageSieveServer _manageSieve;
    private readonly Pop3Server _pop3;
    private readonly List<SmtpServer> _smtp = [];
    private readonly SmtpRates _rates;
    private readonly ITimer _tidying;
    private readonly ITimer _looking;
    private long _recordsSeen;
    private int _quietTicks;
    private long _recordsSafe;
    private ServerConfiguration _configuration;

    private Composition(ServerConfiguration configuration, TimeProvider time, LogOutput logOutput, Foundation foundation, Journal.Journal journal)
    {
        (_configuration, Time, _logOutput, _base, _journal) = (configuration, time, logOutput, foundation, journal);
        Log = logOutput.CreateLogger("server");
        Connections = new(time) { IPv6Prefix = configuration.Limits.IPv6Prefix };
        _rates = new(time);
        ListenerServices = new(Connections, foundation.Tls, OptionsFor.Connections(configuration), new SessionIds().Next, time, logOutput.CreateLogger("net"));
        _trace = new(configuration.Trace, time, logOutput.CreateLogger("trace"));
        SieveServices filtering = new(foundation.Stores, foundation.Scripts, foundation.Volume, time, logOutput.CreateLogger("sieve")) { TraceLog = _trace };
        Filters = filtering.Library;
        Lists = filtering.Lists;
        _planner = new(OptionsFor.Sieve(configuration), filtering, new InboxPlanner(detailToFolder: false, configuration.Mail.Separator));
        _transport = new(OptionsFor.Transport(configuration), foundation.TransportServices(_planner, _trace, time, logOutput.CreateLogger("transport")));
        filtering.MaySendAs = _transport.MaySendAsAsync;
        ILogger outbound = logOutput.CreateLogger("transport");
        MailDns dns = new(configuration.Dns.Servers, time);
        Explainer = ExplainRoutes.For(_transport, dns, Filters, () => _planner.Options);
        _checks = new(foundation, dns, Connections.CountFrom, time, logOutput.CreateLogger("milter"));
        _transport.Checks = _checks.For(configuration, _transport.Options);
        _https = new(dns, () => _transport.Options, time);
        _policies = new(dns, _https, () => _transport.Options, Path.Combine(configuration.Data, "mta-sts"), time, outbound);
        _tally = new(Path.Combine(configuration.Data, "tls-reports"), time, outbound);
        _tally.Load();
        _reports = new(_transport, _tally, dns, _https);
        _runner = new(_transport, dns, new SocketConnector(), _policies, _tally);
        Queue = new(foundation.Queue, time);
        _recordsSeen = _recordsSafe = journal.Statistics.Records;
        Space = new(() => SpaceWatch.FoldersOf(_configuration), OptionsFor.Stores(configuration).SpaceReserve, folder => SpaceWatch.FreeAt(foundation.Volume, folder), Log);
        Space.Look();
        _tidying = time.CreateTimer(_ => Tidy(), null, IdleBeforeCheckpoint, IdleBeforeCheckpoint);
        _housekeeping = new(time, Chores, Log, _policies.RefreshAsync, _reports.SendDueAsync);
        foundation.Directory.Changed += Connections.Review;
        _looking = time.CreateTimer(_ => foundation.Directory.Look(), null, LookAtAccounts, LookAtAccounts);
        _imap = new(OptionsFor.Imap(configuration), new(new EventStores(foundation.Stores, filtering, _transport, () => _planner.Options), foundation.Directory, foundation.Tls, time, logOutput.CreateLogger("imap")) { Limits = foundation.Directory });
        _manageSieve = new(OptionsFor.ManageSieve(configuration), new(foundation.Scripts, foundation.Stores, foundation.Directory, foundation.Tls, time, logOutput.CreateLogger("managesieve")));
        _pop3 = new(OptionsFor.Pop3(configuration), new(foundation.Stores, foundation.Directory, foundation.Tls, time, logOutput.CreateLogger("pop3")));
    }

    public TimeProvider Time { get; }

    /// <summary>Ends all waiting while the server stops.</summary>
    public CancellationToken Hurry { get; set; }

    /// <summary>Says what would happen to a message.</summary>
    public Explainer Explainer { get; }
    public ILogger Log { get; }
    public ConnectionSet Connections { get; }
    public ListenerServices ListenerServices { get; }
    public IDirectory Directory => _base.Directory;
    public IMailStores Stores => _base.Stores;
    public MaildirStores MaildirStores => _base.Stores;

    /// <summary>Makes an account's word index anew.</summary>
    public ValueTask<bool> ReindexAsync(MailAccount account, Action<int> progress, CancellationToken cancel) => _base.Stores.IndexAsync(account, anew: true, progress, cancel);

    public int Queued => _base.Queue.Count;
    public QueueControl Queue { get; }

    /// <summary>How much room there is for mail.</summary>
    public SpaceWatch Space { get; }

    /// <summary>The scripts of accounts and administrator, compiled.</summary>
    public ScriptLibrary Filters { get; }

    /// <summary>Lists that scripts ask for.</summary>
    public ListFiles Lists { get; }
    public JournalStatistics JournalStatistics => _journal.Statistics;

    /// <summary>Opens journal, stores and queue; replays what a crash left.</summary>
    public static async Task<Composition> OpenAsync(ServerConfiguration configuration, TimeProvider time, CancellationToken cancel)
    {
        PrivateFile.KeepToOneself();
        PrivateFile.MakeFolder(configuration.Data);
        PrivateFile.MakeFolder(Path.Combine(configuration.Data, "log"));
        LogOutput log = new(time, Console.Error, configuration.Hostname.Ascii, configuration.Log.Level, configuration.Log.Json, OptionsFor.LogFile(configuration));
        try
        {
            Foundation foundation = Foundation.Lay(configuration, time, log, rebuilding: null);
            Journal.Journal journal = await Posthorn.Journal.Journal.OpenAsync(
                OptionsFor.Journal(configuration), foundation.Volume, [foundation.Stores, foundation.Queue], time, log.CreateLogger("journal"), cancel);
            foundation.Stores.Start(journal);
            if (PrivateFile.OpenTo(configuration.Data) is { } danger) log.CreateLogger("server").FolderOpen(configuration.Data, danger);
            if (ServerUser.FindForeign(configuration.Data) is var (path, owner)) log.CreateLogger("server").NotOurs(path, owner, configuration.Data);
            Composition parts = new(configuration, time, log, foundation, journal);
            parts._runner.Start();
            return parts;
        }
        catch
        {
            await log.DisposeAsync();
            throw;
        }
    }

    /// <summary>What serves connections of a listener.</summary>
    public IConnectionHandler HandlerFor(ListenOptions options)
    {
        if (options.Name is "imap" or "imaps") return _imap;
        if (options.Name == "managesieve") return _manageSieve;
        if (options.Name is "pop3" or "pop3s") return _pop3;
        if (options.Name == ListenBinder.DovecotAuth) return new AuthServer(new(), new(Directory, Time, _logOutput.CreateLogger("auth")));
        ListenerRole role = options.Name switch { "smtp" => ListenerRole.Mx, "lmtp" => ListenerRole.Lmtp, _ => ListenerRole.Submission };
        SmtpServer server = new(new(options.Name, role, options.Tls), OptionsFor.Smtp(_configuration, Directory.DefaultDomain),
            new(_transport, Directory, _base.Tls, Time, _logOutput.CreateLogger("smtp")) { Rates = _rates });
        _smtp.Add(server);
        return server;
    }

    /// <summary>Takes what a running server can take of a new configuration.</summary>
    public void Apply(ServerConfiguration fresh)
    {
        _configuration = fresh;
        _logOutput.Configure(fresh.Log.Level, fresh.Log.Json, OptionsFor.LogFile(fresh));
        _base.Directory.Reload(OptionsFor.Directory(fresh));
        _base.Tables.Reload(OptionsFor.Lookups(fresh));
        _base.Tls?.ReloadIfChanged();
        _imap.Options = OptionsFor.Imap(fresh);
        _manageSieve.Options = OptionsFor.ManageSieve(fresh);
        _pop3.Options = OptionsFor.Pop3(fresh);
        foreach (SmtpServer server in _smtp) server.Options = OptionsFor.Smtp(fresh, Directory.DefaultDomain);
        _transport.Options = OptionsFor.Transport(fresh);
        _base.Queue.Options = fresh.Outbound.Queue;
        _planner.Options = OptionsFor.Sieve(fresh);
        _transport.Checks = _checks.For(fresh, _transport.Options);
        _trace.Options = fresh.Trace;
    }

    /// <summary>Completes when the trace tells all that has happened until now.</summary>
    public Task FlushTraceAsync(CancellationToken cancel) => _trace.FlushAsync(cancel);

    private void Tidy()
    {
        Space.Look();
        _ = LookWhetherIdleAsync();
    }

    // What a rest of the journal is good for: a checkpoint, and later giving memory back.
    private Task LookWhetherIdleAsync()
    {
        long records = _journal.Statistics.Records;
        bool idle = records == Interlocked.Exchange(ref _recordsSeen, records);
        _quietTicks = idle ? _quietTicks + 1 : 0;
        if (_quietTicks == QuietTicksBeforeTrim) IdleMemory.GiveBack();
        return !idle || records == Interlocked.Exchange(ref _recordsSafe, records) ? Task.CompletedTask : CheckpointAsync(CancellationToken.None);
    }

    private async Task CheckpointAsync(CancellationToken cancel)
    {
        try { await _journal.CheckpointAsync(cancel); }
        catch (IOException e) { Log.CheckpointFailed(e.Message); } // frees nothing; the next one tries again
        catch (ObjectDisposedException) { /* the server has just ended */ }
    }

    private async Task SaveQueueAsync()
    {
        try { await _base.Queue.SaveAsync(CancellationToken.None); }
        catch (IOException e) { Log.CheckpointFailed(e.Message); }
    }

    public async ValueTask DisposeAsync()
    {
        await _housekeeping.DisposeAsync();
        await _runner.StopAsync(_configuration.Outbound.Options.StopGrace, Hurry);
        _tally.Save();
        await _runner.DisposeAsync();
        await _tidying.DisposeAsync();
        await _looking.DisposeAsync();
        await CheckpointAsync(CancellationToken.None);
        await _checks.DisposeAsync();
        await _trace.DisposeAsync();
        await _base.Stores.DisposeAsync();
        await _journal.DisposeAsync();
        await SaveQueueAsync();
        await Connections.DisposeAsync();
        _https.Dispose();
        _imap.Dispose();
        _base.Directory.Dispose();
        _base.Tls?.Dispose();
        await _logOutput.DisposeAsync();
    }
}

/// <summary>What is made before the journal opens, since the journal replays into it.</summary>
internal sealed record Foundation(IVolume Volume, TlsIdentity? Tls, MailDirectory Directory, MaildirStores Stores, FileScriptStore Scripts, MailQueue Queue, LookupTables Tables)
{
    public static Foundation Lay(ServerConfiguration configuration, TimeProvider time, LogOutput log, Action<EmailAddress, int>? rebuilding)
    {
        PrivateFile.KeepToOneself();
        IVolume volume = new LinuxVolume();
        TlsIdentity? tls = configuration.Tls is { } pem ? TlsIdentity.Load(pem.Certificate, pem.Key, time, log.CreateLogger("net")) : null;
        MailDirectory directory = new(OptionsFor.Directory(configuration), time, log.CreateLogger("auth"));
        MaildirStores stores = new(OptionsFor.Stores(configuration) with { Accounts = directory.FindAccount, Rebuilding = rebuilding }, volume, time, log.CreateLogger("store"));
        MailQueue queue = MailQueue.Load(volume, Path.Combine(configuration.Data, "queue"), OptionsFor.Transport(configuration).Queue, time, log.CreateLogger("queue"));
        FileScriptStore scripts = new(configuration.Sieve.Scripts, volume, time);
        LookupTables tables = new(OptionsFor.Lookups(configuration), time, log.CreateLogger("lookup"));
        return new(volume, tls, directory, stores, scripts, queue, tables);
    }

    public TransportServices TransportServices(IDeliveryPlanner planner, TraceLog? trace, TimeProvider time, ILogger log) => new()
    {
        Directory = Directory,
        Stores = Stores,
        Queue = Queue,
        Tables = Tables,
        Planner = planner,
        Time = time,
        Log = log,
        TraceLog = trace,
    };
}
