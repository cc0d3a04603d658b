using Posthorn.Transport.Policy.Rules;

namespace Posthorn.Transport.Policy.Delegation;

/// <summary>Lets a policy server say what is done (Postfix's check_policy_service).</summary>
/// <param name="Server">Who is asked.</param>
/// <param name="OnFailure">What is done when it gives no answer that can be used.</param>
public sealed record AskPolicy(PolicyServer Server, PolicyAction OnFailure) : IRuleAction
{
    public async ValueTask<PolicyAction> DecideAsync(RuleFacts facts, CancellationToken cancel)
    {
        if (facts.Context.IsDryRun)
        {
            facts.Context.Remark(new(facts.Stage, Server.Name, "would be asked; what it says is not known here", IsDecision: false));
            return new PolicyAction.Pass();
        }
        string problem;
        try
        {
            string answer = await Server.AskAsync(await PolicyRequest.WriteAsync(facts, cancel), cancel);
            if (PolicyAction.TryParse(answer, out PolicyAction action, out problem)) return action;
        }
        catch (IOException e) { problem = e.Message; }
        facts.Context.Log.PolicyServerFailed(facts.Client.Session, Server.Name, problem);
        return OnFailure;
    }
}
