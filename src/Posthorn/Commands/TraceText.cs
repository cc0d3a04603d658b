using System.Globalization;
using System.Text.Json;
using Posthorn.Configuration;
using Posthorn.Transport.Trace;

namespace Posthorn.Commands;

/// <summary>Says the life of a message in words.</summary>
internal static class TraceText
{
    /// <summary>The lines of one message: a head, then a line for each step.</summary>
    public static IEnumerable<string> Of(TracedMessage message)
    {
        TraceLine? received = message.Steps.FirstOrDefault(step => step.What == "received");
        string messageId = received?.Text("messageId") ?? "";
        yield return Plain(messageId.Length > 0 ? $"{message.Id}  <{messageId}>" : message.Id);
        // The connection came before all that was asked about it; what is known of it stands with the message.
        if (received is not null)
            foreach (string text in Connection(received)) yield return Line(message.Steps[0], text);
        foreach (TraceLine step in message.Steps)
            foreach (string text in Of(step)) yield return Line(step, text);
    }

    private static string Line(TraceLine step, string text) => Plain($"  {step.Time.ToLocalTime().ToString("yyyy-MM-dd HH:mm:ss.fff", CultureInfo.InvariantCulture)}  {text}");

    private static IEnumerable<string> Connection(TraceLine received)
    {
        if (received.Fields.TryGetProperty("client", out JsonElement client)) yield return $"{"connected",-11} {Client(client)}";
        if (received.Fields.TryGetProperty("forwarded", out JsonElement forwarded)) yield return $"{"forwarded",-11} {Forwarded(forwarded)}";
    }

    private static IEnumerable<string> Of(TraceLine step)
    {
        switch (step.What)
        {
            case "received":
                yield return $"{"received",-11} {Path(step.Text("from"))} for {List(TraceLine.Texts(step.Fields, "to"))}, {Size(step.Text("size"))}";
                break;
            case "refused":
                string refusedFrom = step.Fields.TryGetProperty("client", out JsonElement who) ? $" ({Client(who)})" : "";
                yield return $"{"refused",-11} {Path(step.Text("from"))}{(step.Text("to") is { Length: > 0 } to ? $" to {to}" : "")}: {step.Text("reply")}{refusedFrom}";
                break;
            case "broken-off":
                string lost = step.Fields.TryGetProperty("client", out JsonElement sender) ? $" ({Client(sender)})" : "";
                yield return $"{"broken off",-11} {Path(step.Text("from"))} for {List(TraceLine.Texts(step.Fields, "to"))}: the client was lost after {Size(step.Text("octets"))}{lost}";
                break;
            case "checked": yield return $"{"checked",-11} {step.Text("stage")}, {step.Text("by")}: {step.Text("text")}"; break;
            case "alias": yield return $"{"alias",-11} {step.Text("address")} is {List(TraceLine.Texts(step.Fields, "targets"))}"; break;
            case "sieve": yield return $"{"sieve",-11} {step.Text("account")}: {(step.Text("actions") is { Length: > 0 } actions ? actions : "nothing")}{(step.Text("status") == "ok" ? "" : $" ({step.Text("status")})")}"; break;
            case "stored":
                foreach (string line in Stored(step)) yield return line;
                break;
            case "connected": yield return $"{"reached",-11} {step.Text("host")}, TLS {step.Text("tls")}"; break;
            case "unreachable": yield return $"{"unreachable",-11} {step.Text("host")}: {step.Text("reply")}"; break;
            case "sent" or "deferred" or "bounced":
                yield return $"{step.What,-11} {step.Text("to")}{(step.Text("host") is { Length: > 0 } host ? $" by {host}" : "")}: {step.Text("reply")}";
                break;
            case "report": yield return $"{"report",-11} {step.Text("kind")}, to {step.Text("to")} as {step.Text("report")}: {step.Text("reply")}"; break;
            case "order": yield return $"{"order",-11} {step.Text("order")}, by the operator"; break;
            default: yield return $"{step.What,-11} {step.Fields}"; break; // of a newer program
        }
    }

    private static IEnumerable<string> Stored(TraceLine step)
    {
        // What has no record was refused by all that were to store it.
        bool isKept = step.Text("lsn") is not ("0" or "");
        string head = isKept ? $"{"safe",-11} journal record {step.Text("lsn")}: " : $"{"not stored",-11} ";
        bool any = false;
        foreach (JsonElement copy in step.Objects("copies"))
        {
            string refusal = TraceLine.Text(copy, "refusal");
            string place = refusal.Length > 0 ? $"{(isKept ? "not stored for" : "for")} {TraceLine.Text(copy, "account")}: {refusal}" : $"{TraceLine.Text(copy, "account")} {TraceLine.Text(copy, "mailbox")}, UID {TraceLine.Text(copy, "uid")}";
            yield return any ? $"{"",-11} {place}" : head + place;
            any = true;
        }
        foreach (JsonElement part in step.Objects("queued"))
        {
            string id = TraceLine.Text(part, "id");
            string place = $"queued{(id == step.Id ? "" : $" as {id}")} ({TraceLine.Text(part, "what")}) for {List(TraceLine.Texts(part, "to"))}";
            yield return any ? $"{"",-11} {place}" : head + place;
            any = true;
        }
        if (!any) yield return $"{head}discarded";
    }

    private static string Client(JsonElement client)
    {
        string helo = TraceLine.Text(client, "helo"), tls = TraceLine.Text(client, "tls"), login = TraceLine.Text(client, "login"), mechanism = TraceLine.Text(client, "mechanism");
        return $"{TraceLine.Text(client, "address")}{(helo.Length > 0 ? $" ({helo})" : "")} on {TraceLine.Text(client, "listener")}, {(tls.Length > 0 ? tls : "no TLS")}, "
            + (login.Length > 0 ? $"login {login}{(mechanism.Length > 0 ? $" by {mechanism}" : "")}" : "no login") + $", session {TraceLine.Text(client, "session")}";
    }

    // What a filter in front of us says of the client from which it had the mail.
    private static string Forwarded(JsonElement client)
    {
        string name = TraceLine.Text(client, "name"), helo = TraceLine.Text(client, "helo"), ident = TraceLine.Text(client, "ident"), address = TraceLine.Text(client, "address");
        return $"from {(name.Length > 0 ? name : "unknown")}[{(address.Length > 0 ? address : "unknown")}]{(helo.Length > 0 ? $" ({helo})" : "")}{(ident.Length > 0 ? $", there {ident}" : "")}, as the client says";
    }

    private static string List(IReadOnlyList<string> texts) => texts.Count <= 20 ? string.Join(", ", texts) : $"{string.Join(", ", texts.Take(20))} and {texts.Count - 20} more";

    private static string Path(string from) => $"from <{from}>";

    private static string Size(string octets) => long.TryParse(octets, NumberStyles.None, CultureInfo.InvariantCulture, out long size) ? Units.Size(size) : octets;

    // What strangers have said must not steer a terminal.
    private static string Plain(string text) => string.Create(text.Length, text, static (into, from) =>
    {
        for (int i = 0; i < from.Length; i++) into[i] = char.IsControl(from[i]) ? '?' : from[i];
    });
}
