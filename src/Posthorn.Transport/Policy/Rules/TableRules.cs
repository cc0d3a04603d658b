using Posthorn.Core;
using Posthorn.Directory.Lookups;

namespace Posthorn.Transport.Policy.Rules;

/// <summary>What a table is asked for.</summary>
public enum TableKey
{
    /// <summary>The client's address, then its networks.</summary>
    Client,
    /// <summary>Its verified name in the DNS (<c>unknown</c> for none), then the domains above it.</summary>
    ClientName,
    /// <summary>Its name in EHLO, then the domains above it.</summary>
    Helo,
    /// <summary>The sender, its domain and those above it, its local part.</summary>
    Sender,
    /// <summary>The recipient in the same way; at DATA all of them.</summary>
    Recipient,
    /// <summary>The account that has logged in.</summary>
    Account,
}

/// <summary>Tables, by their names in the configuration, and what they are asked for. The keys are those of access(5), in its order.</summary>
/// <param name="Names">The names; the first table that knows a key counts.</param>
/// <param name="Key">What is asked for.</param>
public sealed record TableQuestion(IReadOnlyList<string> Names, TableKey Key)
{
    public CheckStage KnownAt => Key switch
    {
        TableKey.Helo => CheckStage.Helo,
        TableKey.Sender or TableKey.Account => CheckStage.Sender,
        TableKey.Recipient => CheckStage.Recipient,
        _ => CheckStage.Connect,
    };

    internal async ValueTask<LookupResult> AskAsync(RuleFacts facts, CancellationToken cancel)
    {
        IReadOnlyList<ILookupTable> tables = facts.Tables(Names);
        switch (Key)
        {
            case TableKey.Client when !facts.Client.IsAddressKnown: return await LookupSearch.KeyAsync(tables, "unknown", cancel);
            case TableKey.Client: return await LookupSearch.NetworkAsync(tables, facts.Client.Address, cancel);
            case TableKey.ClientName: return await LookupSearch.HostAsync(tables, (await facts.Context.NameAsync(cancel)).Verified ?? "unknown", cancel);
            case TableKey.Helo: return await LookupSearch.HostAsync(tables, facts.Client.Helo, cancel);
            case TableKey.Sender: return await LookupSearch.AccessAsync(tables, facts.Envelope!.From, new DirectorySplitter(facts.Directory), cancel);
            case TableKey.Account: return facts.Client.Account is { } account ? await LookupSearch.KeyAsync(tables, account.Address.ToString(), cancel) : LookupResult.None;
            default:
                foreach (EmailAddress recipient in facts.Recipients)
                    if (await LookupSearch.AccessAsync(tables, ReversePath.Of(recipient), new DirectorySplitter(facts.Directory), cancel) is var result and not LookupResult.Absent) return result;
                return LookupResult.None;
        }
    }
}

/// <summary>A table knows the key, whatever it says of it.</summary>
public sealed record IsInTable(TableQuestion Question) : IRuleCondition
{
    public CheckStage KnownAt => Question.KnownAt;

    public async ValueTask<bool> HoldsAsync(RuleFacts facts, CancellationToken cancel)
    {
        switch (await Question.AskAsync(facts, cancel))
        {
            case LookupResult.Found: return true;
            case LookupResult.Unavailable unavailable:
                facts.Trouble = unavailable.Why;
                return false;
            default: return false;
        }
    }
}

/// <summary>A table says what is done, in the words of access(5).</summary>
public sealed record AskTable(TableQuestion Question) : IRuleAction
{
    private static readonly PolicyAction Unreadable = new PolicyAction.Refuse(new(451, "4.3.5", "Server configuration problem"));

    public async ValueTask<PolicyAction> DecideAsync(RuleFacts facts, CancellationToken cancel)
    {
        switch (await Question.AskAsync(facts, cancel))
        {
            case LookupResult.Found found:
                if (PolicyAction.TryParse(found.Value, out PolicyAction action, out string problem)) return action;
                facts.Context.Remark(new(facts.Stage, string.Join(", ", Question.Names), problem, IsDecision: false));
                return Unreadable;
            case LookupResult.Unavailable unavailable:
                facts.Trouble = unavailable.Why;
                return new PolicyAction.Pass();
            default: return new PolicyAction.Pass();
        }
    }
}
