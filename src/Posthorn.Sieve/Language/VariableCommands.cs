using System.Globalization;
using System.Text;
using Posthorn.Sieve.Checking;
using Posthorn.Sieve.Matching;
using Posthorn.Sieve.Running;

namespace Posthorn.Sieve.Language;

/// <summary>set and string (RFC 5229), with :encodeurl (RFC 5435 section 6) and :quoteregex (draft-ietf-sieve-regex).</summary>
internal static class VariableCommands
{
    // The groups are the precedences of RFC 5229 section 4.1.
    public static IReadOnlyList<TagSpec> Modifiers { get; } =
    [
        new("lower", Group: "case"), new("upper", Group: "case"),
        new("lowerfirst", Group: "first letter"), new("upperfirst", Group: "first letter"),
        new("quotewildcard", Group: "quoting"), new("quoteregex", Group: "quoting", Extension: "regex"),
        new("encodeurl", Extension: "enotify"),
        new("length"),
    ];

    public static IReadOnlyList<CommandSpec> Specs { get; } =
    [
        new("set", CommandKind.Action, "variables")
        {
            Tags = Modifiers,
            Parameters = [new("name", ArgumentKind.Text), new("value", ArgumentKind.Text)],
            Build = BuildSet,
        },
        new("string", CommandKind.Test, "variables")
        {
            Tags = MatchArguments.TagsWithLists,
            Parameters = [new("source", ArgumentKind.TextList), new("keys", ArgumentKind.TextList)],
            BuildTest = b => MatchArguments.Plan(b) is { } plan ? new StringTest(plan, b.List("source")) : null,
        },
    ];

    private static SetOp? BuildSet(Bound b)
    {
        if (Name(b, b.Text("name"), b.ParameterAt("name")) is not { } target) return null;
        if (target is TextPart.Local) b.Compiler.Variables.MarkSet(b.Text("name").Source);
        if (b.Text("value").Constant is { } value && SieveText.OctetCount(value) > b.Compiler.Settings.Limits.MaxVariableSize)
        {
            b.Error(b.ParameterAt("value"), $"the value is longer than the {b.Compiler.Settings.Limits.MaxVariableSize} octets that a variable holds");
            return null;
        }
        return new(target, b.Text("value"), FindModifiers(b));
    }

    public static string[] FindModifiers(Bound b) => [.. Modifiers.Select(m => m.Name).Where(b.Has)];

    /// <summary>The variable that a constant string names; null when something was reported.</summary>
    public static TextPart? Name(Bound b, TextExpr text, SourcePosition at)
    {
        Compiler compiler = b.Compiler;
        if (!compiler.IsRequired("variables"))
        {
            b.Error(at, "naming a variable needs the extension \"variables\"", "add require \"variables\";");
            return null;
        }
        compiler.Use("variables");
        if (text.Constant is not { } name)
        {
            b.Error(at, "the name of a variable must not itself hold variables");
            return null;
        }
        if (name.StartsWith("global.", StringComparison.OrdinalIgnoreCase) && compiler.IsRequired("include") && StringScanner.IsIdentifier(name.AsSpan(7)))
        {
            compiler.Use("include");
            return new TextPart.Global(name[7..]);
        }
        if (!StringScanner.IsIdentifier(name))
        {
            string? advice = StringScanner.IsDigits(name) ? "match variables are set by ':matches' and ':regex' only"
                : name.StartsWith("${", StringComparison.Ordinal) ? "write the name alone" : "letters, digits and '_', and no digit first";
            b.Error(at, $"\"{name}\" is no name for a variable", advice);
            return null;
        }
        if (name.Length > compiler.Settings.Limits.MaxVariableName)
        {
            b.Error(at, $"the variable name is longer than {compiler.Settings.Limits.MaxVariableName} characters");
            return null;
        }
        return compiler.Variables.IsGlobal(name) ? new TextPart.Global(name) : new TextPart.Local(compiler.Variables.Slot(name));
    }

    /// <summary>Sets a variable, cut to what it can hold (RFC 5229 section 6).</summary>
    public static void Assign(Execution x, TextPart target, string value)
    {
        value = SieveText.Truncate(value, x.Limits.MaxVariableSize);
        if (target is TextPart.Local local) x.Frame.Variables[local.Slot] = value;
        else if (target is TextPart.Global global)
        {
            if (x.Globals.Count >= x.Limits.MaxVariables && !x.Globals.ContainsKey(global.Name))
                throw new SieveRunException($"the scripts use more than {x.Limits.MaxVariables} global variables", SieveFailure.Limit);
            x.Globals[global.Name] = value;
        }
    }

    /// <summary>Applies modifiers, those of the highest precedence first.</summary>
    public static string Modify(string value, string[] modifiers, int max)
    {
        foreach (string modifier in modifiers)
            value = modifier switch
            {
                "lower" => Map(value, char.IsAsciiLetterUpper, +32),
                "upper" => Map(value, char.IsAsciiLetterLower, -32),
                "lowerfirst" => value.Length > 0 ? Map(value[..1], char.IsAsciiLetterUpper, +32) + value[1..] : value,
                "upperfirst" => value.Length > 0 ? Map(value[..1], char.IsAsciiLetterLower, -32) + value[1..] : value,
                "quotewildcard" => Quote(value, "*?\\", max),
                "quoteregex" => Quote(value, "\\^$.[]|()?*+{}", max),
                "encodeurl" => EncodeUrl(value, max),
                _ => Length(value).ToString(CultureInfo.InvariantCulture),
            };
        return value;
    }

    private static string Map(string value, Func<char, bool> choose, int shift) =>
        string.Create(value.Length, (value, choose, shift), static (span, s) =>
        {
            for (int i = 0; i < span.Length; i++) span[i] = s.choose(s.value[i]) ? (char)(s.value[i] + s.shift) : s.value[i];
        });

    // A value that has no room for its quoting is cut before a quote, never within one.
    private static string Quote(string value, string special, int max)
    {
        StringBuilder quoted = new(value.Length + 8);
        foreach (char c in value)
        {
            bool needs = special.Contains(c, StringComparison.Ordinal);
            if (quoted.Length + (needs ? 2 : 1) > max) break;
            if (needs) quoted.Append('\\');
            quoted.Append(c);
        }
        return quoted.ToString();
    }

    private static string EncodeUrl(string value, int max)
    {
        StringBuilder encoded = new(value.Length);
        byte[] octets = SieveText.ToUtf8(value);
        int whole = 0; // up to here the characters are complete: a value without room is cut between characters
        for (int i = 0; i < octets.Length; i++)
        {
            byte b = octets[i];
            if ((b & 0xC0) != 0x80) whole = encoded.Length;
            bool plain = char.IsAsciiLetterOrDigit((char)b) || b is (byte)'-' or (byte)'.' or (byte)'_' or (byte)'~';
            if (encoded.Length + (plain ? 1 : 3) > max) return encoded.ToString(0, whole);
            if (plain) encoded.Append((char)b);
            else encoded.Append('%').Append(b.ToString("X2", CultureInfo.InvariantCulture));
        }
        return encoded.ToString();
    }

    private static int Length(string value)
    {
        int count = 0;
        foreach (char c in value)
            if (!char.IsLowSurrogate(c) || SieveText.IsEscape(c)) count++;
        return count;
    }

    private sealed class SetOp(TextPart target, TextExpr value, string[] modifiers) : Op
    {
        public override Flow Run(Execution x)
        {
            string text = SieveText.Truncate(value.Eval(x), x.Limits.MaxVariableSize);
            Assign(x, target, Modify(text, modifiers, x.Limits.MaxVariableSize));
            return Flow.Next;
        }
    }

    private sealed class StringTest(MatchPlan plan, TextListExpr source) : MatchTest(plan)
    {
        // RFC 5229 section 5: the count of an empty string is 0.
        protected override bool CountsEmpty => false;

        protected override bool Feed(Execution x, MatchPlan.MatchSession session)
        {
            foreach (TextExpr text in source.Items)
                if (session.Offer(text.Eval(x))) return true;
            return false;
        }
    }
}
