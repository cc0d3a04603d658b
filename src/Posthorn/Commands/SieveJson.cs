using System.Text.Json.Serialization;
using Posthorn.Filtering;

namespace Posthorn.Commands;

/// <summary>JSON forms of what the sieve commands print: camelCase, one object.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(SieveCheckReport))]
[JsonSerializable(typeof(SieveRunReport))]
[JsonSerializable(typeof(ReplayReport))]
[JsonSerializable(typeof(ReplayNews))]
[JsonSerializable(typeof(MailboxesReport))]
internal sealed partial class SieveJson : JsonSerializerContext;
