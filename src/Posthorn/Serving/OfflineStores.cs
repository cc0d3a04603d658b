using Microsoft.Extensions.Logging;
using Posthorn.Configuration;
using Posthorn.Core;
using Posthorn.Directory;
using Posthorn.Journal.Volume;
using Posthorn.Logging;
using Posthorn.Store.Engine;

namespace Posthorn.Serving;

/// <summary>The mail stores for a command, while no server runs: journal and catalogues as a server would open them, without listeners.</summary>
internal sealed class OfflineStores : IAsyncDisposable
{
    private readonly LogOutput _log;
    private readonly Foundation _foundation;
    private readonly Journal.Journal _journal;

    private OfflineStores(LogOutput log, Foundation foundation, Journal.Journal journal) => (_log, _foundation, _journal) = (log, foundation, journal);

    public MaildirStores Stores => _foundation.Stores;

    /// <summary>Whether a server has the journal, and with it all mail.</summary>
    public static bool IsServerRunning(ServerConfiguration configuration)
    {
        string path = Path.Combine(OptionsFor.Journal(configuration).Directory, "lock");
        if (!File.Exists(path)) return false;
        using IVolumeFile file = new LinuxVolume().Open(path, VolumeOpen.OpenOrCreate);
        return !file.TryLock();
    }

    /// <summary>The accounts that the directory knows.</summary>
    public static IReadOnlyList<MailAccount> Accounts(ServerConfiguration configuration)
    {
        using MailDirectory directory = new(OptionsFor.Directory(configuration), TimeProvider.System, Microsoft.Extensions.Logging.Abstractions.NullLogger.Instance);
        return [.. directory.Accounts.OrderBy(account => account.Address.ToString(), StringComparer.OrdinalIgnoreCase)];
    }

    /// <summary>Opens journal and stores; what the journal holds is replayed.</summary>
    public static async Task<OfflineStores> OpenAsync(ServerConfiguration configuration, CancellationToken cancel)
    {
        LogOutput log = new(TimeProvider.System, Console.Error, configuration.Hostname.Ascii, LogLevel.Error, configuration.Log.Json, OptionsFor.LogFile(configuration));
        try
        {
            Foundation foundation = Foundation.Lay(configuration, TimeProvider.System, log);
            Journal.Journal journal = await Posthorn.Journal.Journal.OpenAsync(
                OptionsFor.Journal(configuration), foundation.Volume, [foundation.Stores, foundation.Queue], TimeProvider.System, log.CreateLogger("journal"), cancel);
            foundation.Stores.Start(journal);
            foundation.Queue.Connect(journal);
            return new(log, foundation, journal);
        }
        catch
        {
            await log.DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _journal.CheckpointAsync(CancellationToken.None);
        await _foundation.Stores.DisposeAsync();
        await _journal.DisposeAsync();
        _foundation.Directory.Dispose();
        _foundation.Tls?.Dispose();
        await _log.DisposeAsync();
    }
}
