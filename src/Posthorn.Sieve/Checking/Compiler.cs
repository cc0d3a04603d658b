using Posthorn.Sieve.Language;
using Posthorn.Sieve.Matching;
using Posthorn.Sieve.Running;
using Posthorn.Sieve.Syntax;

namespace Posthorn.Sieve.Checking;

/// <summary>Checks one tree and makes its commands. What is wrong is reported, and the rest checked on.</summary>
internal sealed class Compiler(SieveSettings settings, Diagnostics diagnostics, SieveCheckContext check)
{
    private readonly HashSet<string> _required = new(StringComparer.Ordinal);
    private readonly Dictionary<string, SourcePosition> _requiredAt = new(StringComparer.Ordinal);
    private readonly HashSet<string> _used = new(StringComparer.Ordinal);
    private readonly HashSet<string> _complained = new(StringComparer.OrdinalIgnoreCase);
    private readonly List<(string? Name, int Id)> _loops = [];
    private int _nextLoop;
    private int _regexStates;
    private string _name = "";

    public SieveSettings Settings { get; } = settings;

    public Diagnostics Diagnostics { get; } = diagnostics;

    public SieveCheckContext Check { get; } = check;

    public VariableScope Variables { get; } = new();

    /// <summary>The name of the script.</summary>
    public string ScriptName => _name;

    /// <summary>Extensions are looked for at run time (RFC 5463 section 4).</summary>
    public bool IsLenient => _required.Contains("ihave");

    /// <summary>The script asks for an extension that is not here: names that nobody knows may be its own.</summary>
    public bool MayHoldUnknownNames { get; private set; }

    /// <summary>The script asks which ways of notification there are, so that unknown ones in it are no mistakes.</summary>
    public bool AsksForMethods { get; private set; }

    public IReadOnlyList<(string? Name, int Id)> Loops => _loops;

    /// <summary>Nothing but require, import and export stands before the command that is compiled.</summary>
    public bool IsHead { get; private set; }

    /// <summary>Inside a test block of the test tool, where another one must not stand.</summary>
    public bool InTestBlock { get; set; }

    public SieveScript Compile(SieveTree tree, string name)
    {
        _name = name;
        SieveScript script = new(name, tree, _required);
        MayHoldUnknownNames = AsksForUnknown(tree.Commands);
        AsksForMethods = AnyTest(tree.Commands, t => t.Name.ToLowerInvariant() is "valid_notify_method" or "notify_method_capability");
        (Op[] body, _) = Block(tree.Commands, isTop: true);
        script.Body = body;
        script.VariableCount = Variables.Count;
        if (Variables.Count > Settings.Limits.MaxVariables)
            Diagnostics.Error(new(1, 1), $"the script uses more than {Settings.Limits.MaxVariables} variables");
        if (Diagnostics.Errors == 0 && !IsLenient && _requiredAt.TryGetValue("extracttext", out SourcePosition extractAt) && !_required.Contains("foreverypart"))
            Diagnostics.Error(extractAt, "\"extracttext\" is of no use without \"foreverypart\"", "add require \"foreverypart\";");
        if (Diagnostics.Errors == 0)
            foreach ((string extension, SourcePosition at) in _requiredAt)
                if (!_used.Contains(extension)) Diagnostics.Warn(at, $"\"{extension}\" is required but not used");
        return script;
    }

    /// <summary>True when the extension is required by the script itself.</summary>
    public bool IsRequired(string extension) => _required.Contains(extension);

    public void Use(string extension) => _used.Add(extension);

    /// <summary>What is wrong with a regular expression of the script, by itself or together with the others; null when it can be used.</summary>
    public string? RegexProblem(string pattern, bool ignoreCase)
    {
        SieveLimits limits = Settings.Limits;
        string? problem = null;
        if (_regexStates <= limits.MaxScriptRegexStates)
            _regexStates += PosixRegex.TryCompile(pattern, ignoreCase, limits.MaxRegexStates, out problem)?.States ?? limits.MaxRegexStates;
        if (_regexStates > limits.MaxScriptRegexStates) return $"the regular expressions of this script take more than {limits.MaxScriptRegexStates} states together";
        return problem is null ? null : $"the regular expression \"{pattern}\" cannot be read: {problem}";
    }

    private bool AsksForUnknown(IReadOnlyList<SieveCommand> commands) =>
        AnyTest(commands, test => test.Name.Equals("ihave", StringComparison.OrdinalIgnoreCase) && test.Arguments.Any(a => a switch
        {
            SieveArgument.Text one => IsUnknown(one),
            SieveArgument.TextList list => list.Items.Any(IsUnknown),
            _ => false,
        }));

    private static bool AnyTest(IReadOnlyList<SieveCommand> commands, Func<SieveTest, bool> holds) =>
        commands.Any(c => c.Tests.Any(t => AnyTest(t, holds)) || c.Block is not null && AnyTest(c.Block, holds));

    private static bool AnyTest(SieveTest test, Func<SieveTest, bool> holds) => holds(test) || test.Tests.Any(t => AnyTest(t, holds));

    private bool IsUnknown(SieveArgument.Text name) => !Extensions.IsKnown(name.Value) || Settings.Disabled.Contains(name.Value);

    // The commands of a block, and whether nothing after it is reached.
    public (Op[] Ops, bool Ends) Block(IReadOnlyList<SieveCommand> commands, bool isTop = false)
    {
        List<Op> ops = [];
        bool mayRequire = isTop;
        bool isHead = isTop;
        bool ends = false;
        bool warned = false;
        for (int i = 0; i < commands.Count; i++)
        {
            SieveCommand command = commands[i];
            string name = command.Name.ToLowerInvariant();
            if (ends && !warned)
            {
                Diagnostics.Warn(command.At, $"'{command.Name}' is never reached", "the command before it ends the block");
                warned = true;
            }
            if (name == "require")
            {
                Require(command, mayRequire);
                continue;
            }
            mayRequire = false;
            IsHead = isHead &= name is "import" or "export";
            if (name == "if") ops.Add(If(commands, ref i, ref ends));
            else if (name is "elsif" or "else")
            {
                Diagnostics.Error(command.At, $"'{name}' must follow an if or elsif");
                if (command.Block is not null) Block(command.Block);
                // What follows it would follow an if as well: one mistake.
                for (; i + 1 < commands.Count && commands[i + 1].Name.ToLowerInvariant() is "elsif" or "else"; i++)
                    if (commands[i + 1].Block is { } block) Block(block);
            }
            else if (Command(command, name) is { } op)
            {
                op.At = command.At;
                op.Name = name;
                ops.Add(op);
                ends |= op is ControlOps.Stop or ControlOps.Return or ControlOps.Break or ControlOps.Error;
            }
        }
        return ([.. ops], ends);
    }

    private IfOp If(IReadOnlyList<SieveCommand> commands, ref int i, ref bool ends)
    {
        List<(Cond? Test, Op[] Block)> branches = [];
        SourcePosition at = commands[i].At;
        bool allEnd = true;
        bool hasElse = false;
        while (true)
        {
            SieveCommand command = commands[i];
            string name = command.Name.ToLowerInvariant();
            Cond? test = null;
            if (command.Arguments.Count > 0) Diagnostics.Error(command.Arguments[0].At, $"'{name}' takes no arguments but a test");
            if (name == "else")
            {
                hasElse = true;
                if (command.Tests.Count > 0) Diagnostics.Error(command.Tests[0].At, "'else' takes no test", "'elsif' does");
            }
            else if (command.Block is null)
            {
                // What looks like the test's own argument is most likely the block without its braces.
            }
            else if (command.Tests.Count != 1 || command.IsList) Diagnostics.Error(command.At, $"'{name}' needs exactly one test", command.IsList ? "write anyof or allof before the '('" : null);
            else test = Test(command.Tests[0]);
            Op[] block = [];
            bool blockEnds = false;
            if (command.Block is null) Diagnostics.Error(command.At, $"'{name}' needs a block of commands", "put them in { }");
            else (block, blockEnds) = Block(command.Block);
            allEnd &= blockEnds;
            branches.Add((test, block));
            if (hasElse || i + 1 >= commands.Count || commands[i + 1].Name.ToLowerInvariant() is not ("elsif" or "else")) break;
            i++;
        }
        ends |= allEnd && hasElse;
        return new([.. branches]) { At = at, Name = "if" };
    }

    private void Require(SieveCommand command, bool allowed)
    {
        if (!allowed)
        {
            // What it asks for is there, so that nothing else is wrong for its want.
            Diagnostics.Error(command.At, "'require' must stand before all other commands");
            if (command.Arguments is [SieveArgument.Text only]) _required.Add(only.Value);
            else if (command.Arguments is [SieveArgument.TextList several]) _required.UnionWith(several.Items.Select(i => i.Value));
            return;
        }
        if (command.Block is not null || command.Tests.Count > 0 || command.Arguments.Count != 1)
        {
            Diagnostics.Error(command.At, "'require' takes one string or one list of strings");
            return;
        }
        IReadOnlyList<SieveArgument.Text> names = command.Arguments[0] switch
        {
            SieveArgument.Text one => [one],
            SieveArgument.TextList list => list.Items,
            _ => [],
        };
        if (names.Count == 0 && command.Arguments[0] is not SieveArgument.TextList)
            Diagnostics.Error(command.Arguments[0].At, "'require' takes one string or one list of strings");
        foreach (SieveArgument.Text name in names)
        {
            if (Extensions.IsKnown(name.Value) && !Settings.Disabled.Contains(name.Value))
            {
                _required.Add(name.Value);
                _requiredAt.TryAdd(name.Value, name.At);
                continue;
            }
            string? near = Extensions.IsKnown(name.Value) ? null : Suggest(name.Value, Settings.Extensions);
            Diagnostics.Error(name.At, Extensions.IsKnown(name.Value) ? $"the extension \"{name.Value}\" is switched off here" : $"there is no extension \"{name.Value}\" here",
                near is null ? null : $"did you mean \"{near}\"?");
            // What needs it is not wrong as well.
            _required.Add(name.Value);
        }
        foreach ((string old, string fresh) in Replaced)
            if (_required.Contains(old) && _required.Contains(fresh)) CannotMeet(command.At, old, fresh);
        if (!_required.Contains("imapsieve")) return;
        foreach (string no in (string[])["reject", "ereject", "vacation", "vacation-seconds"])
            if (_required.Contains(no) && _complained.Add("imapsieve " + no))
                Diagnostics.Error(command.At, $"\"{no}\" cannot be used together with \"imapsieve\"", "RFC 6785 section 3.11: there is no sender to answer");
    }

    // Extensions that cannot be used together, the older one first.
    private static readonly (string Old, string Fresh)[] Replaced = [("imapflags", "imap4flags"), ("vnd.dovecot.duplicate", "duplicate"), ("notify", "enotify")];

    private void CannotMeet(SourcePosition at, string old, string fresh)
    {
        if (_complained.Add("both " + old)) Diagnostics.Error(at, $"\"{old}\" and \"{fresh}\" cannot be used together", $"\"{fresh}\" has taken the place of \"{old}\"");
    }

    /// <summary>Complains where ihave looks for an extension that what is required excludes.</summary>
    public void CheckMeeting(string extension, SourcePosition at)
    {
        foreach ((string old, string fresh) in Replaced)
            if (extension == old && _required.Contains(fresh) || extension == fresh && _required.Contains(old)) CannotMeet(at, old, fresh);
    }

    private Op? Command(SieveCommand command, string name)
    {
        CommandSpec? spec = Registry.Command(name);
        if (spec?.Elder is { } elder && _required.Contains(elder.Extensions[0])) spec = elder;
        if (spec is null || !IsAvailable(spec))
        {
            if (command.Block is not null) Block(command.Block);
            string text = Registry.Test(name) is not null ? $"'{command.Name}' is a test, not a command" : $"unknown command '{command.Name}'";
            return Unknown(command.At, name, text, Suggest(name, Registry.CommandNames)) ? new FailOp(text) : null;
        }
        string? gate = null;
        if (!Allow(spec, command.At, ref gate))
        {
            if (command.Block is not null) Block(command.Block);
            return null;
        }
        Bound bound = new(spec, command.At, this);
        bool good = Bind(bound, command.Arguments, command.Tests, command.IsList, out string? fail);
        if (fail is not null) return new FailOp(fail);
        if (good && spec.HasBlock != (command.Block is not null))
        {
            Diagnostics.Error(command.At, spec.HasBlock ? $"'{name}' needs a block of commands" : $"'{name}' takes no block", spec.HasBlock ? "put them in { }" : "end it with ';'");
            good = false;
        }
        if (command.Block is not null) bound.Block = InnerBlock(bound, command.Block);
        if (!good) return null;
        Op? op = spec.Build!(bound);
        foreach (string tagGate in bound.Gates) op = op is null ? null : new GateOp(tagGate, op);
        return gate is null || op is null ? op : new GateOp(gate, op);
    }

    private Op[] InnerBlock(Bound bound, IReadOnlyList<SieveCommand> block)
    {
        bool isLoop = bound.Spec.Name == "foreverypart";
        bool isTest = bound.Spec.Name == "test";
        if (isTest && InTestBlock) bound.Error("a test block must not stand in another");
        if (isLoop) _loops.Add((bound.TagText("name")?.Source, ++_nextLoop));
        if (isLoop && _loops.Count > Settings.Limits.MaxLoopDepth) bound.Error($"loops are nested more than {Settings.Limits.MaxLoopDepth} deep");
        bool outer = InTestBlock;
        InTestBlock |= isTest;
        (Op[] ops, _) = Block(block);
        InTestBlock = outer;
        if (isLoop)
        {
            LastLoop = _loops[^1].Id;
            _loops.RemoveAt(_loops.Count - 1);
        }
        return ops;
    }

    /// <summary>The id of the loop whose block was compiled last.</summary>
    public int LastLoop { get; private set; }

    public Cond? Test(SieveTest test)
    {
        string name = test.Name.ToLowerInvariant();
        CommandSpec? spec = Registry.Test(name);
        if (spec is null || !IsAvailable(spec))
        {
            string text = Registry.Command(name) is not null ? $"'{test.Name}' is a command, not a test" : $"unknown test '{test.Name}'";
            return Unknown(test.At, name, text, Suggest(name, Registry.TestNames)) ? new FailCond(text) : null;
        }
        string? gate = null;
        if (!Allow(spec, test.At, ref gate)) return null;
        Bound bound = new(spec, test.At, this);
        bool good = Bind(bound, test.Arguments, test.Tests, test.IsList, out string? fail);
        if (fail is not null) return new FailCond(fail);
        if (!good) return null;
        Cond? cond = spec.BuildTest!(bound);
        if (cond is null) return null;
        cond.At = test.At;
        cond.Name = name;
        foreach (string tagGate in bound.Gates) cond = new GateCond(tagGate, cond) { At = test.At, Name = name };
        return gate is null ? cond : new GateCond(gate, cond) { At = test.At, Name = name };
    }

    // A command of an extension that is switched off is unknown, unless it was required (which was reported).
    private bool IsAvailable(CommandSpec spec) =>
        spec.Extensions.Length == 0 || Array.Exists(spec.Extensions, e => !Settings.Disabled.Contains(e) || _required.Contains(e));

    // True when the error waits for run time (RFC 5463).
    private bool Unknown(SourcePosition at, string name, string text, string? near)
    {
        if (IsLenient && MayHoldUnknownNames) return true;
        // A wrong name is one mistake however often it is written; a test in the place of a command is one each time.
        if (_complained.Add(name) || Registry.Test(name) is not null || Registry.Command(name) is not null) Diagnostics.Error(at, text, near is null ? null : $"did you mean '{near}'?");
        return false;
    }

    // Whether one of the extensions is required; with ihave the check moves to run time.
    private bool Allow(CommandSpec spec, SourcePosition at, ref string? gate)
    {
        if (spec.Extensions.Length == 0) return true;
        string? found = Array.Find(spec.Extensions, _required.Contains);
        if (found is not null)
        {
            _used.Add(found);
            return true;
        }
        if (IsLenient)
        {
            gate = spec.Extensions[0];
            return true;
        }
        if (_complained.Add(spec.Name))
            Diagnostics.Error(at, $"'{spec.Name}' needs the extension \"{spec.Extensions[0]}\"", $"add require \"{spec.Extensions[0]}\";");
        return false;
    }

    private bool Bind(Bound bound, IReadOnlyList<SieveArgument> arguments, IReadOnlyList<SieveTest> tests, bool isList, out string? fail)
    {
        ArgumentBinder binder = new(this, bound, arguments) { HasStrayTest = bound.Spec.Tests == TestArity.None && tests.Count > 0 };
        bool good = binder.Bind(out fail);
        if (fail is not null) return false;
        CommandSpec spec = bound.Spec;
        switch (spec.Tests)
        {
            case TestArity.None when tests.Count > 0:
                if (!binder.HasLostValue) Diagnostics.Error(tests[0].At, $"'{spec.Name}' takes no test", AdviceOnStray(spec, tests[0]));
                return false;
            case TestArity.One when tests.Count != 1 || isList:
                Diagnostics.Error(bound.At, $"'{spec.Name}' needs exactly one test");
                return false;
            case TestArity.List when tests.Count == 0 || !isList:
                // RFC 5232 section 9 itself writes anyof without parentheses around a single test.
                if (tests.Count != 1)
                {
                    Diagnostics.Error(bound.At, $"'{spec.Name}' needs a list of tests in parentheses");
                    return false;
                }
                Diagnostics.Error(tests[0].At, $"'{spec.Name}' needs its tests in parentheses");
                return false;
        }
        foreach (SieveTest test in tests)
        {
            if (Test(test) is { } cond) bound.Tests.Add(cond);
            else good = false;
        }
        return good;
    }

    // What was forgotten before a word that is read as a test.
    private static string? AdviceOnStray(CommandSpec spec, SieveTest stray) =>
        spec.FindTag(stray.Name) is { } tag ? $"a ':' is missing before '{tag.Name}'"
        : spec.Kind != CommandKind.Test && (Registry.Command(stray.Name.ToLowerInvariant()) is not null || stray.Name.ToLowerInvariant() is "if" or "require") ? $"a ';' is missing before '{stray.Name}'"
        : null;

    /// <summary>A word of the list that is nearly the given one.</summary>
    public static string? Suggest(string word, IEnumerable<string> known)
    {
        string? best = null;
        int bestDistance = Math.Max(1, word.Length / 3) + 1;
        foreach (string candidate in known)
        {
            int distance = Distance(word.ToLowerInvariant(), candidate.ToLowerInvariant());
            if (distance < bestDistance) (best, bestDistance) = (candidate, distance);
        }
        return best;
    }

    private static int Distance(string a, string b)
    {
        if (a.Length > 40 || b.Length > 40 || Math.Abs(a.Length - b.Length) > 4) return int.MaxValue;
        int[] row = [.. Enumerable.Range(0, b.Length + 1)];
        for (int i = 1; i <= a.Length; i++)
        {
            int corner = row[0];
            row[0] = i;
            for (int j = 1; j <= b.Length; j++)
            {
                int next = Math.Min(Math.Min(row[j], row[j - 1]) + 1, corner + (a[i - 1] == b[j - 1] ? 0 : 1));
                corner = row[j];
                row[j] = next;
            }
        }
        return row[^1];
    }
}
