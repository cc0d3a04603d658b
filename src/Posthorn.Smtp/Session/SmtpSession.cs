using System.Net;
using Microsoft.Extensions.Logging;
using Posthorn.Core;
using Posthorn.Directory;
using Posthorn.Net;
using Posthorn.Smtp.Wire;
using Posthorn.Transport;
using Posthorn.Transport.Policy;

namespace Posthorn.Smtp.Session;

/// <summary>One connection, from the greeting to the goodbye: reads command lines, runs them one after the other, gathers the replies.</summary>
/// <remarks>One task runs it; nothing here is shared with other sessions but the transport, the directory and the log.</remarks>
internal sealed class SmtpSession
{
    private readonly SmtpServer _server;
    private readonly SessionTally _tally;
    private ClientContext? _client;
    private ClientName? _name;
    private ForwardedClient? _forwarded;
    private SmtpReply? _shut;
    private bool _closing;
    private bool _told;
    private string _verb = "";

    public SmtpSession(SmtpServer server, Connection connection)
    {
        (_server, Connection, Options) = (server, connection, server.Options);
        IsTrusted = connection.IsUnixSocket || IsIn(Options.TrustedNetworks, connection.RemoteAddress);
        (MayUseXClient, MayUseXForward) = (IsIn(Options.XClientNetworks, connection.RemoteAddress), IsIn(Options.XForwardNetworks, connection.RemoteAddress));
        (_tally, Bounds) = (new(Options), new(this));
        if (IsTrusted) connection.NeedsNoLogin();
        connection.Input.IsBusy = true; // greeting, EHLO and MAIL follow each other
        bool forgiving = Role != ListenerRole.Mx;
        Syntax = new(forgiving, forgiving || IsTrusted, Options.DefaultDomain);
        Policy = OpenPolicy();
    }

    public Connection Connection { get; }
    public SmtpOptions Options { get; }
    public SmtpSyntax Syntax { get; }

    /// <summary>Says who may do what.</summary>
    public SessionPolicy Policy { get; private set; }

    /// <summary>The peer may say for whom it speaks. That is decided once: who speaks for others does not lose it by that.</summary>
    public bool MayUseXClient { get; }

    /// <summary>The peer may say from whom it had the mail.</summary>
    public bool MayUseXForward { get; }

    /// <summary>The client is in a network named as trusted, or on a Unix socket.</summary>
    public bool IsTrusted { get; private set; }

    /// <summary>Stray line ends are mended. Only strangers are held to the letter: one who smuggles mail past another server comes from outside, and what a front server took it would have to return.</summary>
    public bool MendsLineEnds => Role != ListenerRole.Mx || IsTrusted;

    /// <summary>What its address may do over all its sessions.</summary>
    public AddressBounds Bounds { get; }

    public SessionId Id => Connection.Session;
    public ListenerRole Role => _server.Listener.Role;
    public SmtpServices Services => _server.Services;
    public IMailTransport Transport => Services.Transport;
    public TimeProvider Time => Services.Time;
    public ILogger Log => Services.Log;

    /// <summary>The name given in EHLO, HELO or LHLO; null before.</summary>
    public string? Helo { get; private set; }

    public bool IsExtended { get; private set; }
    public MailAccount? Account { get; private set; }

    /// <summary>The SASL mechanism by which it logged in.</summary>
    public string? Mechanism { get; private set; }
    public Transaction? Transaction { get; private set; }
    public int FailedLogins { get; set; }

    /// <summary>STARTTLS can be had here and now.</summary>
    public bool CanStartTls => _server.Listener.Tls == TlsMode.StartTls && Services.Tls is not null && !Connection.IsSecure;

    /// <summary>REQUIRETLS can be had: only within TLS (RFC 8689 section 2).</summary>
    public bool OffersRequireTls => Options.RequireTls && Connection.IsSecure;

    /// <summary>FUTURERELEASE can be had: only on submission (RFC 4865 section 3).</summary>
    public bool OffersFutureRelease => Role == ListenerRole.Submission && Options.FutureRelease > TimeSpan.Zero;

    /// <summary>The latest time for which a message may be left here.</summary>
    public DateTimeOffset LatestRelease => Time.GetUtcNow() + Options.FutureRelease;

    /// <summary>A password may travel on this connection.</summary>
    public bool MayLogIn => Connection.IsSecure || IsTrusted;

    /// <summary>This listener knows AUTH at all.</summary>
    public bool KnowsLogin => Services.Directory is not null && (Role == ListenerRole.Submission || (Role == ListenerRole.Mx && Options.AuthOnMx));

    /// <summary>An address that SMTPUTF8 has to be said for (RFC 6531 section 3.5). A domain can be said in A-labels; our users' programs are forgiven when they leave that to us.</summary>
    public bool NeedsUtf8(EmailAddress address, bool isWrittenSo) => address.NeedsUtf8 || isWrittenSo && Role == ListenerRole.Mx;

    /// <summary>On submission: a domain of one label that is not ours means another host everywhere (RFC 6409 section 4.2).</summary>
    public bool IsUnqualified(EmailAddress address) =>
        Role == ListenerRole.Submission && !address.Domain.IsAddressLiteral && !address.Domain.Ascii.Contains('.', StringComparison.Ordinal) && Services.Directory?.IsLocalDomain(address.Domain) != true;

    /// <summary>Who speaks, for the transport.</summary>
    public ClientContext Client => _client ??= new()
    {
        Session = Id,
        Role = Role,
        Listener = _server.Listener.Name,
        Address = Connection.RemoteAddress,
        Port = Connection.RemoteEndPoint is IPEndPoint remote ? remote.Port : 0,
        LocalEndPoint = Connection.LocalEndPoint,
        Name = _name,
        Helo = Helo ?? "",
        IsExtended = IsExtended,
        Tls = Connection.Tls,
        Account = Account,
        Mechanism = Mechanism,
        IsTrusted = IsTrusted,
        Forwarded = _forwarded,
    };

    /// <summary>Who speaks, for the directory.</summary>
    public LoginContext LoginContext =>
        new(Connection.IsUnixSocket ? null : Connection.RemoteAddress, MayLogIn, _server.Listener.Name);

    /// <summary>Serves the connection until it ends.</summary>
    public async Task RunAsync(CancellationToken cancel)
    {
        try
        {
            await GreetAsync(cancel);
            while (!_closing) await OneCommandAsync(cancel);
            await GoodbyeFlushAsync(cancel);
        }
        finally
        {
            await EndTransactionAsync();
            await Policy.DisposeAsync();
        }
    }

    /// <summary>Gathers a reply; it goes out when there is nothing more to read.</summary>
    public void Say(SmtpReply reply) => Connection.Output.Write(reply);

    /// <summary>The session ends after the replies gathered so far.</summary>
    public void Close() => _closing = true;

    /// <summary>The command has said more in the log than the session could.</summary>
    public void IsLogged() => _told = true;

    /// <summary>Sends what was gathered. A peer that is gone or does not read ends the session.</summary>
    public async ValueTask FlushAsync(CancellationToken cancel)
    {
        if (Connection.Output.Length == 0) return;
        Connection.SetDeadline(Options.WriteTimeout);
        try { await Connection.Output.FlushAsync(cancel); }
        catch (IOException) { Close(); }
        Connection.ClearDeadline();
    }

    /// <summary>Reads one line within the command timeout; what was gathered goes out first when the client waits for it.</summary>
    public async ValueTask<InputLine> ReadLineAsync(CancellationToken cancel)
    {
        if (Connection.Output.IsLarge || !Connection.Input.Span.Contains((byte)'\n')) await FlushAsync(cancel);
        Connection.SetDeadline(Options.CommandTimeout);
        InputLine line = await Connection.ReadLineAsync(Options.MaxAuthLine, cancel);
        Connection.ClearDeadline();
        return line;
    }

    /// <summary>EHLO, HELO or LHLO: a new start (RFC 5321 section 4.1.4).</summary>
    /// <returns>A refusal, in which case the client is who it was before, and its transaction goes on (RFC 5321 section 4.1.4); else null.</returns>
    public async ValueTask<SmtpReply?> GreetedAsync(string helo, bool extended, CancellationToken cancel)
    {
        (string? name, bool wasExtended, ClientContext? client) = (Helo, IsExtended, _client);
        (Helo, IsExtended, _client) = (helo, extended, null);
        if (await Policy.HeloAsync(Client, cancel) is { } refusal)
        {
            (Helo, IsExtended, _client) = (name, wasExtended, client);
            return refusal;
        }
        await EndTransactionAsync();
        return null;
    }

    /// <summary>TLS has begun: everything before is forgotten (RFC 3207 section 4.2).</summary>
    public async ValueTask SecuredAsync()
    {
        await EndTransactionAsync();
        (Helo, IsExtended, Account, Mechanism, _client, Connection.StillHolds) = (null, false, null, null, null, null);
    }

    public void LoggedIn(MailAccount account, string mechanism) =>
        (Account, Mechanism, _client, Connection.StillHolds) = (account, mechanism, null, Services.Directory!.WhetherHolds(account));

    /// <summary>XCLIENT: the session begins anew, as that of another client.</summary>
    /// <returns>The greeting, or what is said instead.</returns>
    public async ValueTask<SmtpReply> BecomeAsync(Commands.ProxyAttributes client, CancellationToken cancel)
    {
        MailAccount? account = client["LOGIN"] is { } login ? Services.Directory?.FindLogin(login) : null;
        if (client["LOGIN"] is not null && account is null) return Reply.BadAttribute("LOGIN");
        Claim(client);
        (Helo, IsExtended, Account, Mechanism, _client, Connection.StillHolds) = (null, client["PROTO"]?.ToUpperInvariant() is not "SMTP", null, null, null, null);
        if (account is not null) LoggedIn(account, "XCLIENT");
        Log.ActsFor(Id, Connection.RemoteAddress.ToString(), client["NAME"] ?? "unknown", account?.Address.ToString() ?? "");
        await Policy.DisposeAsync();
        Policy = OpenPolicy();
        // A client that is not let in stays out whatever the server before us says for it next; that server may say QUIT, or speak for another.
        _shut = Bounds.IsSentAway() ? Reply.TooManyErrorsInTime : await Policy.ConnectAsync(cancel);
        if (_shut is not null) return _shut;
        if (client["HELO"] is { } helo && await GreetedAsync(helo, IsExtended, cancel) is { } refusal) return refusal;
        return Greeting;
    }

    /// <summary>XFORWARD: from whom the mail came that comes next.</summary>
    public void Forward(ForwardedClient client) => (_forwarded, _client) = (client, null);

    /// <summary>What was said by XFORWARD so far.</summary>
    public ForwardedClient Forwarded => _forwarded ?? new();

    private void Claim(Commands.ProxyAttributes client)
    {
        if (client.Has("ADDR") || client.Has("PORT"))
        {
            IPAddress address = client.Has("ADDR") ? client.Address ?? Connection.Unknown.Address : Connection.RemoteAddress;
            Connection.ActFor(new IPEndPoint(address, PortOf(client["PORT"])), null);
            IsTrusted = IsIn(Options.TrustedNetworks, address);
        }
        if (client["DESTADDR"] is { } place && IPAddress.TryParse(place.StartsWith("IPV6:", StringComparison.OrdinalIgnoreCase) ? place[5..] : place, out IPAddress? local))
            Connection.ActFor(Connection.RemoteEndPoint, new IPEndPoint(local, PortOf(client["DESTPORT"])));
        if (client.Has("NAME") || client.Has("REVERSE_NAME")) _name = new(client["NAME"], client["REVERSE_NAME"] ?? client["NAME"], client.IsNameTemporary);
        else if (client.Has("ADDR")) _name = null;
    }

    private static int PortOf(string? text) => text is null ? 0 : int.Parse(text, System.Globalization.CultureInfo.InvariantCulture);

    private SmtpReply Greeting => Reply.Greeting(Options.Hostname, Role == ListenerRole.Lmtp);

    private SessionPolicy OpenPolicy() => new(Transport, Transport.OpenChecks(Client), Role == ListenerRole.Mx && Options.DelaySenderRefusal);

    public void Open(Transaction transaction) => (Transaction, Connection.Input.IsBusy) = (transaction, true);

    public bool MayOpenAnother() => _tally.MayOpenAnother();

    /// <summary>A recipient was refused. True when it was one too many.</summary>
    public bool RefusedRecipient() => _tally.RefusedRecipient() && Role != ListenerRole.Lmtp;

    /// <summary>Ends the transaction, taking back what has not been accepted.</summary>
    public async ValueTask EndTransactionAsync()
    {
        Transaction? transaction = Transaction;
        Transaction = null;
        if (transaction is null) return;
        Connection.Input.IsBusy = false;
        (_forwarded, _client) = (null, _forwarded is null ? _client : null);
        await transaction.DisposeAsync();
        await Policy.EndAsync(CancellationToken.None);
    }

    /// <summary>A message was accepted: earlier errors are forgiven.</summary>
    public void Forgive() => _tally.Forgive();

    /// <summary>Why the peer was lost, as the last reply; null when it has closed by itself.</summary>
    public SmtpReply? LastWord => Connection.Stopped switch
    {
        StopReason.Timeout => Reply.TimedOut,
        StopReason.Shutdown => Reply.ShuttingDown,
        StopReason.Revoked => Reply.LoginRevoked,
        _ => null,
    };

    /// <summary>The peer was lost within a command.</summary>
    public SmtpReply? Lost()
    {
        Close();
        return LastWord;
    }

    // Spam programs that fire without listening talk before the greeting; servers never do (RFC 5321 section 3.1).
    private async ValueTask GreetAsync(CancellationToken cancel)
    {
        if (Bounds.IsSentAway())
        {
            Say(Reply.TooManyErrorsInTime);
            Close();
            return;
        }
        if (await Policy.ConnectAsync(cancel) is { } refusal)
        {
            Log.Refused(Id, "connect", refusal.Code, refusal.Status, refusal.Text);
            await new Farewell(this).SayAsync(refusal, cancel);
            return;
        }
        SmtpReply greeting = Greeting;
        if (Role != ListenerRole.Mx || IsTrusted || Options.GreetingDelay <= TimeSpan.Zero)
        {
            Say(greeting);
            return;
        }
        Connection.SetDeadline(Options.CommandTimeout);
        Task<bool> first = Connection.Input.FillAsync(cancel).AsTask();
        await Task.WhenAny(first, Task.Delay(Options.GreetingDelay, Time, cancel));
        if (first.IsCompleted)
        {
            if (!await first) return; // the loop sees the end
            Log.TalksEarly(Id, "greeting");
            Say(HangUp(Reply.SpokeFirst));
            return;
        }
        Say(greeting);
        await FlushAsync(cancel);
        Connection.SetDeadline(Options.CommandTimeout);
        await first;
    }

    private async ValueTask OneCommandAsync(CancellationToken cancel)
    {
        InputLine line = await ReadLineAsync(cancel);
        if (_closing) return;
        if (line.Status == LineStatus.Ended)
        {
            if (LastWord is { } word) Say(word);
            if (Connection.Stopped == StopReason.Timeout) Log.TimedOut(Id, Transaction is null ? "idle" : "transaction");
            Close();
            return;
        }
        (_told, _verb) = (false, "");
        if (await AnswerAsync(line, cancel) is not { } reply) return;
        if (reply.Code >= 400 && reply.Code != 421 && !IsTrusted && Role != ListenerRole.Lmtp) reply = await SlowDownAsync(reply, cancel);
        if (reply.Code >= 400 && !_told) Log.Refused(Id, _verb, reply.Code, reply.Status, reply.Text);
        Say(reply);
        if (reply.Code is 421 or 221) Close();
        else if (CountsAsError(reply))
        {
            Log.TooManyErrors(Id);
            Say(Reply.TooManyErrors);
            Close();
        }
    }

    // Who only tries things out gets slow answers, and who does so in session after session none.
    private async ValueTask<SmtpReply> SlowDownAsync(SmtpReply reply, CancellationToken cancel)
    {
        if (_tally.IsTarred() && Options.Tarpit > TimeSpan.Zero)
        {
            await FlushAsync(cancel);
            await Task.Delay(Options.Tarpit, Time, cancel);
        }
        return reply.IsPermanent && Bounds.IsErrorTooMany() ? Reply.TooManyErrorsInTime : reply;
    }

    // Refusals by policy have limits of their own. Recipients pipelined behind a refused MAIL are no error of the client's.
    private bool CountsAsError(SmtpReply reply)
    {
        if (reply == Reply.NeedMail) return _tally.IdleCommand();
        return reply.Code is (>= 500 and <= 504) or 530 or 538 or 555 && _tally.Error();
    }

    private async ValueTask<SmtpReply?> AnswerAsync(InputLine line, CancellationToken cancel)
    {
        if (FlawOf(line) is { } flaw) return MayCarryData(line) ? HangUp(flaw) : flaw;
        if (Verb.Find(line.Bytes.Span, out int end) is not { } verb)
            return MayCarryData(line) ? HangUp(Reply.UnknownCommand) : await Policy.UnknownAsync(line.Bytes, cancel) ?? Unknown(line.Bytes.Span[..end]);
        _verb = verb.Name;
        if (Admit(verb, line.Bytes.Length) is { } refusal) return verb.Is(VerbTraits.CarriesData) ? HangUp(refusal) : refusal;
#pragma warning disable CA1031 // The one broad catch of the session: what is broken on our side is a 451 for the peer and a stack for the log.
        try { return await verb.RunAsync(this, line.Bytes.Span, end, cancel); }
        catch (Exception e) when (e is not OperationCanceledException)
#pragma warning restore CA1031
        {
            Log.CommandFailed(e, Id, verb.Name);
            if (verb.Is(VerbTraits.CarriesData)) Close();
            return Reply.LocalError;
        }
    }

    private SmtpReply? FlawOf(InputLine line)
    {
        if (line.Status == LineStatus.TooLong) return Reply.LineTooLong;
        // A bare LF may be the trace of two servers that see two different conversations.
        if (line.EndsInBareLf && !MendsLineEnds) return Reply.BareLineFeed;
        return line.Bytes.Span.ContainsAnyInRange((byte)0, (byte)8) || line.Bytes.Span.ContainsAnyInRange((byte)10, (byte)31) ? Reply.ControlCharacters : null;
    }

    // A chunk may follow a line that was meant as BDAT and cannot be read as one; of what follows nobody knows where the next command begins (RFC 3030 section 2).
    private static bool MayCarryData(InputLine line)
    {
        ReadOnlySpan<byte> word = line.Bytes.Span.TrimStart(" \t"u8);
        return word.Length >= 4 && System.Text.Ascii.EqualsIgnoreCase(word[..4], "BDAT"u8);
    }

    /// <summary>The session ends with this reply; 521 says so.</summary>
    public SmtpReply HangUp(SmtpReply reply)
    {
        Close();
        return reply with { Code = 521 };
    }

    private SmtpReply? Admit(Verb verb, int length)
    {
        bool lmtp = Role == ListenerRole.Lmtp;
        if (verb.Is(VerbTraits.Smtp) && lmtp || verb.Is(VerbTraits.Lmtp) && !lmtp) return Reply.UnknownCommand;
        if (length > Options.MaxCommandLine && !verb.Is(VerbTraits.LongLine)) return Reply.LineTooLong;
        if (_shut is not null && verb.Name is not ("XCLIENT" or "QUIT")) return _shut;
        // Without EHLO nobody has said that commands may follow each other (RFC 2920 section 3.1). XFORWARD is of mail servers that know us.
        bool endsPipeline = verb.Is(VerbTraits.EndsPipeline) || !IsExtended && !verb.Is(VerbTraits.CarriesData) && verb.Name != "XFORWARD";
        if (endsPipeline && Connection.Input.Length > 0)
        {
            if (Options.ForbidEarlyTalk && Role == ListenerRole.Mx && !IsTrusted && verb.Name != "QUIT")
            {
                Log.PipelinedUnasked(Id, verb.Name);
                return HangUp(Reply.PipelinedUnasked);
            }
            if (_tally.TalksEarly()) Log.TalksEarly(Id, verb.Name);
        }
        if (verb.Is(VerbTraits.Idle) && _tally.IdleCommand())
        {
            Log.TooManyErrors(Id);
            return Reply.TooManyErrors;
        }
        return verb.Is(VerbTraits.NeedsHello) && Helo is null ? Reply.NeedHello : null;
    }

    // A web browser that was led here by a page sends its request, and in it whatever the page likes.
    private SmtpReply Unknown(ReadOnlySpan<byte> word)
    {
        foreach (string verb in (ReadOnlySpan<string>)["GET", "POST", "PUT", "HEAD", "OPTIONS", "CONNECT"])
            if (System.Text.Ascii.EqualsIgnoreCase(word, verb)) return HangUp(Reply.NotSmtp);
        return Reply.UnknownCommand;
    }

    private async ValueTask GoodbyeFlushAsync(CancellationToken cancel)
    {
        Connection.SetDeadline(GoodbyeTimeout);
        try { await Connection.Output.FlushAsync(cancel); }
        catch (IOException) { /* it is gone already, or does not read */ }
    }

    private static readonly TimeSpan GoodbyeTimeout = TimeSpan.FromSeconds(5);

    private static bool IsIn(IReadOnlyList<IPNetwork> networks, IPAddress address)
    {
        foreach (IPNetwork network in networks)
            if (network.Contains(address)) return true;
        return false;
    }
}
