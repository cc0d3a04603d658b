using System.Text.Json.Serialization;

namespace Posthorn.Commands;

/// <summary>JSON forms of what commands print and what goes over the control socket: camelCase, one object.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(CheckReport))]
[JsonSerializable(typeof(JournalReport))]
[JsonSerializable(typeof(StoreVerified))]
[JsonSerializable(typeof(ReindexReport))]
[JsonSerializable(typeof(DovecotExportReport))]
[JsonSerializable(typeof(QuickstartReport))]
[JsonSerializable(typeof(AccountList))]
[JsonSerializable(typeof(AliasList))]
[JsonSerializable(typeof(DomainList))]
internal sealed partial class CommandJson : JsonSerializerContext;
