using System.Text.Json.Serialization;

namespace Posthorn.Commands;

/// <summary>JSON forms of what the sieve commands print: camelCase, one object.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(SieveCheckReport))]
[JsonSerializable(typeof(SieveRunReport))]
internal sealed partial class SieveJson : JsonSerializerContext;
