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
ParseResult parsed = root.Parse(args);
int status = await parsed.InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = null });
return parsed.Errors.Count > 0 ? ExitStatus.Usage : status;
