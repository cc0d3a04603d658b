using System.Text.Json;
using Posthorn.Control;
using Posthorn.Core;
using Posthorn.Transport.Queue;

namespace Posthorn.Serving;

/// <summary>The queue over the control socket.</summary>
internal static class QueueRoutes
{
    /// <summary>Messages in one answer; a queue of 100,000 is looked at by its totals or through a filter.</summary>
    private const int MostListed = 10_000;

    public static QueueReport List(QueueControl queue, ControlRequest request)
    {
        QueueFilter filter = Filter(request);
        return new(
            [.. queue.List(filter).Select(Describe)],
            [.. queue.Totals().Select(t => new QueueReportTotal(t.Destination, t.Messages, t.Running, t.LastFault?.ToString()))],
            [.. queue.Reasons(filter).Select(r => new QueueReportReason(r.Status, r.Recipients, r.Example))],
            queue.Count(filter));
    }

    public static ControlReply Retry(QueueControl queue, ControlRequest request)
    {
        QueueFilter filter = Filter(request);
        int tried = queue.Retry(filter);
        if (tried > 0 || filter.Id is not { } id) return Changed(tried);
        return queue.Show(id) switch
        {
            null => NotThere(id),
            { IsHeld: true } => ControlReply.Refused($"message {id} is held: let it go with 'posthorn queue release {id}'"),
            { ReleaseAt: { } release } => ControlReply.Refused($"message {id} waits until {release.ToLocalTime():yyyy-MM-dd HH:mm:ss}, as its sender asked"),
            _ => Changed(tried),
        };
    }

    public static async ValueTask<ControlReply> ChangeAsync(ControlRequest request, Func<QueueFilter, ValueTask<int>> change)
    {
        QueueFilter filter = Filter(request);
        int changed = await change(filter);
        return changed == 0 && filter.Id is { } id ? NotThere(id) : Changed(changed);
    }

    private static ControlReply Changed(int messages) => new(200, JsonSerializer.Serialize(new QueueChange(messages), ControlJson.Default.QueueChange));

    private static ControlReply NotThere(QueueId id) => ControlReply.NotFound($"there is no message {id} in the queue");

    private static QueueFilter Filter(ControlRequest request) => new()
    {
        Id = Text(request, "id") is { } id ? new QueueId(id) : null,
        From = Text(request, "from"),
        To = Text(request, "to"),
        Reason = Text(request, "reason"),
        Destination = Text(request, "destination"),
        IsHeld = Text(request, "held") is { } held ? held == "true" : null,
        Limit = int.TryParse(Text(request, "limit"), System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out int limit) ? Math.Min(limit, MostListed) : MostListed,
    };

    private static string? Text(ControlRequest request, string key) => request.Query[key].ToString() is { Length: > 0 } text ? text : null;

    private static QueueReportMessage Describe(QueuedMessage message) => new(
        message.Id.Value, message.From.ToString(), message.Arrived, message.Size, message.Attempts, message.NextAttempt, message.IsHeld, message.HoldReason, message.ReleaseAt,
        [.. message.Recipients.Select(r => new QueueReportRecipient(r.Address.ToString(), r.IsPending, r.LastReply?.ToString()))]);
}
