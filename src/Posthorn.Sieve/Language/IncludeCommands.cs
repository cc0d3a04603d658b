using Posthorn.Sieve.Checking;
using Posthorn.Sieve.Running;

namespace Posthorn.Sieve.Language;

/// <summary>include, return and global (RFC 6609).</summary>
internal static class IncludeCommands
{
    public static IReadOnlyList<CommandSpec> Specs { get; } =
    [
        new("include", CommandKind.Control, "include")
        {
            Tags = [new("personal", Group: "location"), new("global", Group: "location"), new("once"), new("optional")],
            Parameters = [new("script name", ArgumentKind.Text)],
            Build = BuildInclude,
        },
        new("return", CommandKind.Control, "include") { Build = _ => new ControlOps.Return() },
        Global("global"),
        // The names that drafts of the extension had, as Pigeonhole still takes them.
        Global("import"), Global("export"),
    ];

    private static CommandSpec Global(string name) => new(name, CommandKind.Control, "include") { Parameters = [new("variable names", ArgumentKind.TextList)], Build = BuildGlobal };

    private static IncludeOp? BuildInclude(Bound b)
    {
        TextExpr name = b.Text("script name");
        if (name.Constant is not { } constant)
        {
            b.Error(b.ParameterAt("script name"), "the name of an included script must not hold variables");
            return null;
        }
        if (!IsScriptName(constant))
        {
            b.Error(b.ParameterAt("script name"), $"\"{constant}\" is no name for a script");
            return null;
        }
        return new(new SieveQuestion.Include(b.Has("global"), constant), b.Has("once"), b.Has("optional"));
    }

    /// <summary>RFC 5804 section 1.6; no '/', since names become names of files.</summary>
    public static bool IsScriptName(string name)
    {
        if (name.Length is 0 or > 512 || !SieveText.IsWellFormed(name)) return false;
        foreach (char c in name)
            if (char.IsControl(c) || c is '\u2028' or '\u2029' or '/') return false;
        return true;
    }

    private static NothingOp? BuildGlobal(Bound b)
    {
        Compiler compiler = b.Compiler;
        if (b.Spec.Name != "global")
        {
            if (!compiler.IsHead)
            {
                b.Error($"'{b.Spec.Name}' must stand at the head of the script", "'global' may stand anywhere");
                return null;
            }
            b.Warn(b.At, $"'{b.Spec.Name}' is an old name of 'global'", "write 'global'");
        }
        if (!compiler.IsRequired("variables"))
        {
            b.Error($"'{b.Spec.Name}' needs the extension \"variables\"", "add require \"variables\";");
            return null;
        }
        bool good = true;
        foreach (TextExpr item in b.List("variable names").Items)
        {
            if (item.Constant is not { } name || !StringScanner.IsIdentifier(name))
            {
                b.Error(b.ParameterAt("variable names"), $"\"{item.Source}\" is no name for a global variable");
                good = false;
            }
            else if (compiler.Variables.WasSet(name))
            {
                b.Error(b.ParameterAt("variable names"), $"the variable \"{name}\" was set before it is declared global", "declare it first");
                good = false;
            }
            else compiler.Variables.MakeGlobal(name);
        }
        compiler.Use("variables");
        return good ? new() : null;
    }

    private sealed class NothingOp : Op
    {
        public override Flow Run(Execution x) => Flow.Next;
    }

    private sealed class IncludeOp(SieveQuestion.Include script, bool once, bool optional) : Op
    {
        public override Flow Run(Execution x)
        {
            if (once && x.Included.Contains(script)) return Flow.Next;
            SieveAnswer.Script answer = x.Ask<SieveAnswer.Script>(script);
            if (answer.Problem is { } problem) throw new SieveRunException($"the included script \"{script.Name}\" cannot be used: {problem}");
            if (answer.Value is null)
            {
                if (optional) return Flow.Next;
                throw new SieveRunException($"there is no {(script.IsGlobal ? "global" : "personal")} script \"{script.Name}\" to include");
            }
            if (x.Including.Contains(script))
            {
                if (once) return Flow.Next;
                throw new SieveRunException($"the script \"{script.Name}\" includes itself");
            }
            if (++x.Includes > x.Limits.MaxIncludes) throw new SieveRunException($"more than {x.Limits.MaxIncludes} scripts are included", SieveFailure.Limit);
            if (x.Including.Count >= x.Limits.MaxIncludeDepth) throw new SieveRunException($"includes are nested more than {x.Limits.MaxIncludeDepth} deep", SieveFailure.Limit);
            return RunIncluded(x, answer.Value);
        }

        private Flow RunIncluded(Execution x, SieveScript included)
        {
            Frame outer = x.Frame;
            x.Included.Add(script);
            x.Including.Add(script);
            x.Frame = new(included, outer.Loops.Count > 0 ? x.CurrentPart : outer.BasePart)
            {
                OuterLoops = outer.OuterLoops + outer.Loops.Count,
                OuterLoop = outer.Loops.Count > 0 ? outer.Loops[^1] : outer.OuterLoop,
            };
            Flow flow = x.RunBlock(included.Body);
            x.Frame = outer;
            x.Including.RemoveAt(x.Including.Count - 1);
            x.Position = At;
            return flow == Flow.Stop ? Flow.Stop : Flow.Next;
        }
    }
}
