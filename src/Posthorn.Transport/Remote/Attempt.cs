using System.Net;
using Posthorn.Core;
using Posthorn.Transport.Accept;
using Posthorn.Transport.Queue;

namespace Posthorn.Transport.Remote;

/// <summary>One attempt at a delivery over all its hosts: who has been answered, and what was last wrong.</summary>
internal sealed class Attempt(Delivery delivery, int batchSize)
{
    private readonly SmtpReply?[] _replies = new SmtpReply?[delivery.Recipients.Count];
    private readonly string[] _hosts = [.. Enumerable.Repeat("", delivery.Recipients.Count)];
    private readonly Handover[] _handovers = [.. Enumerable.Repeat(Handover.Delivered, delivery.Recipients.Count)];
    private readonly bool[] _recorded = new bool[delivery.Recipients.Count];
    private (SmtpReply Reply, string Host)?[]? _later;
    private HashSet<(int Recipient, EndPoint Place)>? _putOff;
    private int _batchSize = batchSize;
    private SmtpReply? _fault;
    private string _faultHost = "";
    private bool _faultMayPass;
    private bool _isHeld;

    public Delivery Delivery { get; } = delivery;

    /// <summary>Writes words down before the attempt is over.</summary>
    public Func<DeliveryResult, ValueTask> Record { get; init; } = _ => ValueTask.CompletedTask;

    /// <summary>A host was reached and spoke sense.</summary>
    public bool Worked { get; set; }

    public bool IsDone => Array.TrueForAll(_replies, reply => reply is not null);

    /// <summary>A server has put recipients off.</summary>
    public bool HasPutOff => _putOff is not null;

    /// <summary>Somebody waits whom the server at this place has not put off.</summary>
    public bool HasFor(EndPoint place)
    {
        for (int i = 0; i < _replies.Length; i++)
            if (Waits(i, place)) return true;
        return false;
    }

    private bool Waits(int index, EndPoint place) => _replies[index] is null && _putOff?.Contains((index, place)) != true;

    /// <summary>No host could be reached, for reasons that may pass. What the administrator holds back, and what a host has put off, is left waiting.</summary>
    public bool MayFallBack => !IsDone && !_isHeld && _fault is null or { IsTransient: true };

    /// <summary>The next recipients that wait for the server at this place, as many as go into one transaction: all sent on by us, or none; of no more domains than the server wants at once (RFC 9422).</summary>
    public IReadOnlyList<int> Next(ServerFeatures features, EndPoint place)
    {
        int first = 0;
        while (first < _replies.Length && !Waits(first, place)) first++;
        if (first == _replies.Length) return [];
        bool forwarded = IsForwarded(first);
        HashSet<DomainName> domains = [];
        int most = Math.Min(_batchSize, features.MaxRecipients ?? int.MaxValue), mostDomains = features.MaxDomains ?? int.MaxValue;
        return [.. Enumerable.Range(first, _replies.Length - first)
            .Where(i => Waits(i, place) && IsForwarded(i) == forwarded && (domains.Contains(DomainOf(i)) || domains.Count < mostDomains && domains.Add(DomainOf(i)))).Take(most)];
    }

    private DomainName DomainOf(int index) => Delivery.Entry.Message.Recipients[Delivery.Recipients[index]].Address.Domain;

    private bool IsForwarded(int index) => Delivery.Entry.Message.Recipients[Delivery.Recipients[index]].IsForwarded;

    /// <summary>Takes over how a transaction ended.</summary>
    public void Take(IReadOnlyList<int> batch, TransactionResult result, SmtpClientSession session)
    {
        // What LMTP has taken lies in a mailbox; a server that knows DSN reports success itself (RFC 3461 section 5.2.1).
        Handover handover = new(session.IsLmtp ? "delivered" : "relayed") { IsToldElsewhere = session.Features.Dsn, IsTimedElsewhere = session.Features.DeliverBy };
        int accepted = result.Replies.Count(reply => reply is { IsPositive: true });
        for (int i = 0; i < batch.Count; i++)
        {
            if (result.Replies[i] is not { } reply) continue;
            // Those that were not taken have their turn at once. In LMTP the answer to the message says something else by it.
            if ((!session.IsLmtp || !result.IsOfMessage(i)) && SaysTooMany(reply, session.IsLmtp) && accepted > 0 && accepted < batch.Count)
            {
                _batchSize = accepted;
                continue;
            }
            if (MayDoBetter(reply, session) && SpeakerOf(reply) is { Length: > 0 } host)
            {
                PutOff(batch[i], session.Place, reply, host);
                continue;
            }
            _replies[batch[i]] = reply;
            _hosts[batch[i]] = SpeakerOf(reply);
            _handovers[batch[i]] = handover;
        }
        if (result.HostFault is { } fault) Fault(fault, SpeakerOf(fault), isHeld: session.IsUsable);

        string SpeakerOf(SmtpReply reply) => result.FromRemote && !session.IsOurs(reply) ? session.Host : "";
    }

    // "Too many recipients"; old servers say 552 for it (RFC 5321 section 4.5.3.1.10). In LMTP that is the answer to the message.
    private static bool SaysTooMany(SmtpReply reply, bool isLmtp) =>
        reply is { Code: 452, Status: "4.5.3" or "4.0.0" } || !isLmtp && reply is { Code: 552, Status: "5.5.3" or "5.0.0" };

    // Another server of the domain may take what this one has put off (RFC 5321 section 5.1). A full mailbox is as full there, and behind LMTP there is no other.
    // Never where the answer to the message is missing, which is our own word: it may have been taken.
    private static bool MayDoBetter(SmtpReply reply, SmtpClientSession session) => reply.IsTransient && !session.IsLmtp && reply.Status != "4.2.2";

    // Nobody but a server of the domain is to have it instead.
    private void PutOff(int index, EndPoint place, SmtpReply reply, string host)
    {
        (_later ??= new (SmtpReply, string)?[_replies.Length])[index] = (reply, host);
        (_putOff ??= []).Add((index, place));
        _isHeld = true;
    }

    /// <summary>A host could not be used; the next one may.</summary>
    /// <param name="fault">Why.</param>
    /// <param name="host">Who says so; empty for ourselves.</param>
    /// <param name="isHeld">It could be reached, or is not to be: nobody else is to have the mail instead.</param>
    public void Fault(SmtpReply fault, string host, bool isHeld = false)
    {
        _isHeld |= isHeld;
        // A fault that may pass outweighs one that stays: mail comes back only when no host would ever take it.
        if (_fault is not null && _faultMayPass && !fault.IsTransient) return;
        (_fault, _faultHost, _faultMayPass) = (fault, host, fault.IsTransient);
    }

    /// <summary>The same for all that have no reply.</summary>
    public void Fail(SmtpReply reply, string host)
    {
        for (int i = 0; i < _replies.Length; i++)
        {
            if (_replies[i] is not null) continue;
            (_replies[i], _hosts[i]) = (reply, host);
        }
    }

    /// <summary>All hosts have been tried.</summary>
    public DeliveryResult End()
    {
        SmtpReply fault = _fault ?? new(450, "4.4.1", "No host could be reached");
        for (int i = 0; i < _later?.Length; i++)
        {
            if (_replies[i] is null && _later[i] is var (reply, host)) (_replies[i], _hosts[i]) = (reply, host);
        }
        Worked |= HasPutOff;
        bool unanswered = !IsDone;
        Fail(fault, _faultHost);
        // A host that spoke sense and put this message off has said nothing of others' mail.
        if (unanswered && fault.IsTransient && Worked) return Result(new ConnectionVerdict.Nothing());
        return Result(Worked || fault.IsPermanent ? new ConnectionVerdict.Worked() : new ConnectionVerdict.Failed(fault));
    }

    /// <summary>While others are still to be tried: who has the message, and is not written down yet. From here on they count as written down. Null when there is nobody, or nobody else.</summary>
    public DeliveryResult? TakeDelivered()
    {
        if (IsDone) return null;
        SmtpReply?[] delivered = [.. _replies.Select((reply, i) => !_recorded[i] && reply is { IsPositive: true } ? reply : null)];
        if (Array.TrueForAll(delivered, reply => reply is null)) return null;
        for (int i = 0; i < delivered.Length; i++) _recorded[i] |= delivered[i] is not null;
        return new(delivered, _hosts, _handovers, new ConnectionVerdict.Nothing());
    }

    /// <summary>What is still to be written down.</summary>
    public DeliveryResult Result(ConnectionVerdict verdict) => new([.. _replies.Select((reply, i) => _recorded[i] ? null : reply)], _hosts, _handovers, verdict);
}
