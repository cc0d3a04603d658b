using System.CommandLine;
using System.Globalization;
using Posthorn.Bench.Load;

Option<LoadKind> kind = new("--kind") { Description = "smtp, lmtp or append", DefaultValueFactory = _ => LoadKind.Smtp };
Option<int> port = new("--port") { Description = "the port on 127.0.0.1", Required = true };
Option<int> messages = new("--messages") { Description = "how many messages", DefaultValueFactory = _ => 1000 };
Option<int> size = new("--size") { Description = "octets of each", DefaultValueFactory = _ => 4096 };
Option<int> sessions = new("--sessions") { Description = "sessions at a time", DefaultValueFactory = _ => 20 };
Option<bool> kept = new("--kept") { Description = "keep the connections" };
Option<bool> pipelined = new("--pipelined") { Description = "send MAIL, RCPT and DATA together" };
Option<int> window = new("--window") { Description = "APPENDs under way; 1 waits for each", DefaultValueFactory = _ => 1 };
Option<int> users = new("--users") { Description = "accounts userN@bench.test that get the mail", DefaultValueFactory = _ => 100 };
Option<int> first = new("--first-user") { Description = "the first of them" };
Option<string> mailbox = new("--mailbox") { Description = "the mailbox of APPEND", DefaultValueFactory = _ => "INBOX" };
Option<int[]> server = new("--server-pid") { Description = "root processes of the server, for its CPU", DefaultValueFactory = _ => [], AllowMultipleArgumentsPerToken = true };
RootCommand command = new("Puts load on a mail server of this machine") { kind, port, messages, size, sessions, kept, pipelined, window, users, first, mailbox, server };
command.SetAction(parsed =>
{
    LoadPlan plan = new()
    {
        Kind = parsed.GetValue(kind),
        Port = parsed.GetValue(port),
        Messages = parsed.GetValue(messages),
        Message = new(parsed.GetValue(size), Environment.ProcessId.ToString("x", CultureInfo.InvariantCulture)),
        Sessions = parsed.GetValue(kind) == LoadKind.Append ? 1 : parsed.GetValue(sessions),
        Kept = parsed.GetValue(kept),
        Pipelined = parsed.GetValue(pipelined),
        Window = parsed.GetValue(window),
        Users = parsed.GetValue(users),
        FirstUser = parsed.GetValue(first),
        Mailbox = parsed.GetValue(mailbox)!,
    };
    ServerMeter meter = new(parsed.GetValue(server)!);
    double before = meter.Cpu();
    LoadResult result = LoadDriver.Run(plan);
    double used = meter.Cpu() - before;
    Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
        $"{result.Messages} messages in {result.Seconds:F2} s: {result.Rate:F0}/s; each {result.Median:F2} ms, 99 of 100 below {result.Late:F2} ms; CPU for each: driver {result.ClientCpu / result.Messages * 1e6:F0} us, server {used / result.Messages * 1e6:F0} us"));
    return 0;
});
return await command.Parse(args).InvokeAsync();
