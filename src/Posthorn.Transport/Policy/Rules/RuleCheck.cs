using Posthorn.Transport.Remote;

namespace Posthorn.Transport.Policy.Rules;

/// <summary>The rules of the configuration. At each stage those of the stage are asked in the order of the file.</summary>
public sealed class RuleSet(IReadOnlyList<Rule> rules, RuleServices services) : ICheckSource
{
    public ISessionCheck? Open(ClientContext client)
    {
        Rule[] mine = [.. rules.Where(rule => rule.Listeners.Contains(client.Listener))];
        return mine.Length == 0 ? null : new RuleCheck(mine, services);
    }
}

/// <summary>The rules in one session.</summary>
internal sealed class RuleCheck(Rule[] rules, RuleServices services) : ISessionCheck
{
    private static readonly SmtpReply Unavailable = new(451, "4.3.0", "A table cannot be read now, try again later");
    private readonly Dictionary<string, Task<AddressAnswer?>> _lists = [];

    public ValueTask<Verdict> ConnectAsync(CheckContext context, CancellationToken cancel) => AskAsync(Facts(context, CheckStage.Connect), cancel);

    public ValueTask<Verdict> HeloAsync(CheckContext context, CancellationToken cancel) => AskAsync(Facts(context, CheckStage.Helo), cancel);

    public ValueTask<Verdict> SenderAsync(CheckContext context, Envelope envelope, CancellationToken cancel) => AskAsync(Facts(context, CheckStage.Sender, envelope), cancel);

    public ValueTask<Verdict> RecipientAsync(CheckContext context, Envelope envelope, EnvelopeRecipient recipient, CancellationToken cancel) =>
        AskAsync(Facts(context, CheckStage.Recipient, envelope, recipient), cancel);

    public ValueTask<Verdict> DataAsync(CheckContext context, Envelope envelope, CancellationToken cancel) => AskAsync(Facts(context, CheckStage.Data, envelope), cancel);

    public ValueTask<Verdict> MessageAsync(CheckContext context, MessageDraft draft, CancellationToken cancel) => AskAsync(Facts(context, CheckStage.Message, draft.Envelope, null, draft), cancel);

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private RuleFacts Facts(CheckContext context, CheckStage stage, Envelope? envelope = null, EnvelopeRecipient? recipient = null, MessageDraft? draft = null) =>
        new(context, stage, services, _lists) { Envelope = envelope, Recipient = recipient, Draft = draft };

    private async ValueTask<Verdict> AskAsync(RuleFacts facts, CancellationToken cancel)
    {
        SmtpReply? ifPermitted = null, ifRejected = null;
        foreach (Rule rule in rules)
        {
            if (rule.Stage != facts.Stage) continue;
            PolicyAction action = await HoldsAsync(rule, facts, cancel) ? await rule.Action.DecideAsync(facts, cancel) : new PolicyAction.Pass();
            if (facts.Trouble is { } trouble)
            {
                // What the table would have said may be a refusal, or a permit before one.
                facts.Context.Remark(new(facts.Stage, rule.Label, trouble, IsDecision: true));
                return new Verdict.Refuse(Unavailable);
            }
            if (action is PolicyAction.Pass) continue;
            facts.Context.Remark(new(facts.Stage, rule.Label, Describe(action), action is not PolicyAction.Warn));
            switch (action)
            {
                case PolicyAction.Refuse refuse: return new Verdict.Refuse(ifRejected is not null && refuse.Reply.IsPermanent ? ifRejected : refuse.Reply);
                case PolicyAction.Permit: return End(ifPermitted);
                case PolicyAction.Discard discard:
                    facts.Context.Orders.Discard(Reason(discard.Reason, rule));
                    return End(ifPermitted);
                case PolicyAction.DeferIfPermit defer: ifPermitted ??= defer.Reply; break;
                case PolicyAction.DeferIfReject defer: ifRejected ??= defer.Reply; break;
                case PolicyAction.Hold hold: facts.Context.Orders.Hold(Reason(hold.Reason, rule)); break;
                case PolicyAction.Redirect redirect: facts.Context.Orders.Redirect(redirect.To); break;
                case PolicyAction.Prepend prepend: facts.Context.Orders.Prepend(prepend.Field); break;
                default: break;
            }
        }
        return End(ifPermitted);
    }

    private static async ValueTask<bool> HoldsAsync(Rule rule, RuleFacts facts, CancellationToken cancel)
    {
        facts.ListName = "";
        foreach (IRuleCondition condition in rule.Conditions)
            if (!await condition.HoldsAsync(facts, cancel)) return false;
        return true;
    }

    private static Verdict End(SmtpReply? ifPermitted) => ifPermitted is null ? Verdict.Continue : new Verdict.Refuse(ifPermitted);

    private static string Reason(string said, Rule rule) => said.Length > 0 ? said : rule.Label;

    private static string Describe(PolicyAction action) => action switch
    {
        PolicyAction.Permit => "permit",
        PolicyAction.Refuse refuse => $"{(refuse.Reply.IsPermanent ? "reject" : "defer")} {refuse.Reply}",
        PolicyAction.DeferIfPermit defer => $"defer if permitted: {defer.Reply}",
        PolicyAction.DeferIfReject defer => $"defer if rejected: {defer.Reply}",
        PolicyAction.Hold hold => $"hold {hold.Reason}".TrimEnd(),
        PolicyAction.Discard discard => $"discard {discard.Reason}".TrimEnd(),
        PolicyAction.Redirect redirect => $"redirect to {redirect.To}",
        PolicyAction.Prepend prepend => $"prepend {prepend.Field}",
        PolicyAction.Warn warn => $"warning: {warn.Text}".TrimEnd(' ', ':'),
        _ => "nothing",
    };
}
