using Posthorn.Core;
using Spectre.Console;

namespace Posthorn.Commands;

/// <summary>Shows on standard error how far long work on accounts has come, when somebody looks.</summary>
internal static class StoreProgress
{
    public static async Task RunAsync(string what, IReadOnlyList<MailAccount> accounts, bool quiet, Func<MailAccount, Action<int>, Task> work)
    {
        if (quiet || Console.IsErrorRedirected)
        {
            foreach (MailAccount account in accounts) await work(account, _ => { });
            return;
        }

        // Said outright: the library looks at standard output, which may well be a file while somebody watches standard error.
        AnsiSupport ansi = Environment.GetEnvironmentVariable("TERM") is null or "" or "dumb" ? AnsiSupport.No : AnsiSupport.Yes;
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(Console.Error), Ansi = ansi, Interactive = InteractionSupport.Yes });
        await console.Progress().AutoClear(true).Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new SpinnerColumn()).StartAsync(async context =>
        {
            ProgressTask all = context.AddTask(what, maxValue: accounts.Count);
            foreach (MailAccount account in accounts)
            {
                long messages = 0;
                await work(account, some =>
                {
                    messages += some;
                    if (messages % 100 == 0) all.Description = $"{what} {Markup.Escape(account.Address.ToString())}: {messages} messages";
                });
                all.Increment(1);
            }
        });
    }
}
