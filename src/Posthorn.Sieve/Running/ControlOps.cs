namespace Posthorn.Sieve.Running;

/// <summary>if, elsif and else (RFC 5228 section 3.1).</summary>
internal sealed class IfOp((Cond? Test, Op[] Block)[] branches) : Op
{
    public override Flow Run(Execution x)
    {
        foreach ((Cond? test, Op[] block) in branches)
            if (test is null || test.Holds(x)) return x.RunBlock(block);
        return Flow.Next;
    }
}

/// <summary>Commands that end something.</summary>
internal static class ControlOps
{
    /// <summary>RFC 5228 section 3.3.</summary>
    internal sealed class Stop : Op
    {
        public override Flow Run(Execution x) => Flow.Stop;
    }

    /// <summary>RFC 6609 section 3.3.</summary>
    internal sealed class Return : Op
    {
        public override Flow Run(Execution x) => Flow.Return;
    }

    /// <summary>RFC 5463 section 5.</summary>
    internal sealed class Error(TextExpr text) : Op
    {
        public override Flow Run(Execution x) => throw new SieveRunException(text.Eval(x));
    }

    /// <summary>RFC 5703 section 3.</summary>
    internal sealed class Break(int loop) : Op
    {
        public override Flow Run(Execution x)
        {
            x.BreakLoop = loop;
            return Flow.Break;
        }
    }
}

/// <summary>A command that cannot be run, in a script that asks for extensions as it runs (RFC 5463 section 4).</summary>
internal sealed class FailOp(string text) : Op
{
    public override Flow Run(Execution x) => throw new SieveRunException(text);
}

/// <summary>A test that cannot be run; see <see cref="FailOp"/>.</summary>
internal sealed class FailCond(string text) : Cond
{
    protected override bool Test(Execution x) => throw new SieveRunException(text);
}

/// <summary>A command whose extension must have been found by ihave.</summary>
internal sealed class GateOp(string extension, Op inner) : Op
{
    public override Flow Run(Execution x)
    {
        Gates.Check(x, extension);
        return inner.Run(x);
    }
}

/// <summary>A test whose extension must have been found by ihave.</summary>
internal sealed class GateCond(string extension, Cond inner) : Cond
{
    protected override bool Test(Execution x)
    {
        Gates.Check(x, extension);
        return inner.Holds(x);
    }
}

internal static class Gates
{
    public static void Check(Execution x, string extension)
    {
        if (x.Frame.Found?.Contains(extension) != true)
            throw new SieveRunException($"the extension \"{extension}\" is used without being required or found by ihave");
    }
}
