using System.Text.Json;
using Posthorn.Control;
using Posthorn.Core;
using Posthorn.Store;
using Posthorn.Store.Engine;

namespace Posthorn.Serving;

/// <summary>Expunged mail: what there still is, and the way back; for the control socket and for a server that does not run.</summary>
internal static class UndeleteRoutes
{
    public static async Task<ExpungedReport> ListAsync(MaildirStores stores, MailAccount account, CancellationToken cancel)
    {
        Result<IReadOnlyList<ExpungedMessage>> found = await stores.ListExpungedAsync(account, cancel);
        if (!found.IsOk) throw new IOException(found.Refusal.Text);
        return new([.. found.Value.Select(one => new ExpungedReportMessage(one.Id, one.Mailbox?.Value, one.Uid?.Value, one.At, one.Size, one.From, one.Subject))]);
    }

    public static async Task<UndeleteReport> RestoreAsync(MaildirStores stores, MailAccount account, IReadOnlyList<string> ids, string? into, CancellationToken cancel)
    {
        List<RestoredMessage> restored = [];
        List<UndeleteProblem> problems = [];
        foreach (string id in ids)
        {
            Result<(MailboxName Mailbox, StoredMessage Message)> back = await stores.UndeleteAsync(account, id, into, cancel);
            if (back.IsOk) restored.Add(new(id, back.Value.Mailbox.Value, back.Value.Message.Uid.Value));
            else problems.Add(new(id, back.Refusal.Text));
        }

        return new(restored, problems);
    }

    /// <summary>Lists over the control socket.</summary>
    public static async ValueTask<ControlReply> ListAsync(Composition parts, ControlRequest request, CancellationToken cancel)
    {
        string text = request.Query["account"].ToString();
        if (!EmailAddress.TryParse(text, out EmailAddress address) || parts.Directory.FindAccount(address) is not { } account) return ControlReply.NotFound($"there is no account {text}");
        return new(200, JsonSerializer.Serialize(await ListAsync(parts.MaildirStores, account, cancel), ControlJson.Default.ExpungedReport));
    }

    /// <summary>Restores over the control socket.</summary>
    public static async ValueTask<ControlReply> RestoreAsync(Composition parts, ControlRequest request, CancellationToken cancel)
    {
        string text = request.Query["account"].ToString();
        if (!EmailAddress.TryParse(text, out EmailAddress address) || parts.Directory.FindAccount(address) is not { } account) return ControlReply.NotFound($"there is no account {text}");
        string[] ids = request.Query["ids"].ToString().Split(',', StringSplitOptions.RemoveEmptyEntries);
        string? into = request.Query["into"].ToString() is { Length: > 0 } named ? named : null;
        return new(200, JsonSerializer.Serialize(await RestoreAsync(parts.MaildirStores, account, ids, into, cancel), ControlJson.Default.UndeleteReport));
    }
}
