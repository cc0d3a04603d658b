using Posthorn.Sieve.Matching;
using Posthorn.Sieve.Running;

namespace Posthorn.Sieve.Language;

/// <summary>environment (RFC 5183).</summary>
internal static class EnvironmentTest
{
    public static IReadOnlyList<CommandSpec> Specs { get; } =
    [
        new("environment", CommandKind.Test, "environment", "vnd.dovecot.environment")
        {
            Tags = MatchArguments.Tags,
            Parameters = [new("item", ArgumentKind.Text), new("keys", ArgumentKind.TextList)],
            BuildTest = b => MatchArguments.Plan(b) is { } plan ? new EnvironmentCond(plan, b.Text("item")) : null,
        },
    ];

    private sealed class EnvironmentCond(MatchPlan plan, TextExpr item) : MatchTest(plan)
    {
        protected override bool CountsEmpty => false;

        // An unknown item makes the test false whatever is asked of it (RFC 5183 section 4).
        protected override bool Test(Execution x) => EnvironmentItems.Find(x, item.Eval(x)) is not null && base.Test(x);

        protected override bool Feed(Execution x, MatchPlan.MatchSession session) =>
            EnvironmentItems.Find(x, item.Eval(x)) is { } value && session.Offer(value);
    }
}
