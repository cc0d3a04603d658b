using System.Globalization;
using Posthorn.Transport.Policy;
using Posthorn.Transport.Policy.Rules;

namespace Posthorn.Transport.Tests.Policy;

/// <summary>Rules in one line, for tests: <c>stage=sender; sender=.example.net,!good.example.net; action=REJECT Not here</c>.</summary>
internal static class RuleText
{
    public static Rule Read(string text, int line)
    {
        CheckStage stage = CheckStage.Recipient;
        List<IRuleCondition> conditions = [];
        PolicyAction action = new PolicyAction.Pass();
        HashSet<string> listeners = ["smtp"];
        IReadOnlyList<DnsList> lists = [];
        int threshold = 1;
        string[] tables = [];
        TableKey key = TableKey.Client;
        bool asks = false;
        foreach (string part in text.Split("; "))
        {
            (string word, string value) = part.Split('=', 2) is [string k, string v] ? (k, v) : throw new FormatException(part);
            string[] values = value.Split(',');
            switch (word)
            {
                case "stage": stage = Enum.Parse<CheckStage>(value, ignoreCase: true); break;
                case "listeners": listeners = [.. values]; break;
                case "client": conditions.Add(new FromNetwork(NetworkPatterns.Read(values, out _)!)); break;
                case "client-name": conditions.Add(new FromHost(NamePatterns.Read(values, out _)!)); break;
                case "helo": conditions.Add(new SaysHelo(NamePatterns.Read(values, out _)!)); break;
                case "sender": conditions.Add(new FromSender(AddressPatterns.Read(values, out _)!)); break;
                case "recipient": conditions.Add(new ToRecipient(AddressPatterns.Read(values, out _)!)); break;
                case "account": conditions.Add(new IsAccount(AddressPatterns.Read(values, out _)!)); break;
                case "authenticated": conditions.Add(new HasLoggedIn(bool.Parse(value))); break;
                case "trusted": conditions.Add(new IsTrusted(bool.Parse(value))); break;
                case "tls": conditions.Add(new HasTls(bool.Parse(value))); break;
                case "login-mismatch": conditions.Add(new IsLoginMismatch(bool.Parse(value))); break;
                case "dns-lists": lists = [.. values.Select(one => DnsList.Read(one)!)]; break;
                case "dns-score": threshold = int.Parse(value, CultureInfo.InvariantCulture); break;
                case "lookup": tables = values; break;
                case "lookup-key": key = Enum.Parse<TableKey>(value.Replace("-", "", StringComparison.Ordinal), ignoreCase: true); break;
                case "action" when value == "lookup": asks = true; break;
                case "action":
                    Assert.True(PolicyAction.TryParse(value, out action, out string problem), problem);
                    break;
                default: throw new FormatException(word);
            }
        }
        if (lists.Count > 0) conditions.Add(new IsListed(lists, threshold));
        if (tables.Length > 0 && !asks) conditions.Add(new IsInTable(new(tables, key)));
        return new() { Place = string.Create(CultureInfo.InvariantCulture, $"rules:{line}"), Stage = stage, Listeners = listeners, Conditions = conditions, Action = asks ? new AskTable(new(tables, key)) : new FixedAction(action) };
    }
}
