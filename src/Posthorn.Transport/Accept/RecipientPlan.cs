using Posthorn.Core;
using Posthorn.Directory;
using Posthorn.Store;
using Posthorn.Transport.Queue;
using Posthorn.Transport.Trace;

namespace Posthorn.Transport.Accept;

/// <summary>Where all copies of one message go: aliases expanded, accounts reached twice counted once, scripts asked.</summary>
internal sealed class RecipientPlan(AcceptedMessage accepted, LocalDomains domains, IDeliveryPlanner planner, Func<DomainName, bool> behindUs) : IDisposable
{
    /// <summary>How often one recipient may be sent on from account to account before it counts as a loop.</summary>
    private const int MaxRedirects = 10;

    private readonly List<Copy> _copies = [];
    private readonly Dictionary<EmailAddress, Onward> _onward = [];
    private readonly List<Outgoing> _mail = [];
    private readonly Dictionary<EmailAddress, Visit> _accounts = [];
    private readonly List<Refused> _refused = [];
    private readonly List<Rejection> _rejections = [];
    private readonly List<(int Recipient, Target.Local Where)> _circles = [];
    private readonly HashSet<int> _taken = [];
    private readonly HashSet<int> _expanded = [];
    private readonly List<FilterNote> _notes = [];
    private readonly List<IDisposable> _holds = [];
    private readonly ContentTail _tail = new(accepted.Content, accepted.Message.Size);

    /// <summary>A copy for a local mailbox.</summary>
    internal sealed record Copy(LocalDelivery Delivery, EmailAddress Address, HashSet<int> Recipients);

    /// <summary>An address elsewhere, where the message goes as it came.</summary>
    /// <param name="Recipient">The address.</param>
    /// <param name="Recipients">On whose behalf.</param>
    /// <param name="Trace">The account whose script sends it on, so that it is known should it come back; null for an alias.</param>
    internal sealed record Onward(EnvelopeRecipient Recipient, HashSet<int> Recipients, EmailAddress? Trace);

    /// <summary>A message that a planner wants sent.</summary>
    internal sealed record Outgoing(PlannedMail Mail, EmailAddress Account, HashSet<int> Recipients);

    /// <summary>A place where nothing goes.</summary>
    /// <param name="Recipient">The recipient on whose behalf.</param>
    /// <param name="Address">The address after aliases.</param>
    /// <param name="Reply">Why.</param>
    internal sealed record Refused(int Recipient, EmailAddress Address, SmtpReply Reply);

    // Who has been asked already, and which recipients its copies and redirects serve.
    private sealed record Visit(HashSet<int> Recipients, SmtpReply? Loop, Rejection? Rejection);

    private sealed record Rejection(HashSet<int> Recipients, EmailAddress Account, EmailAddress Address, SmtpReply Reply, PlannedMail? Notice);

    /// <summary>Where aliases are told of.</summary>
    public ITrace Trace { get; init; } = NoTrace.Instance;

    public IReadOnlyList<Copy> Copies => _copies;
    public IReadOnlyCollection<Onward> Elsewhere => _onward.Values;
    public IReadOnlyList<Outgoing> Mail => _mail;
    public IReadOnlyList<Refused> Refusals => _refused;
    public IReadOnlyList<FilterNote> Notes => _notes;

    /// <summary>The message itself goes on to other places: such mail is taken as a whole or not at all, so that a client which sends it again has nothing delivered twice.</summary>
    public bool GoesOn => _onward.Count > 0 || _mail.Exists(one => one.Mail.IsRedirect);

    /// <summary>Whether the recipient is an alias of several addresses.</summary>
    public bool IsExpanded(int recipient) => _expanded.Contains(recipient);

    /// <summary>Decides for all recipients.</summary>
    public async ValueTask MakeAsync(CancellationToken cancel)
    {
        for (int i = 0; i < accepted.Message.Recipients.Count; i++) await AddAsync(i, cancel);
        SettleRejections();
        BreakCircles();
    }

    /// <summary>What enters the queue. What goes on as it came is one message, under the id by which it was accepted.</summary>
    public async ValueTask<IReadOnlyList<QueueMessage>> QueueAsync(Func<QueueId> newId, CancellationToken cancel)
    {
        List<QueueMessage> messages = [];
        QueueMessage message = accepted.Message;
        foreach (IGrouping<EmailAddress?, Onward> group in _onward.Values.GroupBy(onward => onward.Trace))
        {
            ReadOnlyMemory<byte> trace = group.Key is { } account ? ReceivedLine.DeliveredTo(account) : default;
            IReadOnlyList<ContentRange> ranges = await _tail.PartsOf(trace, null, cancel);
            messages.Add(message with { Id = messages.Count == 0 ? message.Id : newId(), Recipients = [.. group.Select(onward => onward.Recipient)], Ranges = ranges, Size = ranges.Sum(range => range.Length) });
        }
        foreach (Outgoing one in _mail)
        {
            PlannedMail mail = one.Mail;
            IReadOnlyList<ContentRange> ranges = await _tail.PartsOf(mail.IsRedirect ? ReceivedLine.DeliveredTo(one.Account) : default, mail.Content, cancel);
            ContentTraits traits = (mail.Content is { } made ? ContentTail.TraitsOf(made.Head.Span) : message.Traits) | (mail.Content is { RestFrom: null } ? 0 : message.Traits);
            bool utf8 = message.SmtpUtf8 && (traits & ContentTraits.EightBitHeader) != 0 || mail.Recipients.Any(recipient => recipient.Address.NeedsUtf8) || !mail.From.IsNull && mail.From.Address.NeedsUtf8;
            messages.Add(new()
            {
                Id = messages.Count == 0 && mail.IsRedirect ? message.Id : newId(), Arrived = message.Arrived, From = mail.From, Origin = one.Account.ToString(), Recipients = mail.Recipients, Return = mail.Return, By = mail.By ?? (mail.IsRedirect ? message.By : null),
                EnvelopeId = mail.IsRedirect ? message.EnvelopeId : null, Body = mail.Content is { RestFrom: null } ? BodyType.EightBitMime : message.Body, Traits = traits, SmtpUtf8 = utf8,
                // RFC 8689 section 6: what is made of a message keeps to its wishes.
                RequiresTls = message.RequiresTls, IsTlsOptional = mail.IsRedirect && message.IsTlsOptional,
                Size = ranges.Sum(range => range.Length), Ranges = ranges,
            });
        }
        // Where nothing lies behind the message it is all of the content, as ever.
        if (accepted.Content.Length == message.Size) messages = [.. messages.Select(one => one with { Ranges = null })];
        return messages;
    }

    /// <summary>What the message at a place of <see cref="QueueAsync"/> is: sent on as it came, or made by a script.</summary>
    public string WhatIs(int place)
    {
        int groups = _onward.Values.Select(onward => onward.Trace).Distinct().Count();
        return place < groups ? "relay" : _mail[place - groups].Mail.What;
    }

    public void Dispose()
    {
        foreach (IDisposable hold in _holds) hold.Dispose();
    }

    private async ValueTask AddAsync(int recipient, CancellationToken cancel)
    {
        EnvelopeRecipient given = accepted.Message.Recipients[recipient];
        Queue<(EmailAddress Address, int Depth, EmailAddress? By)> work = new([(given.Address, 0, null)]);
        while (work.TryDequeue(out (EmailAddress Address, int Depth, EmailAddress? By) next))
        {
            switch (domains.Resolve(next.Address))
            {
                case Resolution.NotOurs: SendOn(Onto(next.Address, next.Depth > 0), recipient, next.By); break;
                case Resolution.Unknown: Refuse(recipient, next.Address, Replies.Unknown); break;
                case Resolution.Unavailable: Refuse(recipient, next.Address, Replies.MailboxUnavailable); break;
                case Resolution.Loop: Refuse(recipient, next.Address, Replies.AliasLoop); break;
                case Resolution.TooMany: Refuse(recipient, next.Address, Replies.TooManyTargets); break;
                case Resolution.Recipients { Targets: var targets }:
                    if (targets.Count > 1) _expanded.Add(recipient);
                    TellOfAlias(next.Address, targets);
                    foreach (Target target in targets)
                    {
                        if (target is Target.Remote remote) SendOn(Onto(remote.Address, true), recipient, next.By);
                        else if (target is Target.Local { FinalAddress: var behind } && behindUs(behind.Domain)) SendOn(Onto(behind, false), recipient, next.By);
                        else if (target is Target.Local local)
                        {
                            IReadOnlyList<EmailAddress> redirects = await DeliverAsync(local, recipient, next.Depth, cancel);
                            if (next.Depth >= MaxRedirects && redirects.Count > 0) Refuse(recipient, local.FinalAddress, Replies.DeliveryLoop);
                            else foreach (EmailAddress redirect in redirects) work.Enqueue((redirect, next.Depth + 1, local.FinalAddress));
                        }
                    }
                    break;
            }
        }

        EnvelopeRecipient Onto(EmailAddress address, bool isForwarded) => given.Readdressed(address) with { Notify = WishesOf(given, recipient), IsForwarded = isForwarded };
    }

    private void TellOfAlias(EmailAddress address, IReadOnlyList<Target> targets)
    {
        if (!Trace.IsOn || targets is [Target.Local { FinalAddress: var only }] && only == address) return;
        Trace.Tell(new TraceEvent.Expanded(accepted.TraceId, address, [.. targets.Select(target => target is Target.Local local ? local.FinalAddress : ((Target.Remote)target).Address)]));
    }

    private async ValueTask<IReadOnlyList<EmailAddress>> DeliverAsync(Target.Local local, int recipient, int depth, CancellationToken cancel)
    {
        if (_accounts.TryGetValue(local.Account.Address, out Visit? visit))
        {
            if (visit.Loop is { } loop) Refuse(recipient, local.FinalAddress, loop);
            else if (visit.Rejection is null) _taken.Add(recipient);
            if (depth > 0) _circles.Add((recipient, local));
            visit.Recipients.Add(recipient);
            return [];
        }
        HashSet<int> recipients = [recipient];
        if (accepted.DeliveredTo.Contains(local.FinalAddress))
        {
            _accounts.Add(local.Account.Address, new(recipients, Replies.DeliveryLoop, null));
            Refuse(recipient, local.FinalAddress, Replies.DeliveryLoop);
            return [];
        }
        DeliveryPlan plan = await planner.PlanAsync(InputFor(local, recipient), cancel);
        if (plan.Hold is { } hold) _holds.Add(hold);
        _notes.AddRange(plan.Notes);
        Rejection? rejection = plan.Rejection is { } reply ? new(recipients, local.Account.Address, local.FinalAddress, reply, plan.RejectionNotice) : null;
        _accounts.Add(local.Account.Address, new(recipients, null, rejection));
        if (rejection is not null)
        {
            _rejections.Add(rejection);
            return [];
        }
        _taken.Add(recipient);
        foreach (PlannedMail mail in plan.Mail) _mail.Add(new(mail, local.FinalAddress, recipients));
        foreach (PlannedCopy copy in plan.Copies) await StoreAsync(local, copy, recipients, cancel);
        return plan.Redirects;
    }

    private DeliveryInput InputFor(Target.Local local, int recipient)
    {
        QueueMessage message = accepted.Message;
        EnvelopeRecipient given = message.Recipients[recipient];
        QueueEnvelope envelope = new(message.Id, message.From, message.Arrived)
        {
            Return = message.Return, EnvelopeId = message.EnvelopeId, By = message.By, Author = accepted.Client?.Account?.Address, Client = accepted.Client?.Address,
        };
        return new(envelope, local.Account, local.FinalAddress, local.Detail, given.Address, accepted.Content, message.Size) { Notify = WishesOf(given, recipient), OriginalRecipient = given.OriginalRecipient, LifeOf = accepted.LifeOf };
    }

    private async ValueTask StoreAsync(Target.Local local, PlannedCopy copy, HashSet<int> recipients, CancellationToken cancel)
    {
        byte[] trace = ReceivedLine.Prefix(accepted.Message.From, local.FinalAddress);
        (ReadOnlyMemory<byte> prefix, ContentRange range) = copy.Content switch
        {
            null => (trace, _tail.RestOf(null)),
            { RestFrom: not null } edited => ((byte[])[.. trace, .. edited.Head.Span], _tail.RestOf(edited)),
            // A message of another content: what came with this one's envelope says nothing of it.
            { } made => (default(ReadOnlyMemory<byte>), await _tail.WriteAsync(made.Head, cancel)),
        };
        _copies.Add(new(new(local.Account, copy.Mailbox, copy.Flags, copy.Keywords, prefix) { Create = copy.Create, CreateUse = copy.CreateUse, Range = range }, local.FinalAddress, recipients));
    }

    // RFC 5429 section 2.2: a reply speaks for a rejection where it can; else the notice goes out. Without one the refusal becomes a bounce, as any other.
    private void SettleRejections()
    {
        bool canSay = !accepted.IsFromQueue && (accepted.RepliesSeparately || _taken.Count == 0);
        foreach (Rejection rejection in _rejections)
        {
            if (canSay || rejection.Notice is not { } notice)
                foreach (int recipient in rejection.Recipients) Refuse(recipient, rejection.Address, rejection.Reply);
            else _mail.Add(new(notice, rejection.Account, rejection.Recipients));
        }
    }

    // Scripts that only send a message on to each other would lose it: it stays where it came by for the second time (RFC 5228 section 4.2: a loop is an error, and after an error a message is kept).
    private void BreakCircles()
    {
        foreach ((int recipient, Target.Local where) in _circles)
        {
            if (_copies.Exists(copy => copy.Recipients.Contains(recipient)) || _onward.Values.Any(onward => onward.Recipients.Contains(recipient))
                || _mail.Exists(mail => mail.Mail.IsRedirect && mail.Recipients.Contains(recipient)) || _refused.Exists(one => one.Recipient == recipient)) continue;
            byte[] trace = ReceivedLine.Prefix(accepted.Message.From, where.FinalAddress);
            _copies.Add(new(new(where.Account, MailboxName.Inbox, SystemFlags.None, KeywordSet.Empty, trace) { Range = _tail.RestOf(null) }, where.FinalAddress, [recipient]));
        }
    }

    // RFC 3461 section 5.2.7: an alias with one target keeps the sender's wishes; of one with several, success is told when it has been expanded.
    private DsnNotify WishesOf(EnvelopeRecipient given, int recipient) => IsExpanded(recipient) ? given.Notify.WithoutSuccess() : given.Notify;

    private void SendOn(EnvelopeRecipient target, int recipient, EmailAddress? by)
    {
        _taken.Add(recipient);
        if (_onward.TryGetValue(target.Address, out Onward? onward))
        {
            onward.Recipients.Add(recipient);
            _onward[target.Address] = onward with { Recipient = onward.Recipient with { Notify = onward.Recipient.Notify.With(target.Notify) } };
            return;
        }
        _onward.Add(target.Address, new(target, [recipient], by));
    }

    private void Refuse(int recipient, EmailAddress address, SmtpReply reply) => _refused.Add(new(recipient, address, reply));
}
