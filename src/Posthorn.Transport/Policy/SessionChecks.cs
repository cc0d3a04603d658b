using Microsoft.Extensions.Logging;
using Posthorn.Transport.Trace;

namespace Posthorn.Transport.Policy;

/// <summary>All checks of one session, asked one after the other at each stage; the first refusal counts.</summary>
public sealed class SessionChecks : IAsyncDisposable
{
    private readonly ISessionCheck[] _checks;
    private readonly bool[] _done;
    private readonly bool[] _doneWithSession;
    private bool _inTransaction;
    private int _asked;

    private SessionChecks(ISessionCheck[] checks, CheckContext context)
    {
        (_checks, Context) = (checks, context);
        _done = new bool[checks.Length];
        _doneWithSession = new bool[checks.Length];
    }

    public CheckContext Context { get; }

    /// <summary>The checks that have something to say on this session; null when there are none.</summary>
    internal static SessionChecks? Open(CheckSet set, ClientContext client, ILogger log, List<CheckRemark>? remarks = null, ITrace? trace = null)
    {
        if (set.Sources.Count == 0) return null;
        List<ISessionCheck> checks = new(set.Sources.Count);
        foreach (ICheckSource source in set.Sources)
            if (source.Open(client) is { } check) checks.Add(check);
        return checks.Count == 0 ? null : new([.. checks], new(client, set.Names, log, remarks) { Trace = trace ?? NoTrace.Instance });
    }

    public ValueTask<SmtpReply?> ConnectAsync(CancellationToken cancel) => AskAsync(_doneWithSession, check => check.ConnectAsync(Context, cancel));

    public ValueTask<SmtpReply?> HeloAsync(ClientContext client, CancellationToken cancel)
    {
        Context.Greet(client);
        return AskAsync(_doneWithSession, check => check.HeloAsync(Context, cancel));
    }

    /// <summary>The client was told that it may not call itself so: its last name stands, and what it was about.</summary>
    internal void TakeHeloBack() => Context.TakeBack();

    public ValueTask<SmtpReply?> SenderAsync(Envelope envelope, CancellationToken cancel)
    {
        Context.Begin(envelope);
        _inTransaction = true;
        _doneWithSession.CopyTo(_done.AsSpan());
        return AskAsync(_done, check => check.SenderAsync(Context, envelope, cancel));
    }

    /// <summary>Whether the checks take a recipient. Those that come after the one that refuses hear of it as a refused one; those before have heard of it already.</summary>
    public async ValueTask<SmtpReply?> RecipientAsync(Envelope envelope, EnvelopeRecipient recipient, CancellationToken cancel)
    {
        SmtpReply? refusal = await AskAsync(_done, check => check.RecipientAsync(Context, envelope, recipient, cancel));
        if (refusal is not null) await RecipientRefusedAsync(envelope, recipient, refusal, _asked, cancel);
        return refusal;
    }

    /// <summary>A recipient was refused before any check was asked.</summary>
    public ValueTask RecipientRefusedAsync(Envelope envelope, EnvelopeRecipient recipient, SmtpReply reply, CancellationToken cancel) => RecipientRefusedAsync(envelope, recipient, reply, 0, cancel);

    private async ValueTask RecipientRefusedAsync(Envelope envelope, EnvelopeRecipient recipient, SmtpReply reply, int from, CancellationToken cancel)
    {
        for (int i = from; i < _checks.Length; i++)
            if (!_done[i]) await _checks[i].RecipientRefusedAsync(Context, envelope, recipient, reply, cancel);
    }

    public ValueTask<SmtpReply?> DataAsync(Envelope envelope, CancellationToken cancel) => AskAsync(_done, check => check.DataAsync(Context, envelope, cancel));

    /// <summary>The last question of a transaction.</summary>
    public ValueTask<SmtpReply?> MessageAsync(MessageDraft draft, CancellationToken cancel)
    {
        _inTransaction = false;
        return AskAsync(_done, check => check.MessageAsync(Context, draft, cancel));
    }

    public ValueTask<SmtpReply?> UnknownAsync(ReadOnlyMemory<byte> line, CancellationToken cancel) => AskAsync(_doneWithSession, check => check.UnknownAsync(Context, line, cancel));

    /// <summary>A transaction has ended; checks that still wait for its message are told.</summary>
    public async ValueTask EndAsync(CancellationToken cancel)
    {
        if (_inTransaction)
        {
            _inTransaction = false;
            foreach (ISessionCheck check in _checks) await check.AbortAsync(Context, cancel);
        }
        Context.End();
    }

    public async ValueTask DisposeAsync()
    {
        foreach (ISessionCheck check in _checks) await check.DisposeAsync();
    }

    private async ValueTask<SmtpReply?> AskAsync(bool[] done, Func<ISessionCheck, ValueTask<Verdict>> ask)
    {
        for (int i = 0; i < _checks.Length; i++)
        {
            if (done[i]) continue;
            _asked = i + 1;
            switch (await ask(_checks[i]))
            {
                case Verdict.Refuse refuse: return refuse.Reply;
                case Verdict.Done: done[i] = true; break;
                default: break;
            }
        }
        return null;
    }
}

/// <summary>The checks of the configuration. A reload brings another set.</summary>
/// <param name="Sources">In the order in which they are asked.</param>
/// <param name="Names">Finds names of clients.</param>
public sealed record CheckSet(IReadOnlyList<ICheckSource> Sources, ClientNames Names)
{
    /// <summary>No checks at all.</summary>
    public static CheckSet None { get; } = new([], new(null));
}
