using Posthorn.Core;
using Posthorn.Sieve;

namespace Posthorn.Filtering;

/// <summary>One action of a result, for people and for scripts.</summary>
/// <param name="Action">keep, fileinto, redirect, discard, reject, ereject, vacation, notify, report or pipe.</param>
internal sealed record ActionReport(string Action)
{
    public bool? Implicit { get; init; }
    public string? Mailbox { get; init; }
    public IReadOnlyList<string>? Flags { get; init; }
    public bool? Create { get; init; }
    public string? SpecialUse { get; init; }
    public string? MailboxId { get; init; }
    public bool? Edited { get; init; }
    public IReadOnlyList<string>? To { get; init; }
    public string? From { get; init; }
    public string? Reason { get; init; }
    public string? Suppressed { get; init; }
    public string? Copy { get; init; }
    public string? Method { get; init; }
    public string? Program { get; init; }

    public static ActionReport Of(SieveAction action) => action switch
    {
        SieveAction.Keep keep => new("keep") { Mailbox = MailboxName.Inbox.ToString(), Implicit = keep.IsImplicit ? true : null, Flags = Some(keep.Flags), Edited = Edit(keep.Image) },
        SieveAction.FileInto file => new("fileinto")
        {
            Mailbox = file.Target.Mailbox.ToString(),
            Flags = Some(file.Target.Flags),
            Create = file.Target.Create ? true : null,
            SpecialUse = file.Target.SpecialUse,
            MailboxId = file.Target.MailboxId,
            Edited = Edit(file.Image),
        },
        SieveAction.Redirect redirect => new("redirect") { To = [redirect.Address.ToString()], From = redirect.Sender, Edited = Edit(redirect.Image) },
        SieveAction.Discard => new("discard"),
        SieveAction.Reject reject => new(reject.IsEreject ? "ereject" : "reject") { Reason = reject.Reason },
        SieveAction.Vacation vacation => new("vacation")
        {
            To = vacation.Reply is { } reply ? [.. reply.Recipients.Select(r => r.ToString())] : null,
            Suppressed = vacation.Suppressed,
            Copy = vacation.Copy?.Mailbox.ToString(),
        },
        SieveAction.Notify notify => new("notify")
        {
            Method = notify.Method,
            To = notify.Mail is { } mail ? [.. mail.Recipients.Select(r => r.ToString())] : null,
            Suppressed = notify.Suppressed,
            Copy = notify.Copy?.Mailbox.ToString(),
        },
        SieveAction.Report report => new("report") { Reason = report.FeedbackType, To = [.. report.Mail.Recipients.Select(r => r.ToString())] },
        SieveAction.Pipe pipe => new("pipe") { Program = pipe.Program },
        _ => new(action.Name),
    };

    /// <summary>In one line.</summary>
    public string Line()
    {
        string line = Action;
        if (Implicit == true) line += " (implicit)";
        else if (Mailbox is not null && Action == "fileinto") line += $" \"{Mailbox}\"";
        if (Flags is not null) line += $" [{string.Join(' ', Flags)}]";
        if (SpecialUse is not null) line += $" special use {SpecialUse}";
        if (MailboxId is not null) line += $" mailbox id {MailboxId}";
        if (Create == true) line += ", made when missing";
        if (Method is not null) line += $" by {Method}";
        if (Program is not null) line += $" to program {Program}";
        if (To is not null) line += $" to {string.Join(", ", To)}";
        if (From is not null) line += $" from <{From}>";
        if (Reason is not null) line += $": {Reason.ReplaceLineEndings(" ").Trim()}";
        if (Suppressed is not null) line += $", not sent: {Suppressed}";
        if (Copy is not null) line += $", copy in \"{Copy}\"";
        if (Edited == true) line += ", edited";
        return line;
    }

    private static IReadOnlyList<string>? Some(IReadOnlyList<string> flags) => flags.Count > 0 ? flags : null;

    private static bool? Edit(SieveImage image) => image.IsOriginal ? null : true;
}
