using Microsoft.Extensions.Logging.Abstractions;
using Posthorn.Core;
using Posthorn.Directory;
using Posthorn.Store;
using Posthorn.Transport.Accept;
using Posthorn.Transport.Bounce;
using Posthorn.Transport.Policy;
using Posthorn.Transport.Queue;
using Posthorn.Transport.Rewriting;
using Posthorn.Transport.Trace;

namespace Posthorn.Transport;

/// <summary>The way in for all mail.</summary>
public sealed class MailTransport : IMailTransport
{
    private readonly QueueIds _ids;
    private volatile TransportOptions _options;
    private volatile CheckSet _checks = CheckSet.None;

    public MailTransport(TransportOptions options, TransportServices services)
    {
        (_options, Services) = (Completed(options), services);
        _ids = new(services.Time, services.Queue.Newest);
        services.Queue.Trace = services.Trace;
        Stage = new(services, NewQueueId, () => _options);
        Reporter = new(services, Stage, NewQueueId, () => _options);
    }

    // Of another one, for a dry run: writes nothing down.
    private MailTransport(MailTransport live)
    {
        (_ids, _options, _checks) = (live._ids, live._options, live._checks);
        Services = live.Services with { Log = NullLogger.Instance, Trace = NoTrace.Instance };
        (Stage, Reporter) = (live.Stage, live.Reporter);
    }

    /// <summary>The settings; a reload replaces them as a whole.</summary>
    public TransportOptions Options
    {
        get => _options;
        set => _options = Completed(value);
    }

    /// <summary>The checks for sessions that begin; a reload replaces them as a whole.</summary>
    public CheckSet Checks
    {
        get => _checks;
        set => _checks = value;
    }

    public long MaxMessageSize => _options.MaxMessageSize;

    internal TransportServices Services { get; }
    internal DeliveryStage Stage { get; }

    /// <summary>What rewrites the addresses of one message; null when nothing is to be rewritten.</summary>
    internal AddressRewriter? Rewriter => Services.Tables is { } tables && (_options.Rewriting.IsSet || _options.Rewriting.Relocated.Count > 0) ? new(_options.Rewriting, tables, Services.Directory) : null;
    internal Reporter Reporter { get; }

    /// <summary>Under which addresses accounts may send.</summary>
    internal SenderRights Rights => new(Services.Directory, Services.Tables, _options.SenderLogins);

    /// <summary>The same, asked without anybody's knowing: neither log nor trace hear of it.</summary>
    internal MailTransport Quietly() => new(this);

    public QueueId NewQueueId() => _ids.Next();

    public async ValueTask<SmtpReply> AdmitSenderAsync(Envelope envelope, CancellationToken cancel)
    {
        SmtpReply reply = await JudgeSenderAsync(envelope, cancel);
        if (!reply.IsPositive) Services.Log.Refused(envelope.Id, envelope.Client.Session, envelope.From, reply);
        return reply;
    }

    public async ValueTask<SmtpReply> AdmitRecipientAsync(Envelope envelope, EnvelopeRecipient recipient, CancellationToken cancel)
    {
        LocalDomains domains = new(Services.Directory, _options, Services.Time.GetUtcNow());
        Resolution resolution = domains.Resolve(recipient.Address);
        if (resolution is not Resolution.NotOurs && Rewriter is { } rewriter)
        {
            // Of an address of ours that canonical tables rewrite, what it becomes must exist; where it may lead is the administrator's word, as with an alias.
            EmailAddress rewritten = await rewriter.CanonicalAsync(recipient.Address, AddressClasses.EnvelopeRecipient, cancel);
            if (rewritten != recipient.Address) resolution = domains.Resolve(rewritten) is Resolution.NotOurs ? new Resolution.Recipients([new Target.Remote(rewritten)]) : domains.Resolve(rewritten);
            string? moved = resolution is Resolution.Unknown ? await rewriter.NewPlaceAsync(recipient.Address, cancel) : null;
            if (rewriter.Failure is { } why)
            {
                Services.Log.AliasTrouble(envelope.Id, recipient.Address, why);
                return Replies.MailboxUnavailable;
            }
            if (moved is not null) return new(550, "5.1.6", $"The user has moved to {moved}");
        }
        switch (resolution)
        {
            // DESIGN invariant 5: this line is the relay control. No setting reaches it.
            // Domains that the administrator names one by one, as kept by another server, are mail of ours too.
            case Resolution.NotOurs when !MayRelay(envelope.Client) && !IsTakenForOthers(envelope.Client, recipient.Address): return Deny(envelope, recipient);
            case Resolution.NotOurs: return Services.Queue.HasRoom ? Replies.RecipientOk : Replies.QueueFull;
            case Resolution.Recipients { Targets: var targets } when targets.Any(LeadsOn): return Services.Queue.HasRoom ? Replies.RecipientOk : Replies.QueueFull;
            case Resolution.Recipients { Targets: [Target.Local only] }: return await AdmitAsync(envelope, only.Account, cancel);
            case Resolution.Recipients: return Replies.RecipientOk;
            case Resolution.Unknown: return Replies.Unknown;
            case Resolution.Unavailable: return Replies.MailboxUnavailable;
            case Resolution.Loop loop:
                Services.Log.AliasTrouble(envelope.Id, recipient.Address, $"aliases lead in a circle at {loop.At}");
                return Replies.AliasLoop;
            case Resolution.TooMany many:
                Services.Log.AliasTrouble(envelope.Id, recipient.Address, $"aliases lead to more than {many.Limit} addresses");
                return Replies.TooManyTargets;
            default: throw new System.Diagnostics.UnreachableException();
        }
    }

    public SessionChecks? OpenChecks(ClientContext client) => SessionChecks.Open(_checks, client, Services.Log, trace: Services.Trace);

    public void NoteRefusal(Envelope envelope, EnvelopeRecipient? recipient, SmtpReply reply)
    {
        if (Services.Trace.WantsRefusals) Services.Trace.Tell(new TraceEvent.Refused(envelope.Id, envelope.Client, envelope.From, recipient?.Address, reply) { Names = envelope.Checks?.Context.Names ?? [envelope.Client.Helo] });
    }

    public void NoteLoss(Envelope envelope, long octets)
    {
        if (Services.Trace.WantsRefusals) Services.Trace.Tell(new TraceEvent.BrokenOff(envelope.Id, envelope.Client, envelope.From, [.. envelope.Recipients.Select(recipient => recipient.Address)], octets));
    }

    public IMessageIntake Begin(Envelope envelope) => new MessageIntake(this, envelope);

    /// <summary>Delivers a whole message and turns what became of each recipient into what its client hears.</summary>
    internal async ValueTask<AcceptOutcome> FinishAsync(AcceptedMessage accepted, CancellationToken cancel)
    {
        if (accepted.Message is { ReleaseAt: not null } or { HoldReason: not null }) return await PostponeAsync(accepted, cancel);
        DeliveryOutcome outcome = await Stage.DeliverAsync(accepted, cancel);
        SmtpReply overall = Overall(outcome.Replies);
        if (!overall.IsPositive) return new(overall, outcome.Replies);
        await TellOfSuccessAsync(accepted, outcome, cancel);
        // SMTP has one reply for all: it does not speak for those that were refused after DATA. For copies none does.
        int told = accepted.RepliesSeparately ? accepted.Message.Recipients.Count - accepted.Copies : 0;
        IEnumerable<Shortfall> refused = outcome.Replies.Select((reply, i) => new Shortfall(accepted.Message.Recipients[i], reply)).Skip(told).Where(one => !one.Reply.IsPositive);
        Shortfall[] owed = [.. outcome.Shortfalls, .. refused];
        if (owed.Length == 0 || await KeepPromiseAsync(accepted, owed, cancel)) return new(overall, outcome.Replies);
        return new(Replies.Trouble, [.. outcome.Replies.Select(reply => reply.IsPositive ? Replies.Trouble : reply)]);
    }

    // A positive reply is out for something that not all places took: they get a bounce, or wait in the queue for a better time.
    internal async ValueTask<bool> KeepPromiseAsync(AcceptedMessage accepted, IReadOnlyList<Shortfall> owed, CancellationToken cancel)
    {
        QueueMessage message = accepted.Message;
        EnvelopeRecipient[] later = [.. owed.Where(one => one.Reply.IsTransient).Select(one => one.Recipient)];
        ReportedRecipient[] failed = [.. owed.Where(one => one.Reply.IsPermanent && (message.From.IsNull || Report.IsWanted(ReportKind.Failed, one.Recipient.Notify))).Select(one => new ReportedRecipient(one.Recipient, "failed", one.Reply, ""))];
        if (failed.Length > 0 && !await Reporter.SendAsync(new() { Kind = ReportKind.Failed, About = message, Recipients = failed, Content = accepted.Read }, cancel)) return false;
        return later.Length == 0 || await Stage.PostponeAsync(accepted, later, cancel);
    }

    // A message of the future (RFC 4865), or one that is held, waits as it came; aliases and scripts have their say when its time has come.
    private async ValueTask<AcceptOutcome> PostponeAsync(AcceptedMessage accepted, CancellationToken cancel)
    {
        QueueMessage message = accepted.Message;
        SmtpReply reply = message.HoldReason is null || Services.Queue.HasRoom ? Replies.Queued(message.Id) : Replies.QueueFull;
        if (!reply.IsPositive) return new(reply, [.. message.Recipients.Select(_ => reply)]);
        try
        {
            DeliveryReceipt receipt = await Services.Stores.DeliverAsync(accepted.Content, [], Services.Queue.Attach([message]), cancel);
            string what = message.HoldReason is not null ? "held" : "future";
            if (Services.Trace.IsOn) Services.Trace.Tell(new TraceEvent.Recorded(message.Id, receipt.RecordNumber, [], [new(message.Id, what, [.. message.Recipients.Select(one => one.Address)])]));
        }
        catch (IOException e)
        {
            Services.Log.NotStored(e, message.Id);
            reply = e is Posthorn.Journal.JournalFullException ? Replies.NoSpace : Replies.Trouble;
        }
        if (reply.IsPositive) Services.Log.Queued(message.Id, message.From, message.Recipients.Count);
        return new(reply, [.. message.Recipients.Select(_ => reply)]);
    }

    // NOTIFY=SUCCESS (RFC 3461 section 4.1); what was relayed is reported when it has left.
    private async ValueTask TellOfSuccessAsync(AcceptedMessage accepted, DeliveryOutcome outcome, CancellationToken cancel)
    {
        QueueMessage message = accepted.Message;
        if (message.From.IsNull) return;
        List<ReportedRecipient> delivered = [];
        for (int i = 0; i < message.Recipients.Count; i++)
            if (outcome.Replies[i].IsPositive && !outcome.Handovers[i].IsToldElsewhere && Report.IsWanted(ReportKind.Success, message.Recipients[i].Notify)) delivered.Add(new(message.Recipients[i], outcome.Handovers[i].Action, outcome.Replies[i], ""));
        if (delivered.Count > 0) await Reporter.SendAsync(new() { Kind = ReportKind.Success, About = message, Recipients = delivered, Content = accepted.Read }, cancel);
    }

    /// <summary>Whether an account may send under an address; false also while a table cannot say.</summary>
    public async ValueTask<bool> MaySendAsAsync(MailAccount account, ReversePath from, CancellationToken cancel) => await Rights.OfAsync(account, from, cancel) == SenderRight.Granted;

    private static TransportOptions Completed(TransportOptions options) => options with { OwnEndPoints = OwnAddresses.Expand(options.OwnEndPoints) };

    private async ValueTask<SmtpReply> JudgeSenderAsync(Envelope envelope, CancellationToken cancel)
    {
        ClientContext client = envelope.Client;
        if (client.Role == ListenerRole.Submission && client.Account is null) return Replies.AuthenticationRequired;
        SenderRight right = client.Account is { } account ? await Rights.OfAsync(account, envelope.From, cancel) : SenderRight.Granted;
        if (right != SenderRight.Granted) return right == SenderRight.Denied ? Replies.NotYourAddress : Replies.TableUnavailable;
        if (envelope.ReleaseAt is not null && Services.Queue.CountFuture(OriginOf(client)) >= _options.Queue.MaxFuturePerSender) return Replies.TooManyFuture;
        if (envelope.DeclaredSize > _options.MaxMessageSize) return Replies.TooBig;
        return Replies.SenderOk;
    }

    /// <summary>Who hands mail over, for fairness and for what one sender may keep in the queue.</summary>
    internal static string OriginOf(ClientContext client) => client.Account?.Address.ToString() ?? client.Address.ToString();

    /// <summary>Whether this client may send to others. Who logged in may, and on port 25 a trusted network; by LMTP nobody.</summary>
    private static bool MayRelay(ClientContext client) => client.Role switch
    {
        ListenerRole.Mx => client.Account is not null || client.IsTrusted,
        ListenerRole.Submission => client.Account is not null,
        _ => false,
    };

    private bool IsTakenForOthers(ClientContext client, EmailAddress recipient)
    {
        if (client.Role == ListenerRole.Lmtp) return false;
        foreach (RouteRule rule in _options.Outbound.Routes)
            if (rule.Accepts(recipient)) return true;
        return false;
    }

    // Mail for it goes through the queue.
    private bool LeadsOn(Target target) => target is not Target.Local local || _options.Outbound.Behind.ContainsKey(local.FinalAddress.Domain);

    private SmtpReply Deny(Envelope envelope, EnvelopeRecipient recipient)
    {
        Services.Log.RelayDenied(envelope.Id, envelope.Client.Session, envelope.Client.Address.ToString(), envelope.From, recipient.Address);
        return Replies.RelayDenied;
    }

    private async ValueTask<SmtpReply> AdmitAsync(Envelope envelope, MailAccount account, CancellationToken cancel)
    {
        Result<Done> room = await Services.Stores.HasRoomAsync(account, envelope.DeclaredSize ?? 0, cancel);
        if (room.IsOk) return Replies.RecipientOk;
        return Replies.From(room.Refusal, _options.QuotaIsPermanent || envelope.Client.Account is not null);
    }

    // All refused: one that may work later makes the whole a 4xx, so that the client tries again for its sake.
    private static SmtpReply Overall(IReadOnlyList<SmtpReply> replies) =>
        replies.FirstOrDefault(reply => reply.IsPositive) ?? replies.FirstOrDefault(reply => reply.IsTransient) ?? replies[0];
}
