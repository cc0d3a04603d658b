using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Logging;
using Posthorn.Core;
using Posthorn.Net;
using Posthorn.Store;
using Posthorn.Transport.Accept;
using Posthorn.Transport.Queue;

namespace Posthorn.Transport.Remote;

/// <summary>What an attempt brought for each recipient of a delivery.</summary>
/// <param name="Replies">One for each recipient, in order.</param>
/// <param name="Hosts">Who said so; empty for ourselves.</param>
/// <param name="Verdict">What it taught about the destination.</param>
/// <param name="RelaysDsn">The server took over the duty to report success.</param>
internal sealed record DeliveryResult(IReadOnlyList<SmtpReply> Replies, IReadOnlyList<string> Hosts, ConnectionVerdict Verdict, bool RelaysDsn)
{
    /// <summary>The server took over the duty to tell whether the message was in time (RFC 2852).</summary>
    public bool RelaysBy { get; init; }

    /// <summary>The last words on recipients that were delivered are durable already.</summary>
    public bool IsRecorded { get; init; }
}

/// <summary>What the way out works with.</summary>
internal sealed record RemoteServices(MailRouter Router, ISmtpConnector Connector, ConnectionSet Connections, MailQueue Queue, TimeProvider Time, ILogger Log);

/// <summary>Takes deliveries of one destination to its servers, over one connection for as long as there are more.</summary>
internal sealed class RemoteDelivery(RemoteServices services, Func<TransportOptions> options) : IAsyncDisposable
{
    private SmtpClientSession? _session;

    /// <summary>True while a connection is open that can be used again.</summary>
    public bool IsOpen => _session is { IsUsable: true } session && session.Transactions < options().Outbound.MaxTransactions;

    /// <summary>Tries once.</summary>
    public async ValueTask<DeliveryResult> TryAsync(Delivery delivery, CancellationToken cancel)
    {
        QueueMessage message = delivery.Entry.Message;
        Attempt attempt = new(delivery, options().Queue.MaxRecipientsPerTransaction);
        await using IMessageContent? content = services.Queue.OpenContent(delivery.Entry);
        if (content is null)
        {
            services.Log.ContentMissing(message.Id);
            attempt.Fail(new(554, "5.3.0", "The message's content is lost"), "");
            return attempt.Result(new ConnectionVerdict.Nothing());
        }
        if (IsOpen) await SendAsync(attempt, content, cancel);
        if (attempt.IsDone) return attempt.Result(new ConnectionVerdict.Worked());
        await CloseAsync(cancel);

        DomainName domain = message.Recipients[delivery.Recipients[0]].Address.Domain;
        Route route = await services.Router.FindAsync(domain, message.From, cancel);
        if (route is Route.None { Reply: { IsPermanent: true } never })
        {
            attempt.Fail(never, "");
            return attempt.Result(new ConnectionVerdict.Nothing());
        }
        if (route is Route.None { Reply: var reason }) attempt.Fault(reason, "");
        else await TryHostsAsync(attempt, route, content, cancel);
        if (attempt.MayFallBack && options().Outbound.Fallback is { } fallback) await TryHostsAsync(attempt, new Route.Hosts([fallback.Name], fallback.Port, fallback), content, cancel);
        return attempt.End();
    }

    /// <summary>Says goodbye.</summary>
    public async ValueTask CloseAsync(CancellationToken cancel)
    {
        if (_session is not { } session) return;
        _session = null;
        try { await session.QuitAsync(cancel); }
        finally
        {
            services.Connections.Remove(session.Connection);
            await session.DisposeAsync();
        }
    }

    public ValueTask DisposeAsync() => CloseAsync(CancellationToken.None);

    private async ValueTask TryHostsAsync(Attempt attempt, Route route, IMessageContent content, CancellationToken cancel)
    {
        int left = options().Outbound.MaxAddresses;
        (IEnumerable<string> names, int port, NextHop hop) = route switch
        {
            Route.Hosts hosts => (hosts.Names, hosts.Port, hosts.Hop),
            Route.Place place => ([place.Host.Name], 0, place.Hop),
            _ => throw new System.Diagnostics.UnreachableException(),
        };
        foreach (string name in names)
        {
            MailHost host;
            if (route is Route.Place place) host = place.Host;
            else
            {
                (host, SmtpReply? fault) = await services.Router.LookUpAsync(name, port, cancel);
                if (fault is not null) attempt.Fault(fault, "");
            }
            foreach (EndPoint endPoint in host.EndPoints)
            {
                if (left-- == 0) return;
                await TryAddressAsync(attempt, host.Name, endPoint, hop, content, cancel);
                if (attempt.IsDone) return;
                await CloseAsync(cancel);
            }
        }
    }

    private async ValueTask TryAddressAsync(Attempt attempt, string host, EndPoint endPoint, NextHop hop, IMessageContent content, CancellationToken cancel)
    {
        OutboundTls tls = hop is NextHop.Lmtp ? OutboundTls.None : hop.Tls ?? options().Outbound.Tls;
        Opening opening = await OpenAsync(attempt, host, endPoint, hop, tls, cancel);
        if (opening.HandshakeFailed && tls == OutboundTls.May) opening = await OpenAsync(attempt, host, endPoint, hop, OutboundTls.None, cancel);
        if (opening.Fault is { } fault)
        {
            services.Log.RelayFailed(attempt.Delivery.Entry.Message.Id, Describe(host, endPoint), fault);
            attempt.Fault(fault, opening.FromRemote ? host : "");
            return;
        }
        attempt.Worked = true;
        services.Log.RelayConnected(attempt.Delivery.Entry.Message.Id, Describe(host, endPoint), _session?.Connection.Tls?.ToString() ?? "none");
        await SendAsync(attempt, content, cancel);
    }

    // Several transactions when there are more recipients than one takes, or when the server wants fewer at once (452).
    private async ValueTask SendAsync(Attempt attempt, IMessageContent content, CancellationToken cancel)
    {
        while (_session is { IsUsable: true } session && attempt.Next() is { Count: > 0 } batch)
        {
            QueueMessage message = attempt.Delivery.Entry.Message;
            EnvelopeRecipient[] recipients = [.. batch.Select(index => message.Recipients[attempt.Delivery.Recipients[index]])];
            ReversePath from = recipients[0].IsForwarded ? Rewritten(message.From) : message.From;
            OutgoingMail mail = new(message, from, recipients, content) { SecondsLeft = message.By?.SecondsLeft(services.Time.GetUtcNow()) };
            TransactionResult result = await new SmtpTransaction(session, mail, options().Outbound.EightBit).RunAsync(cancel);
            attempt.Take(batch, result, session.Host, session.Features);
            if (result.HostFault is null) continue;
            // A host that broke off says nothing good about the destination; one that put this message off does no harm.
            if (!session.IsUsable) attempt.Worked = false;
            return;
        }
    }

    // Our own users' mail is sent on under their own names: our server may speak for them.
    private ReversePath Rewritten(ReversePath from)
    {
        if (options().SenderRewriting is not { } rewriting || from.IsNull || services.Router.IsLocal(from.Address.Domain)) return from;
        return new SenderRewriting(rewriting).Forward(from, services.Time.GetUtcNow());
    }

    private sealed record Opening(SmtpReply? Fault, bool FromRemote, bool HandshakeFailed);

    private async ValueTask<Opening> OpenAsync(Attempt attempt, string host, EndPoint endPoint, NextHop hop, OutboundTls tls, CancellationToken cancel)
    {
        await CloseAsync(cancel);
        (ByteChannel? channel, SmtpReply? unreachable) = await ConnectAsync(host, endPoint, cancel);
        if (channel is null) return new(unreachable, false, false);
        Connection connection = new(channel, new($"out-{attempt.Delivery.Entry.Message.Id}"), services.Time);
        services.Connections.Add(connection);
        SmtpClientSession session = _session = new(connection, host, hop is NextHop.Lmtp, options().Outbound.Timeouts);
        bool verify = tls == OutboundTls.Verify;
        if (hop is NextHop.Host { ImplicitTls: true } && await session.HandshakeAsync(verify, cancel) is { } refused) return new(refused, false, false);

        SmtpReply greeting = await session.GreetingAsync(cancel);
        if (greeting.Code != 220) return new(greeting.IsPositive ? session.Broken("4.5.0", $"{host} greeted with {greeting.Code}") : greeting, session.IsUsable, false);
        SmtpReply hello = await session.HelloAsync(Helo, cancel);
        if (!hello.IsPositive) return new(hello, session.IsUsable, false);
        if (hop is NextHop.Mx && session.Features.Name.Equals(Helo, StringComparison.OrdinalIgnoreCase)) return new(MailRouter.LoopsBack, false, false);
        if (!connection.IsSecure && tls != OutboundTls.None && await StartTlsAsync(session, tls, cancel) is { } failure) return failure;
        if (hop is not NextHop.Host { Login: { } login }) return new(null, true, false);
        SmtpReply welcome = await session.LogInAsync(login, cancel);
        // A password that is wrong today may be mended tomorrow: the mail waits.
        return welcome.IsPositive ? new(null, true, false) : new(new(454, "4.7.8", $"Login at {host} failed: {welcome}"), false, false);
    }

    private async ValueTask<Opening?> StartTlsAsync(SmtpClientSession session, OutboundTls tls, CancellationToken cancel)
    {
        if (!session.Features.StartTls) return tls == OutboundTls.May ? null : new(new(450, "4.7.4", $"TLS is demanded, and {session.Host} does not offer it"), false, false);
        SmtpReply reply = await session.CommandAsync("STARTTLS", cancel);
        if (!reply.IsPositive)
        {
            if (!session.IsUsable) return new(reply, false, true);
            return tls == OutboundTls.May ? null : new(reply, true, false);
        }
        if (await session.HandshakeAsync(tls == OutboundTls.Verify, cancel) is { } failed) return new(failed, false, true);
        SmtpReply hello = await session.HelloAsync(Helo, cancel);
        return hello.IsPositive ? null : new(hello, session.IsUsable, !session.IsUsable);
    }

    private async ValueTask<(ByteChannel?, SmtpReply?)> ConnectAsync(string host, EndPoint endPoint, CancellationToken cancel)
    {
        OutboundOptions outbound = options().Outbound;
        IPAddress? bind = endPoint.AddressFamily switch
        {
            AddressFamily.InterNetwork => outbound.BindIPv4,
            AddressFamily.InterNetworkV6 => outbound.BindIPv6,
            _ => null,
        };
        using CancellationTokenSource timer = new(outbound.Timeouts.Connect, services.Time);
        using CancellationTokenSource both = CancellationTokenSource.CreateLinkedTokenSource(cancel, timer.Token);
        try { return (await services.Connector.ConnectAsync(endPoint, bind, both.Token), null); }
        catch (IOException e) { return (null, new(450, "4.4.1", $"{Describe(host, endPoint)} cannot be reached: {e.Message}")); }
        catch (OperationCanceledException) when (timer.IsCancellationRequested && !cancel.IsCancellationRequested) { return (null, new(450, "4.4.1", $"{Describe(host, endPoint)} cannot be reached: no answer in time")); }
    }

    private string Helo => options().Outbound.Helo ?? options().Hostname;

    private static string Describe(string host, EndPoint endPoint) => endPoint is IPEndPoint ip ? $"{host}[{ip.Address}]:{ip.Port}" : host;
}
