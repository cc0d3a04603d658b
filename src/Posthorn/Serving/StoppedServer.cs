using Microsoft.Extensions.Logging;
using Posthorn.Configuration;
using Posthorn.Core;
using Posthorn.Directory;
using Posthorn.Logging;
using Posthorn.Setup;
using Posthorn.Store.Engine;
using Posthorn.Transport;
using Posthorn.Transport.Accept;
using Posthorn.Transport.Filtering;
using Posthorn.Transport.Policy.Explaining;
using Posthorn.Transport.Remote;

namespace Posthorn.Serving;

/// <summary>The mail of a server that does not run, opened by a command: journal replayed, stores open, nothing listening and nothing sent.</summary>
internal sealed class StoppedServer : IAsyncDisposable
{
    private readonly LogOutput _log;
    private readonly Foundation _base;
    private readonly Journal.Journal _journal;
    private readonly ServerUser? _user;

    private StoppedServer(LogOutput log, Foundation foundation, Journal.Journal journal, ServerUser? user) => (_log, _base, _journal, _user) = (log, foundation, journal, user);

    public IDirectory Directory => _base.Directory;

    public MaildirStores Stores => _base.Stores;

    /// <summary>Opens it. Root acts as the server's user until it is disposed.</summary>
    /// <exception cref="Posthorn.Journal.JournalInUseException">The server runs.</exception>
    public static Task<StoppedServer> OpenAsync(ServerConfiguration configuration, TimeProvider time, CancellationToken cancel) => OpenAsync(configuration, time, rebuilding: null, cancel);

    /// <summary>As above.</summary>
    /// <param name="configuration">Whose.</param>
    /// <param name="time">The clock.</param>
    /// <param name="rebuilding">Told how many messages of which account were taken into a new catalogue.</param>
    /// <param name="cancel">Gives up.</param>
    /// <exception cref="Posthorn.Journal.JournalInUseException">The server runs.</exception>
    public static async Task<StoppedServer> OpenAsync(ServerConfiguration configuration, TimeProvider time, Action<EmailAddress, int>? rebuilding, CancellationToken cancel)
    {
        if (!System.IO.Directory.Exists(configuration.Data)) throw new IOException($"{configuration.Data} is not there: the server of this configuration has never run.");
        ServerUser? user = ServerUser.Become(configuration.Data);
        LogOutput? log = null;
        try
        {
            log = new(time, Console.Error, configuration.Hostname.Ascii, (LogLevel)Math.Max((int)LogLevel.Warning, (int)configuration.Log.Level), configuration.Log.Json, OptionsFor.LogFile(configuration));
            Foundation foundation = Foundation.Lay(configuration, time, log, rebuilding);
            Journal.Journal journal = await Posthorn.Journal.Journal.OpenAsync(
                OptionsFor.Journal(configuration), foundation.Volume, [foundation.Stores, foundation.Queue], time, log.CreateLogger("journal"), cancel);
            foundation.Stores.Start(journal);
            return new(log, foundation, journal, user);
        }
        catch
        {
            if (log is not null) await log.DisposeAsync();
            user?.Dispose();
            throw;
        }
    }

    /// <summary>Says what would happen to a message, as the server would if it ran.</summary>
    public async ValueTask<(Control.ExplainReport? Report, string? Problem)> ExplainAsync(ServerConfiguration configuration, ExplainQuestion question, CancellationToken cancel)
    {
        ILogger log = _log.CreateLogger("transport");
        SieveServices filtering = new(_base.Stores, _base.Scripts, _base.Volume, TimeProvider.System, log);
        InboxPlanner planner = new(detailToFolder: false, configuration.Mail.Separator);
        MailTransport transport = new(OptionsFor.Transport(configuration), _base.TransportServices(planner, trace: null, TimeProvider.System, log));
        MailDns dns = new(configuration.Dns.Servers);
        await using Checks checks = new(_base, dns, static _ => 0, TimeProvider.System, log);
        transport.Checks = checks.For(configuration, transport.Options);
        Explainer explainer = ExplainRoutes.For(transport, dns, filtering.Library, () => OptionsFor.Sieve(configuration));
        return await new ExplainRoutes(configuration, _base.Directory, explainer).AnswerAsync(question, cancel);
    }

    public async ValueTask DisposeAsync()
    {
        try { await _journal.CheckpointAsync(CancellationToken.None); }
        catch (IOException e) { _log.CreateLogger("journal").CheckpointFailed(e.Message); } // the server's next start replays instead
        await _base.Stores.DisposeAsync();
        await _journal.DisposeAsync();
        _base.Directory.Dispose();
        _base.Tls?.Dispose();
        await _log.DisposeAsync();
        _user?.Dispose();
    }
}
