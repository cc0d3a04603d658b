using System.CommandLine;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Posthorn.Configuration;
using Posthorn.Core;
using Posthorn.Directory;
using Posthorn.Journal;
using Posthorn.Serving;
using Posthorn.Setup;
using Posthorn.Store.Dovecot;

namespace Posthorn.Commands;

/// <summary><c>posthorn export dovecot</c>: hands mail trees back to Dovecot, so that none of its clients sees a change. The server must be stopped.</summary>
internal static class ExportCommand
{
    public static Command Create() => new("export", "Hand the mail to another server") { Dovecot() };

    private static Command Dovecot()
    {
        Option<string?> config = CommonOptions.Config();
        Option<bool> json = CommonOptions.Json();
        Option<string[]> accounts = new("--account", "-a") { Description = "An account to hand over; may be given several times", HelpName = "ADDRESS" };
        Option<bool> all = new("--all") { Description = "All accounts" };
        Option<FileInfo?> script = new("--doveadm") { Description = "Also write the doveadm commands that do the same for a Dovecot which keeps its indexes elsewhere", HelpName = "FILE" };
        Command command = new("dovecot", "Leave the Maildirs as Dovecot expects them: UIDs, MODSEQs, flags, keywords and subscriptions as clients know them") { config, accounts, all, json, script };
        command.Validators.Add(result =>
        {
            if (result.GetValue(all) == (result.GetValue(accounts) is { Length: > 0 })) result.AddError("Name the accounts with --account, or take --all.");
        });
        command.SetAction((parsed, cancel) => WithConfiguration.RunAsync(parsed.GetValue(config), configuration =>
            RunAsync(configuration, parsed.GetValue(accounts) ?? [], parsed.GetValue(json), parsed.GetValue(script), cancel)));
        return command;
    }

    private static async Task<int> RunAsync(ServerConfiguration configuration, string[] names, bool json, FileInfo? script, CancellationToken cancel)
    {
        try
        {
            List<DovecotHandover> done = [];
            List<ExportFailure> failed = [];
            await using (StoppedServer server = await StoppedServer.OpenAsync(configuration, TimeProvider.System, cancel))
            {
                if (Chosen(configuration, server.Directory, names) is not { } accounts) return ExitStatus.Wrong;
                await HandOverAsync(server, accounts, done, failed, cancel);
            }

            // As whoever runs the command, not as the server's user.
            if (script is not null) PrivateFile.Write(script.FullName, Doveadm(done));
            return Print(done, failed, json);
        }
        catch (JournalInUseException)
        {
            Console.Error.WriteLine("The server runs. Stop it first: mail that arrives while a tree is handed over would be missing in what Dovecot finds.");
            return ExitStatus.Refused;
        }
    }

    // Null when one is not known, which is said.
    private static List<MailAccount>? Chosen(ServerConfiguration configuration, IDirectory directory, string[] names)
    {
        if (names.Length == 0) return [.. directory.Accounts];
        List<MailAccount> accounts = [];
        foreach (string name in names)
        {
            if (WithConfiguration.Address(configuration, name) is not { } address) return null;
            if (directory.FindAccount(address) is not { } account)
            {
                Console.Error.WriteLine($"There is no account {address}; 'posthorn account list' shows them.");
                return null;
            }

            accounts.Add(account);
        }

        return accounts;
    }

    private static async Task HandOverAsync(StoppedServer server, List<MailAccount> accounts, List<DovecotHandover> done, List<ExportFailure> failed, CancellationToken cancel)
    {
        foreach (MailAccount account in accounts)
        {
            cancel.ThrowIfCancellationRequested();
            Result<DovecotHandover> result = await server.Stores.ExportDovecotAsync(account, new ProgressLine(account.Address.ToString()), cancel);
            if (result.TryGet(out DovecotHandover? handover, out Refusal? refusal)) done.Add(handover);
            else failed.Add(new(account.Address.ToString(), refusal.Text));
        }
    }

    private static int Print(List<DovecotHandover> done, List<ExportFailure> failed, bool json)
    {
        DovecotExportReport report = new(
            [.. done.Select(one => new ExportedAccount(one.Account.ToString(), [.. one.Mailboxes.Select(box =>
                new ExportedMailbox(box.Name, box.Validity.Value, box.UidNext.Value, box.Highest.Value, box.Messages, box.IndexKeywords.Count))]))],
            failed);
        if (json) Console.Out.WriteLine(JsonSerializer.Serialize(report, CommandJson.Default.DovecotExportReport));
        else
            foreach (ExportedAccount account in report.Accounts)
                Console.Out.WriteLine($"{account.Account}: {account.Mailboxes.Count} mailboxes, {account.Mailboxes.Sum(box => box.Messages)} messages are ready for Dovecot");
        foreach (ExportFailure failure in failed) Console.Error.WriteLine($"{failure.Account}: {failure.Reason}");
        return failed.Count == 0 ? ExitStatus.Done : ExitStatus.Wrong;
    }

    /// <summary>A shell script for <c>doveadm</c>, to be run while Dovecot does.</summary>
    private static string Doveadm(List<DovecotHandover> accounts)
    {
        StringBuilder text = new("#!/bin/sh\n# What a Dovecot that keeps its indexes outside the Maildirs must be told. Run it once, after Dovecot was started and before clients come.\nset -e\n");
        foreach (DovecotHandover account in accounts)
        {
            string user = Quote(account.Account.ToString());
            foreach (DovecotMailbox box in account.Mailboxes)
            {
                string name = Quote(ModifiedUtf7.TryDecode(box.Name, out string decoded) ? decoded : box.Name);
                // Dovecot must have read the list before it hears of the next UID: else it takes every message for one that came back, and gives it another UID.
                text.Append(CultureInfo.InvariantCulture, $"doveadm mailbox status -u {user} messages {name} >/dev/null\n");
                text.Append(CultureInfo.InvariantCulture, $"doveadm mailbox update -u {user} --min-next-uid {box.UidNext} --min-highest-modseq {box.Highest} {name}\n");
                foreach ((Keyword keyword, IReadOnlyList<Uid> uids) in box.IndexKeywords)
                    foreach (Uid[] some in uids.Chunk(500))
                        text.Append(CultureInfo.InvariantCulture, $"doveadm flags add -u {user} {Quote(keyword.Name)} mailbox {name} uid {string.Join(',', some)}\n");
            }
        }

        return text.ToString();
    }

    private static string Quote(string text) => "'" + text.Replace("'", "'\\''", StringComparison.Ordinal) + "'";
}

/// <summary>How far a long work on one account is: one line on a terminal's standard error, nothing elsewhere.</summary>
internal sealed class ProgressLine(string what) : IProgress<(int Done, int All)>
{
    private readonly bool _shown = !Console.IsErrorRedirected;

    public void Report((int Done, int All) value)
    {
        if (!_shown) return;
        Console.Error.Write($"\r{what}: {value.Done} of {value.All} mailboxes ");
        if (value.Done == value.All) Console.Error.WriteLine();
    }
}

/// <summary>What <c>export dovecot --json</c> prints.</summary>
internal sealed record DovecotExportReport(IReadOnlyList<ExportedAccount> Accounts, IReadOnlyList<ExportFailure> Failed);

/// <summary>One account that was handed over.</summary>
internal sealed record ExportedAccount(string Account, IReadOnlyList<ExportedMailbox> Mailboxes);

/// <summary>One mailbox with its numbers; <paramref name="KeywordsInIndex"/> counts those that no file name can hold.</summary>
internal sealed record ExportedMailbox(string Name, uint UidValidity, uint UidNext, long HighestModSeq, int Messages, int KeywordsInIndex);

/// <summary>One account that was not.</summary>
internal sealed record ExportFailure(string Account, string Reason);
