using System.CommandLine;
using System.Globalization;
using System.Net.Sockets;
using Posthorn.Core;
using Posthorn.Sendmail;
using Posthorn.Transport;
using Posthorn.Transport.Remote;

namespace Posthorn.Commands;

/// <summary><c>posthorn sendmail</c>, and the names <c>sendmail</c>, <c>mailq</c> and <c>newaliases</c>: what local programs call to send mail.</summary>
/// <remarks>Its options are sendmail's, so it reads its command line itself; its exit statuses are those of sysexits.h.</remarks>
internal static class SendmailCommand
{
    private static readonly string[] Names = ["sendmail", "mailq", "newaliases"];

    /// <summary>For the list of commands.</summary>
    public static Command Create() => new("sendmail", "Send a message from standard input, with the options of sendmail (also when run as sendmail, mailq or newaliases)") { TreatUnmatchedTokensAsErrors = false };

    /// <summary>A file of this name is called as sendmail is.</summary>
    public static bool IsName(string program) => Names.Contains(Path.GetFileName(program));

    /// <summary>The name and the words behind it, when the program was called so.</summary>
    public static (string Name, string[] Words)? Called(string program, string[] args)
    {
        if (IsName(program)) return (Path.GetFileName(program), args);
        return args.Length > 0 && Names.Contains(args[0]) && args is not [_, "--help" or "-?"] ? (args[0], args[1..]) : null;
    }

    public static async Task<int> RunAsync(string name, string[] words, Func<string[], Task<int>> command, CancellationToken cancel)
    {
        if (SendmailArguments.Parse(name, words, out string fault) is not { } arguments) return Fail(SysExit.Usage, fault);
        string[] config = arguments.Config is { } file ? ["--config", file] : [];
        switch (arguments.Mode)
        {
            case SendmailMode.ListQueue: return Mapped(await command(["queue", "list", .. config]));
            case SendmailMode.FlushQueue:
                string[] which = arguments.QueueId is { } id ? [id] : arguments.QueueSite is { } site ? ["--to", site] : [];
                return Mapped(await command(["queue", "retry", .. which, .. config]), nothing: SysExit.Ok);
            case SendmailMode.NewAliases:
                Console.Out.WriteLine("nothing to do: the running server reads alias files when they change");
                return SysExit.Ok;
            case SendmailMode.Daemon: return Fail(SysExit.Usage, "the server is started with: posthorn serve");
            case SendmailMode.Speak: return await SpeakAsync(arguments, cancel);
            case SendmailMode.Verify: return await VerifyAsync(arguments, cancel);
            default: return await SendAsync(arguments, cancel);
        }
    }

    private static int Mapped(int status, int nothing = SysExit.Unavailable) => status switch
    {
        ExitStatus.Done => SysExit.Ok,
        ExitStatus.Unreachable => SysExit.TemporaryFailure,
        ExitStatus.Wrong => nothing,
        _ => SysExit.Unavailable,
    };

    private static async Task<int> SendAsync(SendmailArguments arguments, CancellationToken cancel)
    {
        LocalServer server = LocalServer.Find(arguments.Config);
        await using Stream input = Console.OpenStandardInput();
        LocalMessage? message;
        try { message = await LocalMessage.ReadAsync(input, arguments.DotIsText, cancel); }
        catch (IOException e) { return Fail(SysExit.InputError, $"the message cannot be read: {e.Message}"); }
        if (message is null) return Fail(SysExit.DataError, "the message's header is too large");
        List<string> recipients = [.. arguments.Recipients.SelectMany(Split).Concat(arguments.FromHeader ? message.Recipients() : []).Select(r => Complete(r, server)).Distinct(StringComparer.OrdinalIgnoreCase)];
        if (recipients.Count == 0) return Fail(SysExit.Usage, arguments.FromHeader ? "no recipients: the header names none in To, Cc or Bcc" : "no recipients: name some, or take them from the header with -t");
        foreach (string recipient in recipients)
            if (!EmailAddress.TryParse(recipient, out _)) return Fail(SysExit.NoUser, $"'{recipient}' is not an address; nothing was sent");

        string user = $"{Environment.UserName}@{server.Domain}";
        string sender = arguments.Sender is { } given ? given.Length == 0 ? "" : Complete(given, server) : user;
        DropEnvelope envelope = new(sender, recipients) { Notify = arguments.Notify, Return = arguments.Return, EnvelopeId = arguments.EnvelopeId };
        DateTimeOffset now = TimeProvider.System.GetLocalNow();
        string id = string.Create(CultureInfo.InvariantCulture, $"{now.ToUnixTimeMilliseconds():x}.{Convert.ToHexStringLower(System.Security.Cryptography.RandomNumberGenerator.GetBytes(6))}@{server.Helo}");
        LocalAuthor author = new(sender.Length > 0 ? sender : user, server.Domain, arguments.FullName ?? Environment.GetEnvironmentVariable("NAME") ?? "", id, now);
        (LocalHandover? handover, SmtpReply reply) = await OpenAsync(server, cancel);
        if (handover is null && reply.IsTransient && server.Drop is { } folder) return await LeaveAsync(folder, server.MaxMessageSize, envelope, message.ContentAsync(author, cancel), cancel);
        if (handover is null) return Fail(reply.IsTransient ? SysExit.TemporaryFailure : SysExit.Unavailable, $"{reply.Text}; nothing was sent, and the message was not kept");
        await using (handover) return await HandOverAsync(handover, arguments, server, envelope, message.ContentAsync(author, cancel), cancel);
    }

    // A server that is being started anew is there within seconds. Where messages can be left nobody need wait.
    private static async Task<(LocalHandover? Handover, SmtpReply Reply)> OpenAsync(LocalServer server, CancellationToken cancel)
    {
        long start = TimeProvider.System.GetTimestamp();
        while (true)
        {
            (LocalHandover? handover, SmtpReply reply) = await LocalHandover.OpenAsync(new SocketConnector(), server.EndPoint, server.Helo, TimeProvider.System, cancel);
            if (handover is not null || !reply.IsTransient || server.Drop is not null || TimeProvider.System.GetElapsedTime(start) >= server.Wait) return (handover, reply);
            await Task.Delay(TimeSpan.FromMilliseconds(250), TimeProvider.System, cancel);
        }
    }

    private static async Task<int> LeaveAsync(string folder, long maxSize, DropEnvelope envelope, IAsyncEnumerable<ReadOnlyMemory<byte>> content, CancellationToken cancel)
    {
        try
        {
            await DropFile.WriteAsync(folder, envelope, content, maxSize, cancel);
            return SysExit.Ok;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return Fail(SysExit.TemporaryFailure, $"the server is down, and the message cannot be left in {folder}: {e.Message}; nothing was sent");
        }
    }

    private static async Task<int> HandOverAsync(LocalHandover handover, SendmailArguments arguments, LocalServer server, DropEnvelope envelope, IAsyncEnumerable<ReadOnlyMemory<byte>> content, CancellationToken cancel)
    {
        (string sender, IReadOnlyList<string> recipients) = (envelope.Sender, envelope.Recipients);
        SmtpReply reply = await handover.BeginAsync(sender, envelope.Return, envelope.EnvelopeId, envelope.NeedsUtf8, cancel);
        if (!reply.IsPositive) return await RefusedAsync(handover, $"the sender {sender}", reply, cancel);
        List<(string Recipient, SmtpReply Reply)> refused = [];
        foreach (string recipient in recipients)
        {
            SmtpReply one = await handover.AddAsync(recipient, arguments.Notify, cancel);
            if (!one.IsPositive) refused.Add((recipient, one));
        }
        // What may work later is tried as a whole later: sent now to some, those would get it twice.
        if (refused.Find(static r => r.Reply.IsTransient) is { Reply: not null } later) return await RefusedAsync(handover, later.Recipient, later.Reply, cancel);
        if (refused.Count == recipients.Count) return await RefusedAsync(handover, refused[0].Recipient, refused[0].Reply, cancel);

        try { reply = await handover.SendAsync(content, cancel); }
        catch (IOException e) { return Fail(SysExit.InputError, $"the message cannot be read: {e.Message}; nothing was sent"); }
        if (!reply.IsPositive) return await RefusedAsync(handover, "the message", reply, cancel);
        if (arguments.IsVerbose) Console.Error.WriteLine($"sendmail: {reply}");
        int status = refused.Count == 0 ? SysExit.Ok : await TellAsync(handover, server, sender, refused, cancel);
        await handover.QuitAsync(cancel);
        return status;
    }

    // The others have it, so that a failure would send it to them again: as with Postfix, the sender gets a notice.
    private static async Task<int> TellAsync(LocalHandover handover, LocalServer server, string sender, List<(string Recipient, SmtpReply Reply)> refused, CancellationToken cancel)
    {
        foreach ((string recipient, SmtpReply reply) in refused) Console.Error.WriteLine($"sendmail: {recipient}: {reply}");
        SmtpReply told = await RefusalNotice.SendAsync(handover, server, sender, refused, null, cancel);
        return told.IsPositive ? SysExit.Ok : SysExit.Of(refused[0].Reply);
    }

    private static async Task<int> RefusedAsync(LocalHandover handover, string what, SmtpReply reply, CancellationToken cancel)
    {
        await handover.QuitAsync(cancel);
        return Fail(SysExit.Of(reply), $"{what}: {reply}; nothing was sent");
    }

    private static async Task<int> VerifyAsync(SendmailArguments arguments, CancellationToken cancel)
    {
        LocalServer server = LocalServer.Find(arguments.Config);
        (LocalHandover? handover, SmtpReply reply) = await LocalHandover.OpenAsync(new SocketConnector(), server.EndPoint, server.Helo, TimeProvider.System, cancel);
        if (handover is null) return Fail(SysExit.TemporaryFailure, reply.Text);
        await using (handover)
        {
            reply = await handover.BeginAsync(arguments.Sender ?? $"{Environment.UserName}@{server.Domain}", DsnReturn.Unspecified, null, false, cancel);
            if (!reply.IsPositive) return await RefusedAsync(handover, "the sender", reply, cancel);
            int status = SysExit.Ok;
            foreach (string recipient in arguments.Recipients.SelectMany(Split))
            {
                SmtpReply one = await handover.AddAsync(Complete(recipient, server), DsnNotify.Unspecified, cancel);
                Console.Out.WriteLine($"{recipient}... {(one.IsPositive ? "deliverable" : one.ToString())}");
                if (!one.IsPositive && status == SysExit.Ok) status = SysExit.Of(one);
            }
            await handover.ResetAsync(cancel);
            await handover.QuitAsync(cancel);
            return status;
        }
    }

    // The server speaks; we only carry octets.
    private static async Task<int> SpeakAsync(SendmailArguments arguments, CancellationToken cancel)
    {
        LocalServer server = LocalServer.Find(arguments.Config);
        using Socket socket = server.EndPoint is UnixDomainSocketEndPoint ? new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified) : new(server.EndPoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try { await socket.ConnectAsync(server.EndPoint, cancel); }
        catch (SocketException e)
        {
            Console.Out.Write("421 4.4.1 The mail server does not answer\r\n");
            return Fail(SysExit.TemporaryFailure, $"no mail server answers at {server.EndPoint}: {e.Message}");
        }
        await using NetworkStream wire = new(socket, ownsSocket: false);
        await using Stream input = Console.OpenStandardInput(), output = Console.OpenStandardOutput();
        _ = UpAsync();
        try { await wire.CopyToAsync(output, cancel); }
        catch (IOException) { /* the other side has gone */ }
        return SysExit.Ok;

        // A caller that goes away has said its last word: the server must hear that and nothing else, since within a message any word of ours would be text.
        async Task UpAsync()
        {
            try
            {
                await input.CopyToAsync(wire, cancel);
                socket.Shutdown(SocketShutdown.Send);
            }
            catch (Exception e) when (e is IOException or SocketException) { /* the server has closed already */ }
        }
    }

    private static IEnumerable<string> Split(string recipients) => recipients.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Select(static r => r.TrimStart('<').TrimEnd('>'));

    private static string Complete(string address, LocalServer server) => address.Contains('@', StringComparison.Ordinal) ? address : $"{address}@{server.Domain}";

    private static int Fail(int status, string text)
    {
        Console.Error.WriteLine($"sendmail: {text}");
        return status;
    }
}
