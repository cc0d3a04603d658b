using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Logging;
using Posthorn.Core;
using Posthorn.Directory.Lookups;
using Posthorn.Net;
using Posthorn.Store;
using Posthorn.Transport.Accept;
using Posthorn.Transport.Queue;
using Posthorn.Transport.Remote.Security;
using Posthorn.Transport.Rewriting;
using Posthorn.Transport.Trace;
using Posthorn.Trust.TlsReporting;

namespace Posthorn.Transport.Remote;

/// <summary>What an attempt brought for each recipient of a delivery.</summary>
/// <param name="Replies">One for each recipient, in order; null for whom there is nothing to write down: that is done already, or nobody was asked.</param>
/// <param name="Hosts">Who said so; empty for ourselves.</param>
/// <param name="Handovers">How each recipient that has a positive reply left our hands.</param>
/// <param name="Verdict">What it taught about the destination.</param>
internal sealed record DeliveryResult(IReadOnlyList<SmtpReply?> Replies, IReadOnlyList<string> Hosts, IReadOnlyList<Handover> Handovers, ConnectionVerdict Verdict)
{
    /// <summary>The last words on recipients that were delivered are durable already.</summary>
    public bool IsRecorded { get; init; }

    /// <summary>Nothing was tried.</summary>
    public static DeliveryResult Foregone(Delivery delivery, SmtpReply reply) =>
        new([.. delivery.Recipients.Select(_ => reply)], [.. delivery.Recipients.Select(_ => "")], [.. delivery.Recipients.Select(recipient => delivery.Entry.Message.Recipients[recipient].IsExpanded ? Handover.Expanded : Handover.Delivered)], new ConnectionVerdict.Nothing());
}

/// <summary>What the way out works with.</summary>
internal sealed record RemoteServices(MailRouter Router, ISmtpConnector Connector, ConnectionSet Connections, MailQueue Queue, IMailStores Stores, TimeProvider Time, ILogger Log)
{
    public required TlsPolicyFinder Policies { get; init; }

    /// <summary>Counts TLS sessions; null when nobody wants to know.</summary>
    public TlsTally? Tally { get; init; }

    public ITrace Trace { get; init; } = NoTrace.Instance;

    /// <summary>To which families of addresses there is no way from here.</summary>
    public UnreachableFamilies NoWay { get; } = new(Time);

    /// <summary>The tables that settings name; null where there are none.</summary>
    public LookupTables? Tables { get; init; }
}

/// <summary>Takes deliveries of one destination to its servers, over one connection for as long as there are more.</summary>
/// <param name="services">What it works with.</param>
/// <param name="options">How.</param>
/// <param name="stop">Nothing new begins, and what has not come to a message's content ends.</param>
/// <param name="abort">Everything ends.</param>
internal sealed class RemoteDelivery(RemoteServices services, Func<TransportOptions> options, CancellationToken stop, CancellationToken abort) : IAsyncDisposable
{
    private SmtpClientSession? _session;
    private Attempt? _attempt;

    /// <summary>True while a connection is open that can be used again.</summary>
    public bool IsOpen => _session is { IsUsable: true } session && !IsFull(session) && session.Transactions < options().Outbound.MaxTransactions;

    // RFC 9422 section 6: as many MAIL commands as the server wants in one session. Our own wish tears no delivery apart.
    private static bool IsFull(SmtpClientSession session) => session.Transactions >= Math.Max(1, session.Features.MaxMessages ?? int.MaxValue);

    /// <summary>An attempt ended in the middle: nothing more can be said over the connection. What servers have said until then counts.</summary>
    /// <param name="delivery">The delivery.</param>
    /// <param name="word">What is said of all others; null when nothing is to be said of them.</param>
    public DeliveryResult BreakOff(Delivery delivery, SmtpReply? word)
    {
        _session?.Broken("4.3.0", "The attempt broke off");
        Attempt attempt = _attempt is { } begun && ReferenceEquals(begun.Delivery, delivery) ? begun : new(delivery, 1);
        if (word is not null) attempt.Fail(word, "");
        return attempt.Result(new ConnectionVerdict.Nothing());
    }

    /// <summary>Tries once.</summary>
    /// <param name="delivery">The delivery.</param>
    /// <param name="record">Writes down who has the message already, while others are still being tried.</param>
    public async ValueTask<DeliveryResult> TryAsync(Delivery delivery, Func<DeliveryResult, ValueTask> record)
    {
        QueueMessage message = delivery.Entry.Message;
        Attempt attempt = _attempt = new(delivery, options().Queue.MaxRecipientsPerTransaction) { Record = record };
        await using IMessageContent? content = services.Queue.OpenContent(delivery.Entry);
        if (content is null)
        {
            services.Log.ContentMissing(message.Id);
            attempt.Fail(new(554, "5.3.0", "The message's content is lost"), "");
            return attempt.Result(new ConnectionVerdict.Nothing());
        }
        TlsWish wish = WishOf(message);
        if (IsOpen && _session!.Serves >= wish) await SendAsync(attempt, content, stop);
        if (attempt.IsDone) return attempt.Result(new ConnectionVerdict.Worked());

        Route route = await services.Router.FindAsync(message.Recipients[delivery.Recipients[0]].Address, message.From, stop);
        if (route is Route.None { Reply: { IsPermanent: true } never })
        {
            attempt.Fail(never, "");
            return attempt.Result(new ConnectionVerdict.Nothing());
        }
        if (route is Route.None none) attempt.Fault(none.Reply, "", isHeld: !none.MayFallBack);
        else await TryHostsAsync(attempt, route, content, stop);
        if (attempt.MayFallBack && options().Outbound.Fallback is { } fallback) await TryHostsAsync(attempt, new Route.Hosts([fallback.Name], fallback.Port, fallback) { IsSecure = true }, content, stop);
        abort.ThrowIfCancellationRequested(); // what was broken off by that is no word on the mail
        return attempt.End();
    }

    /// <summary>Keeps the connection for a moment, in case that there is more for its destination; null when nothing came.</summary>
    public async ValueTask<Delivery?> RestAsync(IdleConnections idle, string destination)
    {
        if (_session is not { } session) return null;
        session.Connection.Input.IsBusy = false; // no buffer for who says nothing
        // Beside all that work, a quarter as many may rest: those of other destinations are not worth more sockets.
        Delivery? next = await idle.WaitAsync(destination, options().Outbound.KeepIdle, Math.Max(1, options().Queue.MaxConnections / 4));
        session.Connection.Input.IsBusy = true;
        return next;
    }

    // Says goodbye.
    private async ValueTask CloseAsync(CancellationToken cancel)
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

    public ValueTask DisposeAsync() => CloseAsync(stop);

    // RFC 8689 section 5: a bounce is not lost for want of a server that promises TLS.
    private static TlsWish WishOf(QueueMessage message) => message.RequiresTls ? TlsWish.Required : message.IsTlsOptional ? TlsWish.Optional : TlsWish.Normal;

    private async ValueTask TryHostsAsync(Attempt attempt, Route route, IMessageContent content, CancellationToken cancel)
    {
        int left = options().Outbound.MaxAddresses, servers = options().Outbound.MaxServers - (attempt.HasPutOff ? 1 : 0);
        (IEnumerable<string> names, int port, NextHop hop, bool isSecure) = route switch
        {
            Route.Hosts hosts => (hosts.Names, hosts.Port, hosts.Hop, hosts.IsSecure),
            Route.Place place => ([place.Host.Name], 0, place.Hop, place.Hop is not NextHop.Mx),
            _ => throw new System.Diagnostics.UnreachableException(),
        };
        foreach (string name in names)
        {
            MailHost host;
            if (route is Route.Place place) host = place.Host;
            else
            {
                (host, SmtpReply? fault) = await services.Router.LookUpAsync(name, port, cancel);
                if (fault is not null) attempt.Fault(hop is NextHop.Mx ? MailRouter.OfMx(DomainOf(attempt), name, fault) : MailRouter.OfNamed(name, fault), "");
            }
            if (host.EndPoints.Count == 0 || left == 0) continue;
            if (await DemandAsync(attempt, new(DomainOf(attempt), host, port, hop, isSecure), cancel) is not { } demand) continue;
            foreach (EndPoint endPoint in host.EndPoints)
            {
                if (!attempt.HasFor(endPoint)) continue; // it was asked over the connection that was open
                // DNS may say something else by now than when the route was found.
                if (hop is NextHop.Mx && endPoint is IPEndPoint own && services.Router.IsOwn(own))
                {
                    attempt.Fault(MailRouter.LoopsBack, "");
                    continue;
                }
                if (services.NoWay.Contains(endPoint))
                {
                    attempt.Fault(UnreachableFamilies.Fault(Describe(host.Name, endPoint)), "");
                    continue;
                }
                if (left <= 0 || servers <= 0) return;
                Sending sending;
                do sending = await TryAddressAsync(attempt, host.Name, endPoint, hop, demand, content, cancel);
                while (sending == Sending.WantsNewSession);
                if (attempt.IsDone) return;
                if (sending == Sending.WasAsked) servers--;
                if (!services.NoWay.Contains(endPoint)) left--; // no packet went out
            }
        }
    }

    private static DomainName DomainOf(Attempt attempt) => attempt.Delivery.Entry.Message.Recipients[attempt.Delivery.Recipients[0]].Address.Domain;

    // What TLS must do for this host; null when the host is not to be used, which is noted.
    private async ValueTask<TlsDemand?> DemandAsync(Attempt attempt, TlsQuestion question, CancellationToken cancel)
    {
        QueueMessage message = attempt.Delivery.Entry.Message;
        (TlsDemand? demand, SmtpReply? fault) = await services.Policies.FindAsync(question, WishOf(message), cancel);
        if (message.RequiresTls && message.From.IsNull && (fault is not null || demand is { MustPromise: true })) (demand, fault) = await services.Policies.FindAsync(question, TlsWish.Normal, cancel);
        if (fault is null) return demand;
        if (demand is not null) Count(message, demand, question.Host.Name, null, demand.PolicyTrouble);
        services.Log.RelayFailed(message.Id, question.Host.Name, fault);
        services.Trace.Tell(new TraceEvent.Contacted(message.Id, question.Host.Name, null, fault));
        attempt.Fault(fault, "");
        return null;
    }

    /// <summary>Why no more is sent over a connection.</summary>
    private enum Sending
    {
        /// <summary>The server could not be reached, or is not to have this message.</summary>
        CannotBe,
        /// <summary>All were asked for, or the server wants this, or anything, later.</summary>
        WasAsked,
        /// <summary>Some still wait, and another session may have them: the server had as many messages as it wants in one, or cannot clear it.</summary>
        WantsNewSession,
    }

    private async ValueTask<Sending> TryAddressAsync(Attempt attempt, string host, EndPoint endPoint, NextHop hop, TlsDemand demand, IMessageContent content, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        QueueMessage message = attempt.Delivery.Entry.Message;
        Opening opening = await OpenAsync(attempt, host, endPoint, hop, demand, cancel);
        if (opening.TriedTls) Count(message, demand, host, _session?.Connection, opening.Trouble ?? demand.PolicyTrouble);
        if (opening.HandshakeFailed && demand.Level != OutboundTls.None && demand.AllowsClearText && hop is not NextHop.Host { ImplicitTls: true })
            opening = await OpenAsync(attempt, host, endPoint, hop, demand with { Level = OutboundTls.None }, cancel);
        if (opening.Fault is { } fault)
        {
            services.Log.RelayFailed(message.Id, Describe(host, endPoint), fault);
            services.Trace.Tell(new TraceEvent.Contacted(message.Id, Describe(host, endPoint), null, fault));
            attempt.Fault(fault, opening.FromRemote ? host : "");
            await CloseAsync(cancel); // what is not as it must be carries nothing else
            return Sending.CannotBe;
        }
        attempt.Worked = true;
        string secured = _session?.Connection.Tls is { } tls ? $"{(demand.IsVerified ? "verified " : "")}{tls}" : "none";
        services.Log.RelayConnected(message.Id, Describe(host, endPoint), secured);
        services.Trace.Tell(new TraceEvent.Contacted(message.Id, Describe(host, endPoint), secured, null));
        return await SendAsync(attempt, content, cancel);
    }

    // Reports themselves are not reported on (RFC 8460 section 5.3), nor mail that asked for no policy.
    private void Count(QueueMessage message, TlsDemand demand, string host, Connection? connection, TlsTrouble? trouble)
    {
        if (services.Tally is not { } tally || demand.Policy is not { } policy || message.IsTlsOptional) return;
        tally.Count(new(policy, trouble, Address(connection?.LocalEndPoint), host, Address(connection?.RemoteEndPoint)));
    }

    private static string Address(EndPoint? endPoint) => endPoint is IPEndPoint ip ? (ip.Address.IsIPv4MappedToIPv6 ? ip.Address.MapToIPv4() : ip.Address).ToString() : "";

    // Several transactions when there are more recipients than one takes, or when the server wants fewer at once (452).
    private async ValueTask<Sending> SendAsync(Attempt attempt, IMessageContent content, CancellationToken cancel)
    {
        AddressRewriter? rewriter = services.Tables is { } tables && options().Rewriting.Generic.Count > 0 && _session is { IsLmtp: false } ? new(options().Rewriting, tables, services.Router.Directory) : null;
        if (rewriter is not null) content = await GenericContent.MakeAsync(content, rewriter, options().MaxHeaderSize, cancel);
        while (_session is { IsUsable: true } session && !IsFull(session) && attempt.Next(session.Features, session.Place) is { Count: > 0 } batch)
        {
            cancel.ThrowIfCancellationRequested();
            QueueMessage message = attempt.Delivery.Entry.Message;
            EnvelopeRecipient[] recipients = [.. batch.Select(index => message.Recipients[attempt.Delivery.Recipients[index]])];
            ReversePath from = recipients[0].IsForwarded ? Rewritten(message.From) : message.From;
            if (rewriter is not null)
            {
                if (!from.IsNull) from = ReversePath.Of(await rewriter.GenericAsync(from.Address, cancel));
                for (int i = 0; i < recipients.Length; i++) recipients[i] = recipients[i] with { Address = await rewriter.GenericAsync(recipients[i].Address, cancel) };
            }
            if (rewriter?.Failure is { } why)
            {
                // Better late than with addresses that nobody outside should see.
                services.Log.TableUnavailable(message.Id, why);
                attempt.Take(batch, TransactionResult.All(recipients.Length, Replies.TableUnavailable, false), session);
                continue;
            }
            OutgoingMail mail = new(message, from, recipients, content) { SecondsLeft = message.By?.SecondsLeft(services.Time.GetUtcNow()) };
            TransactionResult result = await new SmtpTransaction(session, mail, options().Outbound.EightBit, services.Stores, abort).RunAsync(cancel);
            if (result.WantsNewSession) return Sending.WantsNewSession; // there it has nothing to clear: each session gets somewhere
            attempt.Take(batch, result, session);
            // Whatever becomes of the others, those who have it do not get it again. The last transaction's words are written with the attempt's.
            if (attempt.TakeDelivered() is { } delivered) await attempt.Record(delivered);
            if (result.HostFault is null) continue;
            // A host that broke off says nothing good about the destination; one that put this message off does no harm.
            if (!session.IsUsable && !result.IsOfContent) attempt.Worked = false;
            return result.HostFault.IsTransient ? Sending.WasAsked : Sending.CannotBe;
        }
        // Only where nothing but that ended it is a further session worth more than this one.
        return _session is { IsUsable: true } last && IsFull(last) && attempt.HasFor(last.Place) ? Sending.WantsNewSession : Sending.WasAsked;
    }

    // Our own users' mail is sent on under their own names: our server may speak for them.
    private ReversePath Rewritten(ReversePath from)
    {
        if (options().SenderRewriting is not { } rewriting || from.IsNull || services.Router.IsLocal(from.Address.Domain)) return from;
        return new SenderRewriting(rewriting).Forward(from, services.Time.GetUtcNow());
    }

    /// <param name="Fault">Why mail cannot go this way; null when it can.</param>
    /// <param name="FromRemote">The fault is in the server's own words.</param>
    private sealed record Opening(SmtpReply? Fault, bool FromRemote)
    {
        public bool HandshakeFailed { get; init; }

        /// <summary>TLS was spoken of: the session counts for reports.</summary>
        public bool TriedTls { get; init; }

        /// <summary>What was wrong with TLS, whether or not that ended it.</summary>
        public TlsTrouble? Trouble { get; init; }
    }

    private async ValueTask<Opening> OpenAsync(Attempt attempt, string host, EndPoint endPoint, NextHop hop, TlsDemand demand, CancellationToken cancel)
    {
        await CloseAsync(cancel);
        (ByteChannel? channel, SmtpReply? unreachable) = await ConnectAsync(host, endPoint, cancel);
        if (channel is null) return new(unreachable, false);
        Connection connection = new(channel, new($"out-{attempt.Delivery.Entry.Message.Id}"), services.Time);
        services.Connections.Add(connection);
        connection.Input.IsBusy = true; // each answer follows soon
        SmtpClientSession session = _session = new(connection, host, hop is NextHop.Lmtp, options().Outbound.Timeouts) { Place = endPoint, Serves = demand.MustPromise ? TlsWish.Required : attempt.Delivery.Entry.Message.IsTlsOptional ? TlsWish.Optional : TlsWish.Normal };
        Opening secured = new(null, true);
        if (hop is NextHop.Host { ImplicitTls: true }) secured = await HandshakeAsync(session, demand, cancel);
        if (secured.Fault is not null) return secured;

        SmtpReply greeting = await session.GreetingAsync(cancel);
        if (greeting.IsPositive && greeting.Code != 220) greeting = session.Broken("4.5.0", $"{host} greeted with {greeting.Code}");
        if (greeting.Code != 220) return new(greeting, !session.IsOurs(greeting));
        SmtpReply hello = await session.HelloAsync(Helo, cancel);
        if (!hello.IsPositive) return new(hello, !session.IsOurs(hello));
        if (hop is NextHop.Mx && IsOurName(session.Features.Name)) return new(MailRouter.LoopsBack, false);
        if (!connection.IsSecure && demand.Level != OutboundTls.None) secured = await StartTlsAsync(session, demand, cancel);
        if (secured.Fault is not null) return secured;
        if (demand.MustPromise && !session.Features.RequireTls) return secured with { Fault = new(550, "5.7.30", $"REQUIRETLS support required: {host} does not offer it"), FromRemote = false };
        if (hop is not NextHop.Host { Login: { } login }) return secured;
        SmtpReply welcome = await session.LogInAsync(login, isProven: demand.IsVerified || TlsPolicyFinder.IsHere(endPoint), cancel);
        // A password that is wrong today may be mended tomorrow: the mail waits.
        return welcome.IsPositive ? secured : new(new(454, "4.7.8", $"Login at {host} failed: {welcome}"), false);
    }

    private async ValueTask<Opening> StartTlsAsync(SmtpClientSession session, TlsDemand demand, CancellationToken cancel)
    {
        TlsTrouble missing = new(TlsResult.StartTlsNotSupported, "");
        if (!session.Features.StartTls) return new(demand.AllowsClearText ? null : Unmet(demand, "4.7.4", $"TLS is demanded, and {session.Host} does not offer it"), false) { TriedTls = true, Trouble = missing };
        SmtpReply reply = await session.CommandAsync("STARTTLS", cancel);
        if (!reply.IsPositive)
        {
            bool lost = !session.IsUsable;
            // Where clear text is not allowed the mail waits, whatever the server, or who sits before it, makes of STARTTLS (RFC 8461 section 5, RFC 7672 section 2.2).
            SmtpReply? fault = lost ? reply : demand.AllowsClearText ? null : Unmet(demand, "4.7.4", $"TLS is demanded, and {session.Host} answered STARTTLS with: {reply}");
            return new(fault, lost && !session.IsOurs(reply)) { HandshakeFailed = lost, TriedTls = true, Trouble = missing with { Reason = reply.ToString() } };
        }
        Opening secured = await HandshakeAsync(session, demand, cancel);
        if (secured.Fault is not null) return secured;
        SmtpReply hello = await session.HelloAsync(Helo, cancel);
        return hello.IsPositive ? secured : new(hello, !session.IsOurs(hello)) { HandshakeFailed = !session.IsUsable, TriedTls = true, Trouble = new(TlsResult.ValidationFailure, hello.ToString()) };
    }

    private async ValueTask<Opening> HandshakeAsync(SmtpClientSession session, TlsDemand demand, CancellationToken cancel)
    {
        CertificateJudge judge = new(demand, options().Outbound.Authorities, services.Time);
        SmtpReply? failed = await session.HandshakeAsync(judge, cancel);
        TlsTrouble? trouble = judge.Fault is { } fault ? new(TlsResult.Of(fault.Kind), fault.Text) : failed is not null ? new(TlsResult.ValidationFailure, failed.Text) : null;
        return new(failed is null ? null : Unmet(demand, failed.Status, failed.Text), false) { HandshakeFailed = failed is not null, TriedTls = true, Trouble = trouble };
    }

    // RFC 8689 section 4.2.1: where the message demands TLS and cannot have it, it comes back; else it waits for better times.
    private static SmtpReply Unmet(TlsDemand demand, string status, string text) => demand.MustPromise ? new(550, "5.7.10", text) : new(450, status, text);

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
        catch (IOException e)
        {
            services.NoWay.Learn(endPoint, e);
            return (null, new(450, "4.4.1", $"{Describe(host, endPoint)} cannot be reached: {e.Message}"));
        }
        catch (OperationCanceledException) when (timer.IsCancellationRequested && !cancel.IsCancellationRequested) { return (null, new(450, "4.4.1", $"{Describe(host, endPoint)} cannot be reached: no answer in time")); }
    }

    // Our own server greets with the host's name, whatever name we give elsewhere.
    private bool IsOurName(string name) => name.Equals(Helo, StringComparison.OrdinalIgnoreCase) || name.Equals(options().Hostname, StringComparison.OrdinalIgnoreCase);

    private string Helo => options().Outbound.Helo ?? options().Hostname;

    private static string Describe(string host, EndPoint endPoint) => endPoint is IPEndPoint ip ? $"{host}[{ip.Address}]:{ip.Port}" : host;
}
