namespace Posthorn.Transport.Policy.Rules;

/// <summary>One rule: where it is asked, what must be so, and what is done then.</summary>
public sealed record Rule
{
    /// <summary>Where it stands: file and line.</summary>
    public required string Place { get; init; }

    /// <summary>A word of the administrator's for it; null for none.</summary>
    public string? Name { get; init; }

    public required CheckStage Stage { get; init; }

    /// <summary>The listeners on which it counts.</summary>
    public IReadOnlySet<string> Listeners { get; init; } = new HashSet<string> { "smtp" };

    /// <summary>All of them must be so.</summary>
    public IReadOnlyList<IRuleCondition> Conditions { get; init; } = [];

    /// <summary>What is done.</summary>
    public required IRuleAction Action { get; init; }

    /// <summary>How remarks name it.</summary>
    public string Label => Name is null ? Place : $"{Place} ({Name})";
}

/// <summary>Something that a rule asks for.</summary>
public interface IRuleCondition
{
    /// <summary>The earliest stage at which it can be known.</summary>
    CheckStage KnownAt { get; }

    ValueTask<bool> HoldsAsync(RuleFacts facts, CancellationToken cancel);
}

/// <summary>What a rule does.</summary>
public interface IRuleAction
{
    ValueTask<PolicyAction> DecideAsync(RuleFacts facts, CancellationToken cancel);
}

/// <summary>Always the same, with the facts of the session put into its reply.</summary>
public sealed record FixedAction(PolicyAction Action) : IRuleAction
{
    public async ValueTask<PolicyAction> DecideAsync(RuleFacts facts, CancellationToken cancel) => Action switch
    {
        PolicyAction.Refuse refuse when refuse.Reply.Text.Contains('{', StringComparison.Ordinal) => new PolicyAction.Refuse(refuse.Reply with { Text = await facts.FillAsync(refuse.Reply.Text, cancel) }),
        PolicyAction.Prepend prepend when prepend.Field.Contains('{', StringComparison.Ordinal) => new PolicyAction.Prepend(await facts.FillAsync(prepend.Field, cancel)),
        _ => Action,
    };
}
