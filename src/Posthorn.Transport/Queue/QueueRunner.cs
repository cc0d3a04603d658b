using Microsoft.Extensions.Logging;
using Posthorn.Net;
using Posthorn.Transport.Remote;
using Posthorn.Transport.Remote.Security;

namespace Posthorn.Transport.Queue;

/// <summary>Works the queue off: starts a delivery whenever the schedule has one, and waits for the next.</summary>
public sealed class QueueRunner : IAsyncDisposable
{
    /// <summary>The longest sleep; the clock may have been set.</summary>
    private static readonly TimeSpan MaxSleep = TimeSpan.FromMinutes(10);

    private readonly MailTransport _transport;
    private readonly MailQueue _queue;
    private readonly RemoteServices _remote;
    private readonly Settlement _settlement;
    private readonly LocalAttempt _local;
    private readonly IdleConnections _idle;
    private readonly TimeProvider _time;
    private readonly ILogger _log;
    private readonly CancellationTokenSource _stop = new();
    private readonly CancellationTokenSource _abort = new();
    private readonly HashSet<Task> _running = [];
    private readonly Lock _gate = new();
    private Task _loop = Task.CompletedTask;

    /// <param name="transport">The transport whose queue it works off.</param>
    /// <param name="dns">The DNS.</param>
    /// <param name="connector">Opens connections.</param>
    /// <param name="sts">Policies of MTA-STS; null for none.</param>
    /// <param name="tally">Counts TLS sessions; null for none.</param>
    public QueueRunner(MailTransport transport, IMailDns dns, ISmtpConnector connector, StsPolicies? sts, TlsTally? tally)
    {
        _transport = transport;
        TransportServices services = transport.Services;
        (_queue, _time, _log) = (services.Queue, services.Time, services.Log);
        MailRouter router = new(dns, services.Directory, () => transport.Options, services.Tables);
        _queue.DestinationOf = router.DestinationOf;
        (Connections, _idle) = (new(_time), new(_time));
        _remote = new(router, connector, Connections, _queue, services.Stores, _time, _log) { Policies = new(dns, sts, () => transport.Options), Tally = tally, Trace = services.Trace, Tables = services.Tables };
        _settlement = new(services, transport.Reporter, () => transport.Options);
        _local = new(services, transport);
    }

    /// <summary>The connections to other servers.</summary>
    internal ConnectionSet Connections { get; }

    /// <summary>Those of them that have nothing to do.</summary>
    internal IdleConnections Idle => _idle;

    public void Start() => _loop = LoopAsync();

    /// <summary>Begins nothing more. What has not come to a message's content ends at once; what has gets <paramref name="grace"/> for its answer, since a message of which the answer is not heard goes out twice. What is broken off counts as not tried: it is due at the next start.</summary>
    /// <param name="grace">How long it waits at most.</param>
    /// <param name="hurry">Ends the wait.</param>
    public async Task StopAsync(TimeSpan grace, CancellationToken hurry)
    {
        if (_stop.IsCancellationRequested) return;
        await _stop.CancelAsync();
        await _loop;
        _idle.Close();
        Task[] running;
        lock (_gate) running = [.. _running];
        if (_queue.Read((_, schedule) => schedule.Running) is > 0 and int underWay && grace > TimeSpan.Zero) _log.QueueStopping(underWay, grace);
        Task all = Task.WhenAll(running);
        try { await all.WaitAsync(grace, _time, hurry); }
        catch (Exception e) when (e is TimeoutException or OperationCanceledException)
        {
            await _abort.CancelAsync();
            await Connections.StopAllAsync(TimeSpan.Zero);
            await all;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync(TimeSpan.Zero, CancellationToken.None);
        await Connections.DisposeAsync();
        _stop.Dispose();
        _abort.Dispose();
    }

    private async Task LoopAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            Task news = _queue.News;
            DateTimeOffset now = _time.GetUtcNow();
            while (_queue.TryTake(now) is { } delivery)
                if (!_idle.TryHand(delivery)) Track(RunAsync(delivery));
            TimeSpan sleep = _queue.NextDue is { } due ? due - now : MaxSleep;
            if (sleep <= TimeSpan.Zero) sleep = TimeSpan.FromMilliseconds(1); // due, but no connection is free: the next end wakes us
            try { await news.WaitAsync(sleep < MaxSleep ? sleep : MaxSleep, _time, _stop.Token); }
            catch (TimeoutException) { /* something is due */ }
            catch (OperationCanceledException) { return; }
        }
    }

    private void Track(Task task)
    {
        if (task.IsCompleted) return;
        lock (_gate) _running.Add(task);
        _ = ForgetAsync(task);
    }

    private async Task ForgetAsync(Task task)
    {
        await task;
        lock (_gate) _running.Remove(task);
    }

    // One connection's life: a delivery, and after it whatever else waits for the same destination or comes within a moment.
    private async Task RunAsync(Delivery first)
    {
        await Task.Yield(); // the loop goes on at once
        RemoteDelivery remote = new(_remote, () => _transport.Options, _stop.Token, _abort.Token);
        Delivery? delivery = first;
        while (delivery is not null)
        {
            Delivery last = delivery;
            if (await AttemptAsync(last, remote) is not { } verdict) break; // the end came before anything was known: it stays due as it was
            delivery = _queue.End(last, verdict, _time.GetUtcNow(), more: remote.IsOpen && !_stop.IsCancellationRequested);
            if (delivery is null && remote.IsOpen) delivery = await remote.RestAsync(_idle, last.Destination.Key);
        }
        try { await remote.DisposeAsync(); }
#pragma warning disable CA1031 // The queue worker: how a connection ends is no reason to end the queue.
        catch (Exception e)
#pragma warning restore CA1031
        {
            _log.AttemptFailed(e, first.Entry.Message.Id);
        }
    }

    // What became of the recipients, written down; what a server has said is so even while everything stops. Null when that broke it off.
    private async Task<ConnectionVerdict?> AttemptAsync(Delivery delivery, RemoteDelivery remote)
    {
        DeliveryResult result;
        bool brokenOff = false;
        try
        {
            result = delivery switch
            {
                { Foregone: { } reply } => DeliveryResult.Foregone(delivery, reply),
                { Destination.Key: MailRouter.LocalKey } => await _local.TryAsync(delivery, CancellationToken.None),
                _ => await remote.TryAsync(delivery, some => SettleAsync(delivery, some)),
            };
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            brokenOff = true;
            result = remote.BreakOff(delivery, null);
        }
#pragma warning disable CA1031 // The queue worker: one message's trouble must not end the queue. It is tried again, and its sender hears of it in time, as of any other trouble.
        catch (Exception e)
#pragma warning restore CA1031
        {
            _log.AttemptFailed(e, delivery.Entry.Message.Id);
            result = remote.BreakOff(delivery, new(451, "4.3.0", $"The attempt broke off on this server: {e.Message}"));
        }
        await SettleAsync(delivery, result);
        return brokenOff ? null : result.Verdict;
    }

    private async ValueTask SettleAsync(Delivery delivery, DeliveryResult result)
    {
        try { await _settlement.SettleAsync(delivery, result, CancellationToken.None); }
#pragma warning disable CA1031 // The queue worker, as above.
        catch (Exception e)
#pragma warning restore CA1031
        {
            _log.AttemptFailed(e, delivery.Entry.Message.Id);
        }
    }
}
