using System.Globalization;
using System.Text.Json;

namespace Posthorn.Transport.Trace;

/// <summary>One step as it was written down.</summary>
public sealed class TraceLine
{
    private TraceLine(DateTimeOffset time, string what, string id, JsonElement fields) => (Time, What, Id, Fields) = (time, what, id, fields);

    public DateTimeOffset Time { get; }

    /// <summary>The kind of step: <c>received</c>, <c>stored</c>, <c>sent</c>…</summary>
    public string What { get; }

    /// <summary>The message's queue id; empty where a line is of none.</summary>
    public string Id { get; }

    /// <summary>All of the line.</summary>
    public JsonElement Fields { get; }

    /// <summary>Reads a line; null when it is none of ours: torn by a crash, or of another version.</summary>
    public static TraceLine? Read(ReadOnlyMemory<byte> line)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(line);
            JsonElement root = document.RootElement;
            if (root.ValueKind != JsonValueKind.Object || !root.TryGetProperty("event", out JsonElement what) || what.ValueKind != JsonValueKind.String) return null;
            if (!root.TryGetProperty("time", out JsonElement time) || time.ValueKind != JsonValueKind.String
                || !DateTimeOffset.TryParse(time.GetString(), CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out DateTimeOffset when)) return null;
            string id = root.TryGetProperty("id", out JsonElement own) && own.ValueKind == JsonValueKind.String ? own.GetString()! : "";
            return new(when, what.GetString()!, id, root.Clone());
        }
        catch (JsonException) { return null; }
    }

    /// <summary>A field that is text; empty when it is not there.</summary>
    public string Text(string name) => Text(Fields, name);

    public static string Text(JsonElement from, string name) =>
        from.ValueKind == JsonValueKind.Object && from.TryGetProperty(name, out JsonElement value) ? value.ValueKind == JsonValueKind.String ? value.GetString()! : value.ToString() : "";

    /// <summary>A field that is a list of texts.</summary>
    public static IReadOnlyList<string> Texts(JsonElement from, string name) =>
        from.TryGetProperty(name, out JsonElement list) && list.ValueKind == JsonValueKind.Array ? [.. list.EnumerateArray().Select(one => one.ToString())] : [];

    /// <summary>A field that is a list of objects.</summary>
    public IReadOnlyList<JsonElement> Objects(string name) =>
        Fields.TryGetProperty(name, out JsonElement list) && list.ValueKind == JsonValueKind.Array ? [.. list.EnumerateArray().Where(one => one.ValueKind == JsonValueKind.Object)] : [];

    /// <summary>The queue ids of messages that came of this one by this step.</summary>
    public IEnumerable<string> Children() => What switch
    {
        "stored" => Objects("queued").Select(part => Text(part, "id")).Where(id => id.Length > 0 && id != Id),
        "report" when Text("report") is { Length: > 0 } report => [report],
        _ => [],
    };

    /// <summary>All that it can be found by, as the writer noted it.</summary>
    internal IEnumerable<ulong> Keys()
    {
        if (What == "lost") yield return TraceKeys.Lost;
        if (Id.Length > 0) yield return TraceKeys.Id(Id);
        foreach (string child in Children()) yield return TraceKeys.Id(child);
        if (Text("messageId") is { Length: > 0 } messageId) yield return TraceKeys.MessageId(messageId);
        foreach (string address in Addresses()) yield return TraceKeys.Address(address);
    }

    /// <summary>Addresses by which it is found.</summary>
    internal IEnumerable<string> Addresses()
    {
        IEnumerable<string> some = What switch
        {
            "refused" => [Text("from"), Text("to"), Login()],
            "received" or "broken-off" => [Text("from"), .. Texts(Fields, "to"), Login()],
            "alias" => [Text("address"), .. Texts(Fields, "targets")],
            "sieve" => [Text("account")],
            "stored" => [.. Objects("copies").Select(copy => Text(copy, "account")), .. Objects("queued").SelectMany(part => Texts(part, "to"))],
            _ => [],
        };
        return some.Where(address => address.Length > 0);
    }

    private string Login() => Fields.TryGetProperty("client", out JsonElement client) ? Text(client, "login") : "";
}
