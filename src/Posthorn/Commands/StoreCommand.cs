using System.CommandLine;
using System.Text.Json;
using Posthorn.Control;
using Posthorn.Core;
using Posthorn.Journal.Volume;
using Posthorn.Serving;
using Posthorn.Store;
using Posthorn.Store.Engine;

namespace Posthorn.Commands;

/// <summary><c>posthorn store verify|rebuild|reindex</c>: holds catalogues and mail against each other, and makes anew what can be made from the other.</summary>
internal static class StoreCommand
{
    public static Command Create() => new("store", "Check the mail stores; make catalogues and word indexes anew") { Verify(), Rebuild(), Reindex() };

    private static Command Verify()
    {
        StoreOptions options = new();
        Option<bool> quick = new("--quick") { Description = "Do not read the messages themselves" };
        Command command = options.AddTo(new("verify", "List every difference between catalogue, files and lists; changes nothing, the server must be stopped; status 1 when there are any") { quick });
        command.SetAction((parsed, cancel) => options.RunStoppedAsync(parsed, async (configuration, accounts) =>
        {
            StoreVerifier verifier = new(OptionsFor.Stores(configuration), new LinuxVolume());
            List<StoreReport> reports = [];
            await StoreProgress.RunAsync("verify", accounts, parsed.GetValue(options.Json), (account, count) =>
            {
                reports.Add(verifier.Verify(account, !parsed.GetValue(quick), count, cancel));
                return Task.CompletedTask;
            });
            return Print(reports, parsed.GetValue(options.Json));
        }));
        return command;
    }

    private static Command Rebuild()
    {
        StoreOptions options = new();
        Command command = options.AddTo(new("rebuild", "Make catalogues anew from the mail, its lists and the journal, under the same UIDs; the old one is kept aside, the server must be stopped"));
        command.SetAction((parsed, cancel) => options.RunStoppedAsync(parsed, async (configuration, accounts) =>
        {
            StoreVerifier verifier = new(OptionsFor.Stores(configuration), new LinuxVolume());
            DateTimeOffset now = TimeProvider.System.GetUtcNow();
            // Before the journal is opened: opening it may open accounts, and they would write down what is to be forgotten.
            foreach (MailAccount account in accounts) verifier.SetAside(account, now);
            List<string> failed = [];
            Action<int>? rebuilt = null;
            await using (StoppedServer offline = await StoppedServer.OpenAsync(configuration, TimeProvider.System, (_, some) => rebuilt?.Invoke(some), cancel))
            {
                await StoreProgress.RunAsync("rebuild", accounts, parsed.GetValue(options.Json), async (account, count) =>
                {
                    rebuilt = count;
                    if (!await OpenAllAsync(offline.Stores, account, cancel)) failed.Add(account.Address.ToString());
                });
            }

            foreach (string account in failed) Console.Error.WriteLine($"{account}: the mail cannot be opened; the log says why");
            List<StoreReport> reports = [.. accounts.Select(account => verifier.Verify(account, readMail: false, null, cancel))];
            int status = Print(reports, parsed.GetValue(options.Json));
            return failed.Count > 0 ? ExitStatus.Wrong : status;
        }));
        return command;
    }

    private static Command Reindex()
    {
        StoreOptions options = new();
        Command command = options.AddTo(new("reindex", "Make word indexes anew; a running server does it itself"));
        command.SetAction((parsed, cancel) => options.RunAsync(parsed, async (configuration, accounts) =>
        {
            if (StoreOptions.IsServerRunning(configuration)) return await ReindexInServerAsync(parsed.GetValue(options.Config), accounts, parsed.GetValue(options.Json), cancel);
            List<ReindexedAccount> done = [];
            await using StoppedServer offline = await StoppedServer.OpenAsync(configuration, TimeProvider.System, cancel);
            await StoreProgress.RunAsync("reindex", accounts, parsed.GetValue(options.Json), async (account, count) =>
            {
                int messages = 0;
                bool good = await offline.Stores.IndexAsync(account, anew: true, some => { messages += some; count(some); }, cancel);
                done.Add(new(account.Address.ToString(), messages, good));
            });
            return Print(done, parsed.GetValue(options.Json));
        }));
        return command;
    }

    private static Task<int> ReindexInServerAsync(string? config, IReadOnlyList<MailAccount> accounts, bool json, CancellationToken cancel) => ControlClient.RunAsync(config, async (client, stop) =>
    {
        List<ReindexedAccount> done = [];
        await StoreProgress.RunAsync("reindex", accounts, json, async (account, count) =>
        {
            ReindexedAccount one = await client.PostAsync($"store/reindex?account={Uri.EscapeDataString(account.Address.ToString())}", ControlJson.Default.ReindexedAccount, stop);
            count(one.Messages);
            done.Add(one);
        });
        return Print(done, json);
    }, cancel);

    // Each mailbox is looked at, so that files which no list names are taken in.
    private static async Task<bool> OpenAllAsync(MaildirStores stores, MailAccount account, CancellationToken cancel)
    {
        Result<IMailStore> opened = await stores.OpenAsync(account, cancel);
        if (!opened.TryGet(out IMailStore? store, out _)) return false;
        await using (store)
        {
            foreach (MailboxInfo info in await store.ListAsync(cancel))
                if (info.Id is not null) await store.StatusAsync(info.Name, cancel);
        }

        return true;
    }

    private static int Print(List<StoreReport> reports, bool json)
    {
        bool good = reports.TrueForAll(report => report.Differences.Count == 0);
        if (json)
        {
            StoreVerified verified = new(good, [.. reports.Select(report => new StoreVerifiedAccount(report.Account.ToString(), report.Mailboxes, report.Messages,
                [.. report.Differences.Select(one => new StoreVerifiedDifference(NameOf(one.Part), one.Mailbox?.Value, one.Uid?.Value, one.What))]))]);
            Console.Out.WriteLine(JsonSerializer.Serialize(verified, CommandJson.Default.StoreVerified));
            return good ? ExitStatus.Done : ExitStatus.Wrong;
        }

        foreach (StoreReport report in reports)
        {
            foreach (StoreDifference one in report.Differences)
                Console.Out.WriteLine($"{report.Account}{(one.Mailbox is { } box ? $" {box}" : "")}{(one.Uid is { } uid ? $" {uid.Value}" : "")}: {NameOf(one.Part)}: {one.What}");
            Console.Out.WriteLine($"{report.Account}: {report.Messages} messages in {report.Mailboxes} mailboxes, {(report.Differences.Count == 0 ? "good" : $"{report.Differences.Count} differences")}");
        }

        return good ? ExitStatus.Done : ExitStatus.Wrong;
    }

    private static int Print(List<ReindexedAccount> done, bool json)
    {
        if (json) Console.Out.WriteLine(JsonSerializer.Serialize(new ReindexReport(done), CommandJson.Default.ReindexReport));
        else
            foreach (ReindexedAccount one in done) Console.Out.WriteLine($"{one.Account}: {(one.Indexed ? $"{Quantity.Of(one.Messages, "message")} indexed" : "the index cannot be made; the log says why")}");
        return done.TrueForAll(one => one.Indexed) ? ExitStatus.Done : ExitStatus.Wrong;
    }

    private static string NameOf(StorePart part) => part.ToString().ToLowerInvariant();
}

/// <summary>What <c>store verify --json</c> and <c>store rebuild --json</c> print.</summary>
internal sealed record StoreVerified(bool Good, IReadOnlyList<StoreVerifiedAccount> Accounts);

/// <summary>One account of it.</summary>
internal sealed record StoreVerifiedAccount(string Account, int Mailboxes, long Messages, IReadOnlyList<StoreVerifiedDifference> Differences);

/// <summary>One thing that is wrong with it.</summary>
internal sealed record StoreVerifiedDifference(string Part, string? Mailbox, uint? Uid, string What);

/// <summary>What <c>store reindex --json</c> prints.</summary>
internal sealed record ReindexReport(IReadOnlyList<ReindexedAccount> Accounts);
