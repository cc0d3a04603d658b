using Microsoft.Extensions.Logging;
using Posthorn.Core;
using Posthorn.Transport.Trace;

namespace Posthorn.Transport.Policy;

/// <summary>What all checks of a session share: who speaks, and what has been ordered so far.</summary>
public sealed class CheckContext
{
    /// <summary>Remarks on a session that its messages' traces begin with; the rest is in the log.</summary>
    private const int MaxSessionRemarks = 20;

    private readonly ClientNames _names;
    private readonly List<CheckRemark>? _remarks;
    private readonly List<CheckRemark> _early = [];
    private ClientName? _name;
    private readonly CheckOrders _connect = new();
    private CheckOrders? _helo;
    private CheckOrders? _message;
    private QueueId? _messageId;
    private (CheckOrders? Helo, ClientContext Client, CheckOrders? Message, QueueId? MessageId) _before;

    /// <param name="client">Who connects.</param>
    /// <param name="names">Finds names of clients.</param>
    /// <param name="log">The log.</param>
    /// <param name="remarks">Where to gather what checks have to say, for a dry run; null for a real session.</param>
    internal CheckContext(ClientContext client, ClientNames names, ILogger log, List<CheckRemark>? remarks)
    {
        (Client, _names, Log, _remarks, _before) = (client, names, log, remarks, (null, client, null, null));
    }

    /// <summary>Who speaks, as known now.</summary>
    public ClientContext Client { get; internal set; }

    /// <summary>Nothing may be changed by asking: no counts, no greylisting.</summary>
    public bool IsDryRun => _remarks is not null;

    /// <summary>Where orders go: for the message within a transaction, else for all messages of the session, or after HELO for all until the next HELO.</summary>
    public CheckOrders Orders => _message ?? _helo ?? _connect;

    internal ILogger Log { get; }

    /// <summary>Where what is found is told for the message's trace.</summary>
    internal ITrace Trace { get; init; } = NoTrace.Instance;

    /// <summary>The client's name in the DNS; looked up when it is first asked for.</summary>
    public async ValueTask<ClientName> NameAsync(CancellationToken cancel) => _name ??= Client.Name ?? await _names.FindAsync(Client.Address, cancel);

    /// <summary>Says what a check has found or ordered, for the log and for <c>explain</c>.</summary>
    public void Remark(CheckRemark remark)
    {
        if (_remarks is not null)
        {
            _remarks.Add(remark);
            return;
        }
        Log.CheckRemarked(Client.Session, remark.Stage, remark.By, remark.Text);
        if (_messageId is { } id) Tell(id, remark);
        else if (_early.Count < MaxSessionRemarks) _early.Add(remark);
    }

    /// <summary>The client names itself, perhaps again: what was ordered and said for its last name is over.</summary>
    internal void Greet(ClientContext client)
    {
        _before = (_helo, Client, _message, _messageId);
        (_helo, Client, _message, _messageId) = (new(), client, null, null);
        _early.RemoveAll(remark => remark.Stage == CheckStage.Helo);
    }

    /// <summary>The new name was refused: all is as it was before, a transaction too (RFC 5321 section 4.1.4).</summary>
    internal void TakeBack() => (_helo, Client, _message, _messageId) = _before;

    /// <summary>A transaction begins.</summary>
    internal void Begin(Envelope envelope)
    {
        (_message, Client) = (new(), envelope.Client);
        _message.Include(_connect);
        if (_helo is not null) _message.Include(_helo);
        _messageId = envelope.Id;
        foreach (CheckRemark remark in _early) Tell(envelope.Id, remark);
    }

    /// <summary>It has ended.</summary>
    internal void End() => (_message, _messageId) = (null, null);

    /// <summary>What the client calls itself and is called, as far as is known.</summary>
    internal IReadOnlyList<string> Names => [.. new[] { Client.Helo, _name?.Verified, _name?.Reverse }.OfType<string>()];

    private void Tell(QueueId id, CheckRemark remark)
    {
        if (Trace.IsOn) Trace.Tell(new TraceEvent.Checked(id, remark.Stage.ToString().ToLowerInvariant(), remark.By, remark.Text) { Names = Names });
    }
}

/// <summary>Something that a check has said.</summary>
/// <param name="Stage">Where.</param>
/// <param name="By">Who: a rule with its file and line, the name of a filter.</param>
/// <param name="Text">What it found, or did.</param>
/// <param name="IsDecision">It decided something: refused, permitted, ordered.</param>
public sealed record CheckRemark(CheckStage Stage, string By, string Text, bool IsDecision);
