using System.CommandLine;
using Posthorn.Commands;

RootCommand root = new("Posthorn: a mail server. SMTP, submission, LMTP and IMAP in one program.")
{
    QuickstartCommand.Create(),
    InitCommand.Create(),
    ServeCommand.Create(),
    CheckCommand.Create(),
    AccountCommand.Create(),
    DomainCommand.Create(),
    AliasCommand.Create(),
    ReloadCommand.Create(),
    StatusCommand.Create(),
    QueueCommand.Create(),
    TraceCommand.Create(),
    ExplainCommand.Create(),
    SieveCommand.Create(),
    JournalCommand.Create(),
    StoreCommand.Create(),
    UndeleteCommand.Create(),
    ExportCommand.Create(),
};
// The root bears the name of the program's file: as sendmail it would stand there twice.
if (!SendmailCommand.IsName(Environment.GetCommandLineArgs()[0])) root.Subcommands.Add(SendmailCommand.Create());
// "@domain" is a filter of ours, not a file with more arguments.
ParserConfiguration parsing = new() { ResponseFileTokenReplacer = null };
InvocationConfiguration invocation = new() { ProcessTerminationTimeout = null };
if (SendmailCommand.Called(Environment.GetCommandLineArgs()[0], args) is { } local)
    return await SendmailCommand.RunAsync(local.Name, local.Words, words => root.Parse(words, parsing).InvokeAsync(invocation), CancellationToken.None);
ParseResult parsed = root.Parse(args, parsing);
int status = await parsed.InvokeAsync(invocation);
return parsed.Errors.Count > 0 ? ExitStatus.Usage : status;
