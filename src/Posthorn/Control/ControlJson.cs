using System.Text.Json.Serialization;

namespace Posthorn.Control;

/// <summary>Why the server refused.</summary>
internal sealed record ControlError(string Error);

/// <summary>What <c>reload</c> did.</summary>
internal sealed record ReloadReport(bool Reloaded, IReadOnlyList<string> Problems, IReadOnlyList<string> NeedRestart);

/// <summary>How the server is.</summary>
internal sealed record StatusReport(
    string Version, string Hostname, DateTimeOffset Started, string Configuration, int Connections, IReadOnlyList<ListenerReport> Listeners,
    int Accounts, int Queued, long JournalRecords, long JournalFlushes, long MemoryBytes);

/// <summary>One listener.</summary>
internal sealed record ListenerReport(string Name, string? Host, int? Port, string? Path, string Tls);

/// <summary>JSON forms of what goes over the control socket.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(ControlError))]
[JsonSerializable(typeof(ReloadReport))]
[JsonSerializable(typeof(StatusReport))]
internal sealed partial class ControlJson : JsonSerializerContext;
