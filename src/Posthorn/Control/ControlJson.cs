using System.Text.Json.Serialization;

namespace Posthorn.Control;

/// <summary>Why the server refused.</summary>
internal sealed record ControlError(string Error);

/// <summary>What <c>reload</c> did.</summary>
internal sealed record ReloadReport(bool Reloaded, IReadOnlyList<string> Problems, IReadOnlyList<string> NeedRestart);

/// <summary>How the server is.</summary>
internal sealed record StatusReport(
    string Version, string Hostname, DateTimeOffset Started, string Configuration, int Connections, IReadOnlyList<ListenerReport> Listeners,
    int Accounts, int Queued, long JournalRecords, long JournalFlushes, long MemoryBytes, IReadOnlyList<SpaceReport> Space);

/// <summary>Room on a volume. Below the reserve new mail is refused for the time being.</summary>
internal sealed record SpaceReport(string Folder, long FreeBytes, long ReserveBytes, bool IsShort);

/// <summary>One listener.</summary>
internal sealed record ListenerReport(string Name, string? Host, int? Port, string? Path, string Tls);

/// <summary>What <c>queue list</c> shows.</summary>
/// <param name="Messages">The messages, the oldest first, as many as were asked for.</param>
/// <param name="Totals">What waits for each destination.</param>
/// <param name="Reasons">Why the recipients of matching messages wait.</param>
/// <param name="Matching">How many messages match.</param>
internal sealed record QueueReport(IReadOnlyList<QueueReportMessage> Messages, IReadOnlyList<QueueReportTotal> Totals, IReadOnlyList<QueueReportReason> Reasons, int Matching);

/// <summary>How many recipients wait for one reason: a status, empty before the first attempt, with one server's words for it.</summary>
internal sealed record QueueReportReason(string Status, int Recipients, string Example);

/// <summary>One message that waits. Sizes in octets.</summary>
internal sealed record QueueReportMessage(
    string Id, string From, DateTimeOffset Arrived, long Size, int Attempts, DateTimeOffset NextAttempt, bool IsHeld, string? HoldReason, DateTimeOffset? ReleaseAt, IReadOnlyList<QueueReportRecipient> Recipients);

/// <summary>One of its recipients, with the other server's last words.</summary>
internal sealed record QueueReportRecipient(string Address, bool IsPending, string? LastReply);

/// <summary>What waits for one destination.</summary>
internal sealed record QueueReportTotal(string Destination, int Messages, int Running, string? LastFault);

/// <summary>How many messages an order reached.</summary>
internal sealed record QueueChange(int Messages);

/// <summary>What became of one account's word index.</summary>
internal sealed record ReindexedAccount(string Account, int Messages, bool Indexed);

/// <summary>What was expunged and is still kept.</summary>
internal sealed record ExpungedReport(IReadOnlyList<ExpungedReportMessage> Messages);

/// <summary>One message of it. Without a mailbox when that is removed.</summary>
internal sealed record ExpungedReportMessage(string Id, string? Mailbox, uint? Uid, DateTimeOffset Expunged, long Size, string From, string Subject);

/// <summary>What came back.</summary>
internal sealed record UndeleteReport(IReadOnlyList<RestoredMessage> Restored, IReadOnlyList<UndeleteProblem> Problems);

/// <summary>One message that came back.</summary>
internal sealed record RestoredMessage(string Id, string Mailbox, uint Uid);

/// <summary>One that did not, and why.</summary>
internal sealed record UndeleteProblem(string Id, string Problem);

/// <summary>What has happened until now can be read in the trace.</summary>
internal sealed record TraceFlushed(bool Written);

/// <summary>JSON forms of what goes over the control socket.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(ControlError))]
[JsonSerializable(typeof(ReloadReport))]
[JsonSerializable(typeof(StatusReport))]
[JsonSerializable(typeof(QueueReport))]
[JsonSerializable(typeof(QueueReportMessage))]
[JsonSerializable(typeof(QueueChange))]
[JsonSerializable(typeof(ReindexedAccount))]
[JsonSerializable(typeof(ExpungedReport))]
[JsonSerializable(typeof(UndeleteReport))]
[JsonSerializable(typeof(TraceFlushed))]
[JsonSerializable(typeof(ExplainReport))]
internal sealed partial class ControlJson : JsonSerializerContext;
