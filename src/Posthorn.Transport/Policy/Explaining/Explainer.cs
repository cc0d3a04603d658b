using Posthorn.Core;
using Posthorn.Directory;
using Posthorn.Store;
using Posthorn.Transport.Accept;
using Posthorn.Transport.Filtering;
using Posthorn.Transport.Remote;

namespace Posthorn.Transport.Policy.Explaining;

/// <summary>Says what would happen to a message, and who would decide it. Asks the same <see cref="SessionPolicy"/>, transport and router as a session does; sends nothing, counts nothing, and asks no other server but the DNS.</summary>
/// <param name="live">The transport as it is now.</param>
/// <param name="dns">The DNS.</param>
/// <param name="filterOf">The scripts that run for an account.</param>
public sealed class Explainer(MailTransport live, IMailDns dns, Func<MailAccount, CancellationToken, ValueTask<ScriptChain>> filterOf)
{
    public async ValueTask<Explanation> RunAsync(ImaginedSession session, CancellationToken cancel)
    {
        MailTransport transport = live.Quietly();
        ClientContext client = ClientOf(session);
        ClientNames names = new(dns);
        Run run = new(session, [], names);
        SessionChecks? checks = SessionChecks.Open(live.Checks with { Names = names }, client with { Helo = "", Account = null, Tls = null }, transport.Services.Log, run.Remarks);
        await using SessionPolicy policy = new(transport, checks, session.Delays);
        Explanation told = await GoAsync(run, policy, checks, transport, client, cancel);
        await policy.EndAsync(cancel);
        return told with { ClientName = checks is null ? await names.FindAsync(session.Address, cancel) : await checks.Context.NameAsync(cancel) };
    }

    // What has been found out so far.
    private sealed record Run(ImaginedSession Session, List<CheckRemark> Remarks, ClientNames Names)
    {
        public List<ExplainedStage> Stages { get; } = [];
        public List<ExplainedRecipient> Recipients { get; } = [];

        public Explanation End() => new(Stages, Recipients, ClientName.Unknown);

        /// <summary>Writes a stage down, with what was said since the last one.</summary>
        public void Add(CheckStage stage, EmailAddress? recipient, SmtpReply? reply, SmtpReply? refusal)
        {
            CheckRemark[] said = [.. Remarks];
            Remarks.Clear();
            string? by = said.LastOrDefault(remark => remark.IsDecision)?.By;
            Stages.Add(new(stage, recipient, reply, refusal, refusal is not null && by is null ? "server" : by, said));
        }
    }

    private async ValueTask<Explanation> GoAsync(Run run, SessionPolicy policy, SessionChecks? checks, MailTransport transport, ClientContext client, CancellationToken cancel)
    {
        SmtpReply? before = null;
        SmtpReply? reply = await policy.ConnectAsync(cancel);
        run.Add(CheckStage.Connect, null, reply, reply ?? New());
        if (reply is not null) return run.End();
        reply = await policy.HeloAsync(client with { Account = null }, cancel);
        run.Add(CheckStage.Helo, null, reply, reply ?? New());
        if (reply is not null) return run.End();

        Envelope envelope = new() { Id = transport.NewQueueId(), Client = client, From = run.Session.From, DeclaredSize = run.Session.Size };
        reply = await policy.SenderAsync(envelope, cancel);
        run.Add(CheckStage.Sender, null, reply, reply.IsPositive ? New() : reply);
        if (!reply.IsPositive) return run.End();
        foreach (EmailAddress address in run.Session.Recipients)
        {
            EnvelopeRecipient recipient = new(address, DsnNotify.Unspecified, null);
            bool kept = policy.Pending is not null;
            reply = await policy.RecipientAsync(envelope, recipient, cancel);
            run.Recipients.Add(new(address, reply));
            run.Add(CheckStage.Recipient, address, reply, reply.IsPositive || kept ? null : reply);
            if (reply.IsPositive) envelope.Recipients.Add(recipient);
            if (reply.Code == 421) return run.End(); // the session is over, and what was taken before goes with it
        }
        if (envelope.Recipients.Count == 0) return run.End();

        reply = await policy.DataAsync(envelope, cancel);
        run.Add(CheckStage.Data, null, reply, reply);
        if (reply is not null) return run.End();
        if (checks is not null)
        {
            await using IMessageSink nothing = transport.Services.Stores.CreateSink();
            await using MessageDraft draft = new(envelope, nothing, 0, transport.Options.MaxHeaderSize, transport.Services.Stores);
            reply = await checks.MessageAsync(draft, cancel);
            run.Add(CheckStage.Message, null, reply, reply);
            if (reply is not null) return run.End();
        }
        return await OutcomeAsync(run, envelope, checks?.Context.Orders, transport, cancel);

        // What has been kept back at this stage, to be told at RCPT.
        SmtpReply? New()
        {
            SmtpReply? now = policy.Pending, kept = now == before ? null : now;
            before = now;
            return kept;
        }
    }

    private async ValueTask<Explanation> OutcomeAsync(Run run, Envelope envelope, CheckOrders? orders, MailTransport transport, CancellationToken cancel)
    {
        Explanation told = run.End() with { IsAccepted = true, HoldReason = orders?.HoldReason, DiscardReason = orders?.DiscardReason, RedirectTo = orders?.RedirectTo, Prepended = orders?.Prepended ?? [] };
        if (told.DiscardReason is not null) return told;
        EnvelopeRecipient[] given = told.RedirectTo is { } to ? [new(to, DsnNotify.Unspecified, null)] : [.. envelope.Recipients];
        (ReversePath from, IReadOnlyList<EnvelopeRecipient> recipients) = (envelope.From, given);
        if (transport.Rewriter is { } rewriter)
        {
            (from, recipients) = await rewriter.EnvelopeAsync(from, given, cancel);
            if (rewriter.Failure is not null)
            {
                run.Add(CheckStage.Message, null, Replies.TableUnavailable, Replies.TableUnavailable);
                return run.End();
            }
            if (from != envelope.From) told = told with { RewrittenFrom = from };
        }
        List<ExplainedTarget> targets = [];
        for (int i = 0; i < recipients.Count; i++)
        {
            int before = targets.Count;
            await FollowAsync(recipients[i].Address, from, transport, targets, cancel);
            // What a table made of an address is told under the address that was asked about; behind those are copies.
            for (int k = before; k < targets.Count; k++) targets[k] = targets[k] with { Recipient = i < given.Length ? given[i].Address : recipients[i].Address, IsCopy = i >= given.Length };
        }
        return told with { Targets = targets };
    }

    private async ValueTask FollowAsync(EmailAddress recipient, ReversePath from, MailTransport transport, List<ExplainedTarget> targets, CancellationToken cancel)
    {
        LocalDomains domains = new(transport.Services.Directory, transport.Options, transport.Services.Time.GetUtcNow());
        EmailAddress normal = LocalDomains.Normalise(recipient, transport.Services.Directory, transport.Options);
        switch (domains.Resolve(recipient))
        {
            case Resolution.Recipients found:
                foreach (Target target in found.Targets)
                {
                    if (target is Target.Remote remote) targets.Add(await RouteAsync(recipient, remote.Address, from, transport, cancel));
                    else if (target is Target.Local { FinalAddress: var behind } && transport.Options.Outbound.Behind.ContainsKey(behind.Domain)) targets.Add(await RouteAsync(recipient, behind, from, transport, cancel));
                    else if (target is Target.Local local)
                    {
                        ScriptChain filter = await filterOf(local.Account, cancel);
                        targets.Add(new(recipient, local.FinalAddress) { Account = local.Account, Mailbox = transport.Options.DetailToFolder && local.Detail is { } detail ? detail : "INBOX", HasFilter = filter.Scripts.Count > 0, IsFilterUnusable = filter.IsOwnUnusable });
                    }
                }
                break;
            case Resolution.NotOurs: targets.Add(await RouteAsync(recipient, normal, from, transport, cancel)); break;
            case Resolution.Unknown: targets.Add(new(recipient, normal) { Fault = Replies.Unknown }); break;
            case Resolution.Loop: targets.Add(new(recipient, normal) { Fault = Replies.AliasLoop }); break;
            case Resolution.TooMany: targets.Add(new(recipient, normal) { Fault = Replies.TooManyTargets }); break;
            default: targets.Add(new(recipient, normal) { Fault = Replies.MailboxUnavailable }); break;
        }
    }

    private async ValueTask<ExplainedTarget> RouteAsync(EmailAddress recipient, EmailAddress address, ReversePath from, MailTransport transport, CancellationToken cancel)
    {
        Route route = await new MailRouter(dns, transport.Services.Directory, () => transport.Options, transport.Services.Tables).FindAsync(address, from, cancel);
        return new(recipient, address)
        {
            Route = route switch
            {
                Route.Hosts { Hop: NextHop.Host host } => $"host {host.Name}, port {host.Port}",
                Route.Hosts hosts => $"by MX: {string.Join(", ", hosts.Names)}, port {hosts.Port}",
                Route.Place { Hop: NextHop.Lmtp } place => $"LMTP to {place.Host.Name}",
                Route.Place place => $"to {place.Host.Name}",
                Route.Local => "an account of ours",
                _ => "nowhere",
            },
            Fault = (route as Route.None)?.Reply,
        };
    }

    private static ClientContext ClientOf(ImaginedSession session) => new()
    {
        Session = new("explain"),
        Role = session.Role,
        Listener = session.Listener,
        Address = session.Address,
        Helo = session.Helo,
        IsExtended = true,
        Tls = session.Tls,
        Account = session.Account,
        Mechanism = session.Account is null ? null : "PLAIN",
        IsTrusted = session.IsTrusted,
    };
}
