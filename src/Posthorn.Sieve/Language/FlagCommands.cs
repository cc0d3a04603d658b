using Posthorn.Sieve.Matching;
using Posthorn.Sieve.Running;

namespace Posthorn.Sieve.Language;

/// <summary>setflag, addflag, removeflag and hasflag (RFC 5232).</summary>
internal static class FlagCommands
{
    public static IReadOnlyList<CommandSpec> Specs { get; } =
    [
        Command("setflag"), Command("addflag"), Command("removeflag"), Mark("mark", "addflag"), Mark("unmark", "removeflag"),
        new("hasflag", CommandKind.Test, "imap4flags")
        {
            Tags = MatchArguments.Tags,
            Parameters = [new("variable names", ArgumentKind.TextList, IsOptional: true), new("keys", ArgumentKind.TextList)],
            BuildTest = BuildHasFlag,
        },
    ];

    private static CommandSpec Command(string name) => new(name, CommandKind.Action, "imap4flags", "imapflags")
    {
        Parameters = [new("variable name", ArgumentKind.Text, IsOptional: true), new("flags", ArgumentKind.TextList)],
        Build = b =>
        {
            TextPart? variable = null;
            if (b.HasParameter("variable name") && (variable = VariableCommands.Name(b, b.Text("variable name"), b.ParameterAt("variable name"))) is null) return null;
            if (b.List("flags").Constant is { } flags)
                foreach (string word in flags.SelectMany(f => f.Split(' ', StringSplitOptions.RemoveEmptyEntries)))
                    if (!FlagList.IsValid(word)) b.Warn(b.ParameterAt("flags"), $"\"{word}\" is no flag that can be set, and is ignored");
            return new FlagOp(b.Spec.Name, variable, b.List("flags"));
        },
    };

    // draft-melnikov-sieve-imapflags-03: \Flagged by another name.
    private static CommandSpec Mark(string name, string command) =>
        new(name, CommandKind.Action, "imapflags") { Build = _ => new FlagOp(command, null, new([new("\\Flagged")])) };

    private static HasFlag? BuildHasFlag(Bound b)
    {
        List<TextPart>? variables = null;
        if (b.HasParameter("variable names"))
        {
            variables = [];
            foreach (TextExpr name in b.List("variable names").Items)
            {
                if (VariableCommands.Name(b, name, b.ParameterAt("variable names")) is not { } variable) return null;
                variables.Add(variable);
            }
        }
        return MatchArguments.Plan(b) is { } plan ? new(plan, variables) : null;
    }

    private sealed class FlagOp(string command, TextPart? variable, TextListExpr flags) : Op
    {
        public override Flow Run(Execution x)
        {
            List<string> given = FlagList.Parse(flags.Eval(x));
            List<string> now = variable is null ? x.Flags : FlagList.Parse([variable.Value(x)]);
            if (command == "setflag") now = given;
            else if (command == "addflag") foreach (string flag in given) FlagList.Add(now, flag);
            else FlagList.Remove(now, given);
            if (variable is null) x.Flags = now;
            else VariableCommands.Assign(x, variable, string.Join(' ', now));
            return Flow.Next;
        }
    }

    private sealed class HasFlag(MatchPlan plan, List<TextPart>? variables) : Cond
    {
        // Keys are lists of flags too: "b A" is the same as ["b","A"] (RFC 5232 section 4).
        protected override bool Test(Execution x)
        {
            MatchPlan words = plan;
            if (plan.Kind is MatchKind.Is or MatchKind.Contains)
                words = new(plan.Kind, plan.Comparator, plan.Relation, new(Words(plan.Keys.Eval(x))), plan.SetsVariables, x.Limits);
            MatchPlan.MatchSession session = new(words, x);
            if (variables is null)
            {
                foreach (string flag in x.Flags)
                    if (session.Offer(flag)) return true;
            }
            else
            {
                foreach (TextPart variable in variables)
                    foreach (string flag in FlagList.Parse([variable.Value(x)]))
                        if (session.Offer(flag)) return true;
            }
            return session.Finish();
        }

        private static IEnumerable<TextExpr> Words(string[] keys) =>
            keys.SelectMany(k => k.Split(' ', StringSplitOptions.RemoveEmptyEntries)).Select(w => new TextExpr(w));
    }
}
