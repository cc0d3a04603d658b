using Posthorn.Core;
using Spectre.Console;

namespace Posthorn.Commands;

/// <summary>How far work on accounts has come.</summary>
/// <param name="Account">The account at work.</param>
/// <param name="Messages">How many of its messages are done.</param>
/// <param name="Accounts">How many accounts are done.</param>
internal readonly record struct StoreStep(MailAccount Account, long Messages, int Accounts);

/// <summary>Shows on standard error how far long work on accounts has come, when somebody looks.</summary>
internal static class StoreProgress
{
    /// <summary>Messages after which what is shown changes.</summary>
    private const int Shown = 100;

    public static async Task RunAsync(string what, IReadOnlyList<MailAccount> accounts, bool quiet, Func<MailAccount, Action<int>, Task> work)
    {
        if (quiet || Console.IsErrorRedirected)
        {
            await TellAsync(accounts, _ => { }, work);
            return;
        }

        // Said outright: the library looks at standard output, which may well be a file while somebody watches standard error.
        AnsiSupport ansi = Environment.GetEnvironmentVariable("TERM") is null or "" or "dumb" ? AnsiSupport.No : AnsiSupport.Yes;
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(Console.Error), Ansi = ansi, Interactive = InteractionSupport.Yes });
        await console.Progress().AutoClear(true).Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new SpinnerColumn()).StartAsync(async context =>
        {
            ProgressTask all = context.AddTask(what, maxValue: accounts.Count);
            await TellAsync(accounts, step =>
            {
                all.Value = step.Accounts;
                all.Description = $"{what} {Markup.Escape(step.Account.Address.ToString())}: {step.Messages} messages";
            }, work);
        });
    }

    /// <summary>Does the work for one account after the other. Told when one is begun, for each hundred of its messages, and when it is done.</summary>
    internal static async Task TellAsync(IReadOnlyList<MailAccount> accounts, Action<StoreStep> tell, Func<MailAccount, Action<int>, Task> work)
    {
        for (int done = 0; done < accounts.Count; done++)
        {
            (MailAccount account, int before, long messages) = (accounts[done], done, 0);
            tell(new(account, 0, before));
            await work(account, some =>
            {
                long shown = messages / Shown;
                messages += some;
                if (messages / Shown != shown) tell(new(account, messages, before));
            });
            tell(new(account, messages, done + 1));
        }
    }
}
