using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using Posthorn.Directory;
using Posthorn.Directory.Sasl;
using Posthorn.Net;

namespace Posthorn.DovecotAuth;

/// <summary>One client's connection: tells what is offered, then carries authentications on, each under the client's number for it.</summary>
/// <remarks>
/// Client: <c>VERSION</c>, <c>CPID</c>, <c>AUTH id mechanism service=… [secured] [rip=…] [resp=…]</c>, <c>CONT id response</c>, <c>CANCEL id</c>.
/// Server: <c>VERSION</c>, <c>MECH</c>…, <c>SPID</c>, <c>CUID</c>, <c>COOKIE</c>, <c>DONE</c>; then <c>OK id user=…</c>, <c>CONT id challenge</c>, <c>FAIL id …</c>.
/// </remarks>
internal sealed class AuthSession(Connection connection, AuthOptions options, AuthServices services, string number)
{
    private const string Version = "1";

    // One authentication that waits for its client.
    private sealed record Pending(SaslExchange Exchange, LoginContext Context, string Service, string Client, bool TakesFinalResponse);

    // A refusal that is told when its time has come.
    private sealed record Late(long Failed, string[] Fields);

    private readonly Dictionary<string, Pending> _pending = new(StringComparer.Ordinal);
    private readonly Queue<Late> _late = new();

    public async Task RunAsync(CancellationToken cancel)
    {
        Greet();
        while (true)
        {
            InputLine line = await ReadAsync(cancel);
            if (line.Status == LineStatus.Ended) return;
            string? fault = line.Status == LineStatus.TooLong ? $"a line of more than {options.MaxLine} octets" : await HandleAsync(AuthLine.Parse(line.Bytes.Span), cancel);
            if (fault is null) continue;
            // A client that does not speak the protocol is cut off, as Dovecot does: an answer could only be misread.
            services.Log.NotUnderstood(connection.Session, fault);
            return;
        }
    }

    // One connection carries the logins of all clients of a mail server: while one waits for its refusal the others go on.
    private async ValueTask<InputLine> ReadAsync(CancellationToken cancel)
    {
        Task<InputLine>? reading = null;
        while (true)
        {
            await FlushAsync(cancel);
            connection.ClearDeadline(); // mail servers keep the connection for as long as they live
            reading ??= connection.ReadLineAsync(options.MaxLine, cancel).AsTask();
            if (reading.IsCompleted || _late.Count == 0) return await reading;
            TimeSpan left = options.FailedLoginDelay - services.Time.GetElapsedTime(_late.Peek().Failed);
            if (left > TimeSpan.Zero)
            {
                using CancellationTokenSource read = CancellationTokenSource.CreateLinkedTokenSource(cancel);
                Task first = await Task.WhenAny(reading, Task.Delay(left, services.Time, read.Token));
                await read.CancelAsync();
                if (first == reading) return await reading;
                cancel.ThrowIfCancellationRequested();
            }
            if (_late.TryDequeue(out Late? late)) Write(late.Fields);
        }
    }

    private void Greet()
    {
        Write("VERSION", Version, "2");
        // What a client must know to choose; whether this or that one of its users may send a clear password is decided when he does.
        foreach (string mechanism in services.Directory.MechanismsFor(new(null, true, "auth")))
        {
            if (mechanism is "PLAIN" or "LOGIN") Write("MECH", mechanism, "plaintext");
            else Write("MECH", mechanism, "mutual-auth");
        }
        Write("SPID", Environment.ProcessId.ToString(CultureInfo.InvariantCulture));
        Write("CUID", number);
        Write("COOKIE", RandomNumberGenerator.GetHexString(32, lowercase: true));
        Write("DONE");
    }

    // Null, or what is wrong with the line.
    private async ValueTask<string?> HandleAsync(AuthLine line, CancellationToken cancel)
    {
        switch (line.Command)
        {
            case "VERSION": return line[0] == Version ? null : $"version {line[0]} of the protocol";
            case "CPID": return null;
            case "AUTH": return await BeginAsync(line, cancel);
            case "CONT": return await GoOnAsync(line, cancel);
            case "CANCEL":
                if (_pending.Remove(line[0], out Pending? given)) given.Exchange.GiveUp();
                return null;
            default: return null; // commands of later versions
        }
    }

    private async ValueTask<string?> BeginAsync(AuthLine line, CancellationToken cancel)
    {
        string id = line[0], mechanism = line[1];
        if (!uint.TryParse(id, NumberStyles.None, CultureInfo.InvariantCulture, out _) || _pending.ContainsKey(id)) return "AUTH without a number of its own";
        if (line.Parameter("service", 2) is not { Length: > 0 } service) return "AUTH without service";
        IPAddress? remote = null;
        if (line.Parameter("rip", 2) is { Length: > 0 } text && !IPAddress.TryParse(text, out remote)) return Fail(id, "", "Invalid rip", isTemporary: false);

        // Without an address the client speaks for somebody on this machine.
        LoginContext context = new(remote, line.Parameter("secured", 2) is not null || remote is null, service);
        string client = remote?.ToString() ?? "local";
        if (_pending.Count + _late.Count >= options.MaxPending) return Fail(id, "", "Too many authentications at once", isTemporary: true);
        if (SaslExchange.Create(mechanism, services.Directory, context) is not { } exchange)
        {
            bool insecure = SaslExchange.IsKnown(mechanism) && !context.IsSecure;
            services.Log.Refused(connection.Session, service, client, "", insecure ? nameof(DenialKind.NotSecure) : "no such mechanism");
            return Fail(id, "", insecure ? "Passwords are not taken without TLS" : "Unsupported authentication mechanism", isTemporary: false);
        }
        Pending pending = new(exchange, context, service, client, line.Parameter("final-resp-ok", 2) is not null);
        byte[]? initial = null;
        if (line.Parameter("resp", 2) is { } response && !TryDecode(response, out initial)) return RefuseNonsense(id, pending, "Invalid base64 data in initial response");
        return await AnswerAsync(id, pending, await exchange.StartAsync(initial, cancel), cancel);
    }

    private async ValueTask<string?> GoOnAsync(AuthLine line, CancellationToken cancel)
    {
        if (!_pending.Remove(line[0], out Pending? pending)) return null; // ended meanwhile
        if (!TryDecode(line[1], out byte[]? response))
        {
            pending.Exchange.GiveUp();
            return RefuseNonsense(line[0], pending, "Invalid base64 data in continued response");
        }

        return await AnswerAsync(line[0], pending, await pending.Exchange.StepAsync(response, cancel), cancel);
    }

    private async ValueTask<string?> AnswerAsync(string id, Pending pending, SaslResult result, CancellationToken cancel)
    {
        string? final = null;
        if (result is SaslResult.Challenge { IsLast: true } last && pending.TakesFinalResponse)
        {
            final = Convert.ToBase64String(last.Data.Span);
            result = await pending.Exchange.StepAsync(default, cancel);
        }
        string login = pending.Exchange.Login ?? "";
        switch (result)
        {
            case SaslResult.Challenge challenge:
                _pending[id] = pending;
                Write("CONT", id, Convert.ToBase64String(challenge.Data.Span));
                return null;
            case SaslResult.Success success:
                services.Log.Admitted(connection.Session, pending.Service, pending.Client, success.Account.ToString(), pending.Exchange.Name);
                if (final is null) Write("OK", id, $"user={success.Account}");
                else Write("OK", id, $"user={success.Account}", $"resp={final}");
                return null;
            case SaslResult.Failure { Outcome: AuthOutcome.Temporary temporary }:
                services.Log.Refused(connection.Session, pending.Service, pending.Client, login, temporary.Text);
                return Fail(id, login, temporary.Text, isTemporary: true);
            case SaslResult.Failure { Outcome: AuthOutcome.Denied { Kind: DenialKind.NotSecure } }:
                services.Log.Refused(connection.Session, pending.Service, pending.Client, login, nameof(DenialKind.NotSecure));
                return Fail(id, login, "Passwords are not taken without TLS", isTemporary: false);
            case SaslResult.Failure { Outcome: AuthOutcome.Denied denied }: return Refuse(id, pending, denied.Kind.ToString(), isTold: false);
            case SaslResult.Malformed malformed: return RefuseNonsense(id, pending, malformed.Text);
            default: throw new UnreachableException();
        }
    }

    // Nothing was checked; it counts by the client's address all the same, or nonsense would cost nothing.
    private string? RefuseNonsense(string id, Pending pending, string reason) =>
        services.Directory.ScramEnded(pending.Context, "", new AuthOutcome.Denied(DenialKind.Malformed)) is AuthOutcome.Temporary temporary
            ? Fail(id, pending.Exchange.Login ?? "", temporary.Text, isTemporary: true) : Refuse(id, pending, reason, isTold: true);

    // A guess that was wrong, or nonsense: told late.
    private string? Refuse(string id, Pending pending, string reason, bool isTold)
    {
        string login = pending.Exchange.Login ?? "";
        services.Log.Refused(connection.Session, pending.Service, pending.Client, login, reason);
        string[] fields = FailFields(id, login, isTold ? reason : null, isTemporary: false);
        if (options.FailedLoginDelay > TimeSpan.Zero) _late.Enqueue(new(services.Time.GetTimestamp(), fields));
        else Write(fields);
        return null;
    }

    private string? Fail(string id, string login, string? reason, bool isTemporary)
    {
        Write(FailFields(id, login, reason, isTemporary));
        return null;
    }

    private static string[] FailFields(string id, string login, string? reason, bool isTemporary)
    {
        List<string> fields = ["FAIL", id];
        if (login.Length > 0) fields.Add("user=" + login);
        if (isTemporary) fields.AddRange(["temp", "code=temp_fail"]);
        if (reason is not null) fields.Add("reason=" + reason);
        return [.. fields];
    }

    private void Write(params ReadOnlySpan<string> fields)
    {
        for (int i = 0; i < fields.Length; i++)
        {
            if (i > 0) connection.Output.Write("\t"u8);
            connection.Output.Write(System.Text.Encoding.UTF8.GetBytes(AuthLine.Escape(fields[i])));
        }
        connection.Output.Write("\n"u8);
    }

    private async ValueTask FlushAsync(CancellationToken cancel)
    {
        if (connection.Output.Length == 0) return;
        connection.SetDeadline(options.WriteTimeout);
        await connection.Output.FlushAsync(cancel);
    }

    private static bool TryDecode(string text, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out byte[]? octets)
    {
        octets = null;
        // An empty response as SMTP writes it (RFC 4954 section 4), which some mail servers hand on as it came.
        if (text == "=") text = "";
        byte[] buffer = new byte[text.Length];
        if (!Convert.TryFromBase64String(text, buffer, out int length)) return false;
        octets = buffer[..length];
        return true;
    }
}
