using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Posthorn.Core;
using Posthorn.Transport.Policy;
using Posthorn.Transport.Policy.Delegation;
using Posthorn.Transport.Policy.Rules;

namespace Posthorn.Configuration;

/// <summary>Reads <c>[[rule]]</c>: what is refused, put off, held or sent elsewhere, at which stage of a session.</summary>
internal static class RuleBinder
{
    private static readonly Dictionary<string, CheckStage> Stages = new()
    {
        ["connect"] = CheckStage.Connect, ["helo"] = CheckStage.Helo, ["sender"] = CheckStage.Sender,
        ["recipient"] = CheckStage.Recipient, ["data"] = CheckStage.Data, ["message"] = CheckStage.Message,
    };

    private static readonly string[] Listeners = ["smtp", "submission", "submissions", "lmtp"];

    private static readonly string[] Actions = ["permit", "reject", "defer", "hold", "discard", "warn-only", "redirect", "prepend", "ask", "lookup"];

    private static readonly Dictionary<string, TableKey> Keys = new()
    {
        ["client"] = TableKey.Client, ["client-name"] = TableKey.ClientName, ["helo"] = TableKey.Helo, ["sender"] = TableKey.Sender, ["recipient"] = TableKey.Recipient, ["account"] = TableKey.Account,
    };

    public static RuleSection? Read(ConfigReader reader)
    {
        CheckStage stage = reader.Choice("stage", CheckStage.Recipient, Stages);
        Rule rule = new()
        {
            Place = string.Create(CultureInfo.InvariantCulture, $"{Path.GetFileName(reader.Place.File)}:{reader.Place.Line}"),
            Name = reader.OptionalText("name"),
            Stage = stage,
            Listeners = ListenersOf(reader),
            Conditions = Conditions(reader, stage),
            Action = new FixedAction(new PolicyAction.Pass()),
        };
        TableQuestion? tables = TablesOf(reader, stage);
        (PolicyServerOptions? server, PolicyAction failure) = ServerOf(reader);
        string word = reader.Text("action", "");
        if (ActionOf(reader, word, server is not null) is not { } action) return null;
        if (word == "lookup")
        {
            if (tables is not null) return new(rule with { Action = new AskTable(tables) }, null, failure);
            reader.Problem(reader.PlaceOf("action"), "action = \"lookup\" needs a table: lookup = \"hash:/etc/posthorn/access\", and lookup-key");
            return null;
        }
        if (tables is not null) rule = rule with { Conditions = [.. rule.Conditions, new IsInTable(tables)] };
        return server is null ? new(rule with { Action = new FixedAction(action) }, null, failure) : new(rule, server, failure);
    }

    private static TableQuestion? TablesOf(ConfigReader reader, CheckStage stage)
    {
        IReadOnlyList<string> names = LookupBinder.Names(reader, "lookup");
        TableKey key = reader.Choice("lookup-key", TableKey.Client, Keys);
        if (names.Count == 0)
        {
            if (reader.Has("lookup-key") && !reader.Has("lookup")) reader.Problem(reader.PlaceOf("lookup-key"), "'rule.lookup-key' counts only with 'lookup'");
            return null;
        }
        if (!reader.Has("lookup-key")) reader.Problem(reader.PlaceOf("lookup"), $"'rule.lookup' needs 'lookup-key': what is looked up, one of {string.Join(", ", Keys.Keys)}");
        TableQuestion question = new(names, key);
        if (question.KnownAt > stage) reader.Problem(reader.PlaceOf("lookup-key"), $"'rule.lookup-key' is not yet known at stage = \"{Word(stage)}\"; it is from \"{Word(question.KnownAt)}\" on");
        return question;
    }

    private static HashSet<string> ListenersOf(ConfigReader reader)
    {
        HashSet<string> names = [];
        foreach (string name in reader.Texts("listeners", ["smtp"]))
        {
            if (Listeners.Contains(name)) names.Add(name);
            else reader.Problem(reader.PlaceOf("listeners"), $"'rule.listeners' names \"{name}\"; known are {string.Join(", ", Listeners)}");
        }
        return names;
    }

    private static List<IRuleCondition> Conditions(ConfigReader reader, CheckStage stage)
    {
        List<IRuleCondition> conditions = [];
        Add("client", NetworkPatterns.Read(reader.Texts("client", []), out string wrong) is { } networks ? new FromNetwork(networks) : null, wrong, "a network or address, such as \"192.0.2.0/24\"");
        Add("client-name", NamePatterns.Read(reader.Texts("client-name", []), out wrong) is { } hosts ? new FromHost(hosts) : null, wrong, "a host's name, \".domain\" for all below, or \"unknown\"");
        Add("helo", NamePatterns.Read(reader.Texts("helo", []), out wrong) is { } helos ? new SaysHelo(helos) : null, wrong, "a name, \".domain\" for all below, or an address such as \"[192.0.2.1]\"");
        Add("sender", AddressPatterns.Read(reader.Texts("sender", []), out wrong) is { } senders ? new FromSender(senders) : null, wrong, "an address, a domain, \".domain\" for all below, \"user@\", \"<>\" or \"*\"");
        Add("recipient", AddressPatterns.Read(reader.Texts("recipient", []), out wrong) is { } recipients ? new ToRecipient(recipients) : null, wrong, "an address, a domain, \".domain\" for all below, \"user@\" or \"*\"");
        Add("account", AddressPatterns.Read(reader.Texts("account", []), out wrong) is { } accounts ? new IsAccount(accounts) : null, wrong, "an account's address, or its domain");
        Switch("authenticated", wanted => new HasLoggedIn(wanted));
        Switch("trusted", wanted => new IsTrusted(wanted));
        Switch("tls", wanted => new HasTls(wanted));
        Switch("login-mismatch", wanted => new IsLoginMismatch(wanted));
        IReadOnlyList<string> lists = reader.Texts("dns-lists", []);
        int threshold = reader.Number("dns-score", 1, -10_000, 10_000);
        if (lists.Count > 0) Add("dns-lists", ListsOf(lists, threshold, out wrong), wrong, "a list such as \"zen.spamhaus.org\", \"zen.spamhaus.org=127.0.0.[2..11]*3\" or \"sender:dbl.spamhaus.org\"");
        else if (reader.Has("dns-score")) reader.Problem(reader.PlaceOf("dns-score"), "'rule.dns-score' counts only with 'dns-lists'");
        return conditions;

        void Add(string key, IRuleCondition? condition, string problem, string expected)
        {
            if (!reader.Has(key)) return;
            if (condition is null) reader.Problem(reader.PlaceOf(key), $"'rule.{key}' names \"{problem}\"; expected {expected}; a '!' before it turns it round");
            else if (condition.KnownAt > stage)
                reader.Problem(reader.PlaceOf(key), $"'rule.{key}' is not yet known at stage = \"{Word(stage)}\"; it is from \"{Word(condition.KnownAt)}\" on");
            else conditions.Add(condition);
        }

        void Switch(string key, Func<bool, IRuleCondition> make) => Add(key, make(reader.Flag(key, true)), "", "");
    }

    private static IsListed? ListsOf(IReadOnlyList<string> texts, int threshold, out string wrong)
    {
        wrong = "";
        List<DnsList> lists = [];
        foreach (string text in texts)
        {
            wrong = text;
            if (DnsList.Read(text) is not { } list) return null;
            lists.Add(list);
        }
        return new(lists, threshold);
    }

    private static PolicyAction? ActionOf(ConfigReader reader, string word, bool asks)
    {
        string? reply = reader.OptionalText("reply"), to = reader.OptionalText("to"), header = reader.OptionalText("header");
        string reason = reader.Text("reason", "");
        string expected = string.Join(", ", Actions.Select(a => $"\"{a}\""));
        if (word.Length == 0) return Wrong("action", $"a [[rule]] needs an action: one of {expected}");
        if (!Actions.Contains(word)) return Wrong("action", $"'rule.action' is \"{word}\"; expected one of {expected}");
        if (reply is not null && word is not ("reject" or "defer")) return Wrong("reply", $"'rule.reply' counts only with action = \"reject\" or \"defer\"");
        if (asks != word is "ask") return Wrong(asks ? "server" : "action", "action = \"ask\" needs a 'server', and a 'server' needs action = \"ask\"");
        switch (word)
        {
            case "reject" or "defer":
                if (ReplyOf(reply, word == "defer") is { } refusal) return new PolicyAction.Refuse(refusal);
                return Wrong("reply", $"'rule.reply' is \"{reply}\"; expected {(word == "defer" ? "a 4xx reply such as \"450 4.7.1 Come back later\"" : "a 5xx reply such as \"550 5.7.1 Not here\"")}, or its text alone");
            case "redirect":
                return EmailAddress.TryParse(to, out EmailAddress address) ? new PolicyAction.Redirect(address) : Wrong("to", "action = \"redirect\" needs an address: to = \"someone@example.org\"");
            case "prepend":
                return header is not null && PolicyAction.IsField(header) && !header.Any(char.IsControl) ? new PolicyAction.Prepend(header) : Wrong("header", "action = \"prepend\" needs a field: header = \"X-Note: text\"");
            case "permit": return new PolicyAction.Permit();
            case "hold": return new PolicyAction.Hold(reason);
            case "discard": return new PolicyAction.Discard(reason);
            case "warn-only": return new PolicyAction.Warn(reason);
            default: return new PolicyAction.Pass();
        }

        PolicyAction? Wrong(string key, string text)
        {
            reader.Problem(reader.PlaceOf(key), text);
            return null;
        }
    }

    // A whole reply, or a text for the usual one.
    private static Transport.SmtpReply? ReplyOf(string? text, bool transient)
    {
        Transport.SmtpReply usual = transient ? new(450, "4.7.1", "Try again later") : new(554, "5.7.1", "Access denied");
        if (text is null) return usual;
        bool coded = text.Length > 3 && char.IsAsciiDigit(text[0]) && char.IsAsciiDigit(text[1]) && char.IsAsciiDigit(text[2]) && text[3] == ' ';
        if (!coded) return PolicyAction.WithText(usual, text);
        return PolicyAction.TryReply(text, out Transport.SmtpReply? whole) && whole.IsTransient == transient ? whole : null;
    }

    private static (PolicyServerOptions?, PolicyAction) ServerOf(ConfigReader reader)
    {
        TimeSpan timeout = reader.Duration("timeout", TimeSpan.FromSeconds(100), TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(4));
        PolicyAction failure = new PolicyAction.Refuse(new(451, "4.3.5", "Server configuration problem"));
        if (reader.OptionalText("on-failure") is { } text && !PolicyAction.TryParse(text, out failure, out string problem))
            reader.Problem(reader.PlaceOf("on-failure"), $"'rule.on-failure': {problem}; expected an action of Postfix's access(5), such as \"DUNNO\" or \"451 4.3.5 Try again later\"");
        if (reader.OptionalText("server") is not { } server) return (null, failure);
        if (PlaceOf(server) is { } place) return (new() { Place = place, Timeout = timeout }, failure);
        reader.Problem(reader.PlaceOf("server"), $"'rule.server' is \"{server}\"; expected \"unix:/path\" or \"inet:ADDRESS:PORT\", such as \"inet:127.0.0.1:10023\"");
        return (null, failure);
    }

    private static EndPoint? PlaceOf(string text)
    {
        if (text.StartsWith("unix:/", StringComparison.Ordinal)) return new UnixDomainSocketEndPoint(text[5..]);
        if (text.StartsWith("inet:", StringComparison.Ordinal)) text = text[5..];
        if (text.StartsWith("localhost:", StringComparison.Ordinal)) text = "127.0.0.1" + text[9..];
        return IPEndPoint.TryParse(text, out IPEndPoint? place) && place.Port > 0 ? place : null;
    }

    private static string Word(CheckStage stage) => Stages.First(pair => pair.Value == stage).Key;
}

/// <summary>One <c>[[rule]]</c>. Where a server is to be asked, the rule's own action says nothing.</summary>
public sealed record RuleSection(Rule Rule, PolicyServerOptions? Server, PolicyAction OnFailure);
