using System.Globalization;
using System.Text.Json;
using Posthorn.Control;
using Posthorn.Core;
using Posthorn.Directory;
using Posthorn.Filtering;
using Posthorn.Sieve;
using Posthorn.Store;
using Posthorn.Transport.Filtering;

namespace Posthorn.Serving;

/// <summary>Replays of drafts over the control socket.</summary>
internal sealed class SieveRoutes(SieveOptions options, ScriptLibrary library, ListFiles lists, IDirectory directory, IMailStores stores, TimeProvider time)
{
    /// <summary>News of progress are sent this often at most.</summary>
    private static readonly TimeSpan NewsInterval = TimeSpan.FromMilliseconds(200);

    /// <summary>Answers with a stream: lines of progress, then the report.</summary>
    public async ValueTask<ControlReply> ReplayAsync(ControlRequest request, CancellationToken cancel)
    {
        if (!EmailAddress.TryParse(request.Query["account"].ToString(), out EmailAddress address) || directory.FindAccount(address) is not { } account)
            return ControlReply.NotFound($"there is no account {request.Query["account"]}");
        if (!long.TryParse(request.Query["since"].ToString(), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long seconds) || seconds is < 0 or > 253_402_300_799)
            return ControlReply.Unusable("'since' is not a time");
        using MemoryStream text = new();
        await request.Body.CopyToAsync(text, cancel);
        SieveCompilation compiled = SieveCompiler.Compile(text.ToArray(), "draft", options.Language);
        if (compiled.Script is not { } script) return ControlReply.Refused(string.Join('\n', compiled.Errors));
        return ControlReply.Stream((output, stop) => ReplayAsync(account, script, DateTimeOffset.FromUnixTimeSeconds(seconds), output, stop));
    }

    /// <summary>An account's mailboxes with their ids and uses, for scripts that are checked by hand.</summary>
    public async ValueTask<ControlReply> MailboxesAsync(ControlRequest request, CancellationToken cancel)
    {
        if (!EmailAddress.TryParse(request.Query["account"].ToString(), out EmailAddress address) || directory.FindAccount(address) is not { } account)
            return ControlReply.NotFound($"there is no account {request.Query["account"]}");
        Result<IMailStore> opened = await stores.OpenAsync(account, cancel);
        if (!opened.TryGet(out IMailStore? store, out Refusal? refusal)) return ControlReply.Refused(refusal.Text);
        await using StoreMail mail = new(store);
        return new(200, JsonSerializer.Serialize(new(await mail.MailboxesAsync(cancel)), Commands.SieveJson.Default.MailboxesReport));
    }

    private async Task ReplayAsync(MailAccount account, SieveScript script, DateTimeOffset since, Stream output, CancellationToken cancel)
    {
        Result<IMailStore> opened = await stores.OpenAsync(account, cancel);
        if (!opened.TryGet(out IMailStore? store, out Refusal? refusal))
        {
            await TellAsync(output, new(null, null, null, refusal.Text), cancel);
            return;
        }
        await using StoreMail mail = new(store);
        long last = 0;
        ReplayReport report = await new Replayer(options, library, lists, account, mail, time).RunAsync(script, since, async (done, total) =>
        {
            if (time.GetElapsedTime(last) < NewsInterval) return;
            last = time.GetTimestamp();
            await TellAsync(output, new(done, total, null, null), cancel);
        }, cancel);
        await TellAsync(output, new(null, null, report, null), cancel);
    }

    private static async Task TellAsync(Stream output, ReplayNews news, CancellationToken cancel)
    {
        await JsonSerializer.SerializeAsync(output, news, Commands.SieveJson.Default.ReplayNews, cancel);
        await output.WriteAsync("\n"u8.ToArray(), cancel);
        await output.FlushAsync(cancel);
    }
}
