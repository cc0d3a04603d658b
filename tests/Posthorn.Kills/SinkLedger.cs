namespace Posthorn.Kills;

/// <summary>Mail for another server: what ours acknowledged must come there, and come again only if the answer was on its way when ours was killed.</summary>
/// <remarks>Locking: one lock; nothing is awaited under it.</remarks>
internal sealed class SinkLedger(Ledger ledger, TimeProvider time) : IAsyncDisposable
{
    /// <summary>An answer may take this long to become a record of the journal: longer than any flush on a busy machine.</summary>
    private static readonly TimeSpan Moment = TimeSpan.FromSeconds(2);

    private readonly Lock _lock = new();
    private readonly Dictionary<(long Id, string Recipient), Fate> _fates = [];
    private readonly List<(long At, int Connections)> _kills = [];
    private ScriptedPeer? _peer;
    private DnsServer? _dns;

    private sealed class Fate
    {
        public bool Acknowledged;
        public bool Withdrawn;
        public int Times;
        public int Generation;
        public long At;
    }

    /// <summary>Deliveries that came again since the answer was lost in a kill.</summary>
    public int Again { get; private set; }

    public int Taken { get; private set; }

    /// <summary>Starts the other server and the DNS that names it.</summary>
    public (int DnsPort, int Port) Start()
    {
        _peer = new() { Taken = Took };
        _dns = new();
        _dns.Mx("sink.example", 10, "mx.sink.example").Mx("other.example", 10, "mx.sink.example").Address("mx.sink.example", "127.0.0.1");
        return (_dns.EndPoint.Port, _peer.Listen().Port);
    }

    public void Expect(long id, string[] recipients)
    {
        lock (_lock) foreach (string recipient in recipients) _fates.Add((id, recipient), new());
    }

    public void Acknowledge(long id, string[] recipients)
    {
        lock (_lock) foreach (string recipient in recipients) _fates[(id, recipient)].Acknowledged = true;
    }

    public void Withdraw(long id, string[] recipients)
    {
        lock (_lock) foreach (string recipient in recipients) _fates[(id, recipient)].Withdrawn = true;
    }

    /// <summary>The server was ended just now.</summary>
    public void Killed()
    {
        lock (_lock) _kills.Add((time.GetTimestamp(), _peer!.ConnectionCount));
    }

    public int Missing
    {
        get { lock (_lock) return _fates.Values.Count(f => f.Acknowledged && f.Times == 0); }
    }

    /// <summary>Whatever was acknowledged should be here by now.</summary>
    public void Settle()
    {
        lock (_lock)
            foreach (((long id, string recipient), Fate fate) in _fates)
                if (fate.Acknowledged && fate.Times == 0) ledger.SayLost($"{recipient}: number {id} was acknowledged and never sent on");
    }

    private void Took(PeerMessage message)
    {
        bool marked = Letter.TryRead(message.Content, out long id, out Int128 hash);
        lock (_lock)
        {
            Taken++;
            // What the killed server had sent may be read after it is dead.
            int generation = _kills.Count(kill => kill.Connections < message.Connection);
            if (!marked || !ledger.IsWhole(id, hash))
            {
                ledger.SayLie($"number {id} came damaged to the other server ({message.Content.Length} octets)");
                return;
            }
            foreach (string to in message.To)
            {
                string recipient = to[1..to.IndexOf('>', StringComparison.Ordinal)];
                if (!_fates.TryGetValue((id, recipient), out Fate? fate))
                {
                    ledger.SayLie($"number {id} came to {recipient}, to whom nobody sent it");
                    continue;
                }
                if (fate.Withdrawn) ledger.SayTwice($"{recipient}: number {id} came although it was refused or never wholly sent");
                if (fate.Times > 0 && IsExcused(fate)) Again++;
                else if (fate.Times > 0) ledger.SayTwice($"{recipient}: number {id} was taken before and came again");
                (fate.Times, fate.Generation, fate.At) = (fate.Times + 1, generation, time.GetTimestamp());
            }
        }
    }

    // The server that had the answer was killed within the moment.
    private bool IsExcused(Fate fate) =>
        fate.Generation < _kills.Count && time.GetElapsedTime(fate.At, _kills[fate.Generation].At) < Moment;

    public async ValueTask DisposeAsync()
    {
        if (_peer is not null) await _peer.DisposeAsync();
        if (_dns is not null) await _dns.DisposeAsync();
    }
}
