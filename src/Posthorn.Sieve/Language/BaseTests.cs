using System.Globalization;
using Posthorn.Sieve.Messages;
using Posthorn.Sieve.Running;

namespace Posthorn.Sieve.Language;

/// <summary>true, false, not, allof, anyof and size (RFC 5228 section 5).</summary>
internal static class BaseTests
{
    public static IReadOnlyList<CommandSpec> Specs { get; } =
    [
        new("true", CommandKind.Test) { BuildTest = _ => new Constant(true) },
        new("false", CommandKind.Test) { BuildTest = _ => new Constant(false) },
        new("not", CommandKind.Test) { Tests = TestArity.One, BuildTest = b => new Not(b.Tests[0]) },
        new("allof", CommandKind.Test) { Tests = TestArity.List, BuildTest = b => new AllOf([.. b.Tests]) },
        new("anyof", CommandKind.Test) { Tests = TestArity.List, BuildTest = b => new AnyOf([.. b.Tests]) },
        new("size", CommandKind.Test)
        {
            Tags = [new("over", Group: "size"), new("under", Group: "size")],
            Parameters = [new("limit", ArgumentKind.Number)],
            BuildTest = BuildSize,
        },
    ];

    private static Size? BuildSize(Bound b)
    {
        if (b.Has("over") || b.Has("under")) return new(b.Has("over"), b.Number("limit"));
        b.Error("'size' needs ':over' or ':under'");
        return null;
    }

    private sealed class Constant(bool value) : Cond
    {
        protected override bool Test(Execution x) => value;
    }

    private sealed class Not(Cond inner) : Cond
    {
        protected override bool Test(Execution x) => !inner.Holds(x);
    }

    private sealed class AllOf(Cond[] tests) : Cond
    {
        protected override bool Test(Execution x)
        {
            foreach (Cond test in tests)
                if (!test.Holds(x)) return false;
            return true;
        }
    }

    private sealed class AnyOf(Cond[] tests) : Cond
    {
        protected override bool Test(Execution x)
        {
            foreach (Cond test in tests)
                if (test.Holds(x)) return true;
            return false;
        }
    }

    private sealed class Size(bool over, long limit) : Cond
    {
        protected override bool Test(Execution x)
        {
            // In a loop, the part's own size (RFC 5703 section 4.1, last example).
            long size = x.Frame.Loops.Count > 0 ? MessageView.SizeOf(x.CurrentPart)
                : x.Frame.BasePart is { } part ? MessageView.SizeOf(part)
                : x.View.Size;
            bool holds = over ? size > limit : size < limit;
            x.Trace?.Compare(x.Frame.Script.Name, size.ToString(CultureInfo.InvariantCulture), $"{(over ? "over" : "under")} {limit}", holds);
            return holds;
        }
    }
}
