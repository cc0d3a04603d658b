using Posthorn.Sieve.Running;

namespace Posthorn.Sieve.Language;

/// <summary>pipe, filter and execute (vnd.dovecot.pipe, .filter, .execute): programs of a directory that the administrator names.</summary>
internal static class ProgramCommands
{
    public static IReadOnlyList<CommandSpec> Specs { get; } =
    [
        new("pipe", CommandKind.Action, "vnd.dovecot.pipe")
        {
            Tags = [new("copy", Extension: "copy"), new("try")],
            Parameters = Program,
            Build = b => CheckName(b) ? new PipeOp(b.Text("program"), Arguments(b), b.Has("copy"), b.Has("try")) : null,
        },
        new("filter", CommandKind.Action, "vnd.dovecot.filter")
        {
            Parameters = Program,
            Build = b => CheckName(b) ? new RunOp(new(b.Text("program"), Arguments(b), true)) : null,
        },
        new("filter", CommandKind.Test, "vnd.dovecot.filter")
        {
            Parameters = Program,
            BuildTest = b => CheckName(b) ? new RunTest(new(b.Text("program"), Arguments(b), true)) : null,
        },
        new("execute", CommandKind.Action, "vnd.dovecot.execute")
        {
            Tags = ExecuteTags,
            Parameters = Program,
            Build = b => BuildExecute(b) is { } run ? new RunOp(run) : null,
        },
        new("execute", CommandKind.Test, "vnd.dovecot.execute")
        {
            Tags = ExecuteTags,
            Parameters = Program,
            BuildTest = b => BuildExecute(b) is { } run ? new RunTest(run) : null,
        },
    ];

    private static TagSpec[] ExecuteTags => [new("input", ArgumentKind.Text, "input"), new("pipe", Group: "input"), new("output", ArgumentKind.Text)];

    // The arguments follow the name, so that the name is not the optional one.
    private static ParamSpec[] Program => [new("program", ArgumentKind.Text), new("arguments", ArgumentKind.TextList, IsOptional: true)];

    private static TextListExpr Arguments(Bound b) => b.HasParameter("arguments") ? b.List("arguments") : new([]);

    private static bool CheckName(Bound b)
    {
        if (b.Text("program").Constant is not { } name || IsName(name)) return true;
        b.Error(b.ParameterAt("program"), $"\"{name}\" is no name for a program", "programs are named without a directory");
        return false;
    }

    private static bool IsName(string name) =>
        name.Length is > 0 and <= 128 && name[0] != '.' && !name.Contains('/', StringComparison.Ordinal) && !name.Any(c => char.IsControl(c) || c is '\u2028' or '\u2029');

    private static Invocation? BuildExecute(Bound b)
    {
        if (!CheckName(b)) return null;
        TextPart? output = null;
        if (b.TagText("output") is { } name && (output = VariableCommands.Name(b, name, b.TagAt("output"))) is null) return null;
        return new(b.Text("program"), Arguments(b), false) { Output = output, Input = b.TagText("input"), IsPiped = b.Has("pipe") };
    }

    private static string ReadName(Execution x, TextExpr program)
    {
        string name = program.Eval(x);
        return IsName(name) ? name : throw new SieveRunException($"\"{name}\" is no name for a program");
    }

    private static string[] ReadArguments(Execution x, TextListExpr arguments)
    {
        string[] given = arguments.Eval(x);
        foreach (string argument in given)
            if (argument.AsSpan().IndexOfAny("\r\n\0") >= 0) throw new SieveRunException("the arguments of a program must not hold line ends");
        return given;
    }

    private sealed class PipeOp(TextExpr program, TextListExpr arguments, bool copy, bool mayFail) : Op
    {
        public override Flow Run(Execution x)
        {
            x.Result.Pipe(new(ReadName(x, program), ReadArguments(x, arguments), mayFail, x.View.Image), copy);
            return Flow.Next;
        }
    }

    private sealed class Invocation(TextExpr program, TextListExpr arguments, bool isFilter)
    {
        public TextPart? Output { get; init; }
        public TextExpr? Input { get; init; }
        public bool IsPiped { get; init; }

        public bool Run(Execution x)
        {
            string[] given = ReadArguments(x, arguments);
            ReadOnlyMemory<byte> input = isFilter || IsPiped ? x.View.Image.ToBytes() : Input is { } text ? SieveText.ToUtf8(text.Eval(x)) : default;
            SieveQuestion.Run question = new(++x.Programs, isFilter, ReadName(x, program), string.Join('\n', given), given, new(input));
            SieveAnswer.Output answer = x.Ask<SieveAnswer.Output>(question);
            if (!answer.IsOk) return false;
            if (isFilter && !answer.Octets.IsEmpty) x.View.Become(answer.Octets.ToArray());
            if (Output is { } target) VariableCommands.Assign(x, target, SieveText.FromUtf8(answer.Octets.Span));
            return true;
        }
    }

    private sealed class RunOp(Invocation invocation) : Op
    {
        public override Flow Run(Execution x)
        {
            if (!invocation.Run(x)) x.Note("a program ended with a failure");
            return Flow.Next;
        }
    }

    private sealed class RunTest(Invocation invocation) : Cond
    {
        // As a test, a program that is not there is one that failed.
        protected override bool Test(Execution x)
        {
            try { return invocation.Run(x); }
            catch (SieveRunException missing) when (missing.Failure == SieveFailure.Script)
            {
                x.Fault(missing.Message);
                return false;
            }
        }
    }
}
