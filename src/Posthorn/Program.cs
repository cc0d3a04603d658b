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
if (SendmailCommand.Called(Environment.GetCommandLineArgs()[0], args) is { } local)
    return await SendmailCommand.RunAsync(local.Name, local.Words, words => CommandLine.RunAsync(root, words), CancellationToken.None);
return await CommandLine.RunAsync(root, args);
