using Microsoft.Extensions.Logging.Abstractions;
using Posthorn.Core;
using Posthorn.Journal;
using Posthorn.Journal.Volume;
using Posthorn.Store.Engine;

namespace Posthorn.Store.Tests.Engine;

/// <summary>The Maildir engine with its journal in a directory of its own.</summary>
internal sealed class MaildirHarness(string directory, IVolume volume, TimeProvider time, string? catalogues = null) : IMailStores
{
    private MaildirStores? _stores;
    private Journal.Journal? _journal;

    internal bool IsStarted => _stores is not null;

    /// <summary>Closes what lies outside the volume that lost its power.</summary>
    internal ValueTask AbandonCatalogues() => _stores!.AbandonAsync();

    internal MaildirStores Stores => _stores!;

    internal Journal.Journal Journal => _journal!;

    internal Microsoft.Extensions.Logging.ILogger Logger { get; set; } = NullLogger.Instance;

    internal string BootId { get; set; } = "boot 1";

    /// <summary>Who else takes part in the journal.</summary>
    internal IReadOnlyList<IJournalParticipant> Others { get; set; } = [];

    internal Func<MaildirStoreOptions, MaildirStoreOptions> Change { get; set; } = options => options;

    internal JournalOptions JournalOptions { get; set; } = new() { Directory = directory + "/journal", SegmentSize = 4 << 20 };

    internal static MailAccount Account(string directory, string name) =>
        new() { Address = EmailAddress.Parse(name + "@example.org"), MailRoot = $"{directory}/mail/{name}", Home = $"{directory}/home/{name}" };

    internal async ValueTask StartAsync()
    {
        _stores = new(Change(new() { AccountsDirectory = (catalogues ?? directory) + "/accounts", BootId = BootId }), volume, time, Logger);
        _journal = await Posthorn.Journal.Journal.OpenAsync(JournalOptions, volume, [_stores, .. Others], time, NullLogger.Instance, CancellationToken.None);
        _stores.Start(_journal);
    }

    /// <summary>Ends in order, or as a killed process does.</summary>
    internal async ValueTask StopAsync(bool kill)
    {
        if (kill) await _stores!.AbandonAsync();
        else await _stores!.DisposeAsync();
        _stores = null;
        await _journal!.DisposeAsync();
    }

    public IMessageSink CreateSink() => Stores.CreateSink();

    public ValueTask<Result<IMailStore>> OpenAsync(MailAccount account, CancellationToken cancel) => Stores.OpenAsync(account, cancel);

    public ValueTask<Result<Done>> HasRoomAsync(MailAccount account, long octets, CancellationToken cancel) => Stores.HasRoomAsync(account, octets, cancel);

    public IReadOnlyList<EmailAddress> SharersWith(EmailAddress user) => Stores.SharersWith(user);

    public OctetGate WholeMessages => Stores.WholeMessages;

    public long SharingNumber => Stores.SharingNumber;

    public ValueTask WaitForSharingAsync(long seen, CancellationToken cancel) => Stores.WaitForSharingAsync(seen, cancel);

    public ValueTask<Result<Placement>> TransferAsync(Sharing.Transfer transfer, CancellationToken cancel) => Stores.TransferAsync(transfer, cancel);

    public ValueTask<Result<AppendReceipt>> ReplaceAsync(Sharing.Replacement replacement, CancellationToken cancel) => Stores.ReplaceAsync(replacement, cancel);

    public ValueTask<DeliveryReceipt> DeliverAsync(IMessageSink message, DeliveryOrder order, CancellationToken cancel) => Stores.DeliverAsync(message, order, cancel);

    /// <summary>Ends in order, unless it was stopped before.</summary>
    public ValueTask DisposeAsync() => IsStarted ? StopAsync(kill: false) : ValueTask.CompletedTask;
}
