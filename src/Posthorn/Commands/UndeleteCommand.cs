using System.CommandLine;
using System.Text.Json;
using Posthorn.Configuration;
using Posthorn.Control;
using Posthorn.Core;
using Posthorn.Serving;

namespace Posthorn.Commands;

/// <summary><c>posthorn undelete list|restore</c>: what was expunged lately, and the way back (<c>mail.keep-expunged</c>). A running server does it itself.</summary>
internal static class UndeleteCommand
{
    public static Command Create() => new("undelete", "List messages that were deleted lately, and bring them back") { List(), Restore() };

    private static Command List()
    {
        Choice choice = new();
        Command command = choice.AddTo(new("list", "List what was expunged and is still kept, the latest first"));
        command.SetAction((parsed, cancel) => choice.RunAsync(parsed, async (source, json) =>
        {
            List<ExpungedReportMessage> found = [.. (await source.ListAsync(cancel)).Messages.Where(choice.Filter(parsed))];
            if (json) Console.Out.WriteLine(JsonSerializer.Serialize(new ExpungedReport(found), ControlJson.Default.ExpungedReport));
            else
            {
                foreach (ExpungedReportMessage one in found)
                    Console.Out.WriteLine($"{one.Id}  {one.Expunged.ToLocalTime():yyyy-MM-dd HH:mm:ss}  {one.Mailbox ?? "(a removed mailbox)"}  {one.Size}  {Plain(one.From)}  {Plain(one.Subject)}");
                Console.Out.WriteLine(Quantity.Of(found.Count, "message"));
            }

            return ExitStatus.Done;
        }, cancel));
        return command;
    }

    private static Command Restore()
    {
        Choice choice = new();
        Argument<string[]> ids = new("id") { Description = "Which messages, as list names them", Arity = ArgumentArity.ZeroOrMore };
        Option<bool> all = new("--all") { Description = "All that --mailbox and --within leave" };
        Option<string?> into = new("--into") { Description = "The mailbox to put them into, in place of the one where each was; INBOX when that is removed", HelpName = "MAILBOX" };
        Command command = choice.AddTo(new("restore", "Bring messages back, under new UIDs") { ids, all, into });
        command.Validators.Add(result =>
        {
            if (result.GetValue(all) == result.GetValue(ids) is { Length: > 0 }) result.AddError("Name messages, or take --all");
        });
        command.SetAction((parsed, cancel) => choice.RunAsync(parsed, async (source, json) =>
        {
            string[] wanted = parsed.GetValue(all)
                ? [.. (await source.ListAsync(cancel)).Messages.Where(choice.Filter(parsed)).Select(message => message.Id)]
                : parsed.GetValue(ids) ?? [];
            UndeleteReport report = await source.RestoreAsync(wanted, parsed.GetValue(into), cancel);
            if (json) Console.Out.WriteLine(JsonSerializer.Serialize(report, ControlJson.Default.UndeleteReport));
            else
            {
                foreach (RestoredMessage one in report.Restored) Console.Out.WriteLine($"{one.Id}: back in {one.Mailbox} as {one.Uid}");
                foreach (UndeleteProblem one in report.Problems) Console.Error.WriteLine($"{one.Id}: {one.Problem}");
            }

            return report.Problems.Count == 0 ? ExitStatus.Done : ExitStatus.Wrong;
        }, cancel));
        return command;
    }

    // What others wrote goes to a terminal.
    private static string Plain(string text) => string.Concat(text.Select(c => char.IsControl(c) ? ' ' : c));

    /// <summary>Where the mail is asked: the running server, or the mail itself.</summary>
    private sealed record Source(Func<CancellationToken, Task<ExpungedReport>> ListAsync, Func<IReadOnlyList<string>, string?, CancellationToken, Task<UndeleteReport>> RestoreAsync);

    /// <summary>The options that both share.</summary>
    private sealed class Choice
    {
        private readonly Option<string> _account = new("--account", "-a") { Description = "Whose mail; a bare name gets the default domain", HelpName = "ADDRESS", Required = true };
        private readonly Option<string?> _mailbox = new("--mailbox", "-m") { Description = "Only what was in this mailbox", HelpName = "MAILBOX" };
        private readonly Option<string?> _within = new("--within") { Description = "Only what was expunged within this time, such as 2h or 3d", HelpName = "TIME" };
        private readonly Option<string?> _config = CommonOptions.Config();
        private readonly Option<bool> _json = CommonOptions.Json();

        public Command AddTo(Command command)
        {
            foreach (Option option in (Option[])[_account, _mailbox, _within, _config, _json]) command.Add(option);
            command.Validators.Add(result =>
            {
                if (result.GetValue(_within) is { } text && !Units.TryParseDuration(text, out _)) result.AddError($"'{text}' is no time; expected for example 2h or 3d");
            });
            return command;
        }

        public Func<ExpungedReportMessage, bool> Filter(ParseResult parsed)
        {
            string? mailbox = parsed.GetValue(_mailbox);
            DateTimeOffset since = parsed.GetValue(_within) is { } text && Units.TryParseDuration(text, out TimeSpan span) ? TimeProvider.System.GetUtcNow() - span : DateTimeOffset.MinValue;
            return message => (mailbox is null || message.Mailbox == mailbox) && message.Expunged >= since;
        }

        public Task<int> RunAsync(ParseResult parsed, Func<Source, bool, Task<int>> run, CancellationToken cancel) => WithConfiguration.LookAsync(parsed.GetValue(_config), async (configuration, isWhole) =>
        {
            if (WithConfiguration.Address(configuration, parsed.GetRequiredValue(_account)) is not { } address) return ExitStatus.Wrong;
            bool json = parsed.GetValue(_json);
            if (StoreOptions.IsServerRunning(configuration)) return await ControlClient.RunAsync(configuration, (client, _) => run(Running(client, address), json), cancel);
            // Without a server the mail is opened here, by all that the file says of it.
            if (!isWhole) return ExitStatus.Wrong;
            await using StoppedServer offline = await StoppedServer.OpenAsync(configuration, TimeProvider.System, cancel);
            if (offline.Directory.FindAccount(address) is not { } account)
            {
                Console.Error.WriteLine($"there is no account {address}");
                return ExitStatus.Wrong;
            }

            return await run(Stopped(offline, account), json);
        });

        private static Source Running(ControlClient client, EmailAddress address)
        {
            string account = Uri.EscapeDataString(address.ToString());
            return new(
                cancel => client.GetAsync($"expunged?account={account}", ControlJson.Default.ExpungedReport, cancel),
                (ids, into, cancel) => client.PostAsync($"undelete?account={account}&ids={string.Join(',', ids)}{(into is null ? "" : "&into=" + Uri.EscapeDataString(into))}", ControlJson.Default.UndeleteReport, cancel));
        }

        private static Source Stopped(StoppedServer offline, MailAccount account) => new(
            cancel => UndeleteRoutes.ListAsync(offline.Stores, account, cancel),
            (ids, into, cancel) => UndeleteRoutes.RestoreAsync(offline.Stores, account, ids, into, cancel));
    }
}
