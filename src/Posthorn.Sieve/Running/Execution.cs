using Posthorn.Sieve.Matching;
using Posthorn.Sieve.Messages;

namespace Posthorn.Sieve.Running;

/// <summary>How a block ended.</summary>
internal enum Flow
{
    Next,
    Stop,
    Return,
    Break,
}

/// <summary>A compiled command.</summary>
internal abstract class Op
{
    public SourcePosition At { get; set; }

    public string Name { get; set; } = "";

    public abstract Flow Run(Execution x);
}

/// <summary>A compiled test.</summary>
internal abstract class Cond
{
    public SourcePosition At { get; set; }

    public string Name { get; set; } = "";

    protected abstract bool Test(Execution x);

    public bool Holds(Execution x)
    {
        x.Budget.Spend(1);
        bool result = Test(x);
        x.Trace?.Test(x.Frame.Script.Name, At, Name, result);
        return result;
    }
}

/// <summary>The variables and places of one script in a run; an include makes another.</summary>
internal sealed class Frame(SieveScript script, ISievePart? basePart)
{
    public SieveScript Script { get; } = script;

    public string?[] Variables { get; } = new string?[script.VariableCount];

    /// <summary>What ${0} and the others hold.</summary>
    public List<string>? Matches { get; set; }

    /// <summary>The part that an included script sees as the whole message (RFC 6609 section 3.5).</summary>
    public ISievePart? BasePart { get; } = basePart;

    /// <summary>How many loops run in the scripts that include this one.</summary>
    public int OuterLoops { get; init; }

    /// <summary>The innermost loop of the scripts that include this one: a loop in it is nested in that, as in Pigeonhole.</summary>
    public PartLoop? OuterLoop { get; init; }

    /// <summary>The loops over parts that are running in this script.</summary>
    public List<PartLoop> Loops { get; } = [];

    /// <summary>Extensions that ihave found (RFC 5463 section 4).</summary>
    public HashSet<string>? Found { get; set; }
}

/// <summary>The state of one run.</summary>
internal sealed class Execution
{
    private readonly Func<SieveQuestion, SieveAnswer?> _answers;
    private readonly List<SieveNote> _notes = [];

    public Execution(ISieveMessage message, SieveContext context, SieveSettings settings, Func<SieveQuestion, SieveAnswer?> answers, StepBudget budget)
    {
        _answers = answers;
        Context = context;
        Settings = settings;
        Trace = context.Trace;
        View = new(message, context.Parser, settings.Limits);
        Result = new(this);
        Budget = budget;
        Flags = FlagList.Parse(context.InitialFlags);
    }

    public SieveContext Context { get; set; }

    public SieveSettings Settings { get; set; }

    public SieveLimits Limits => Settings.Limits;

    public ISieveTrace? Trace { get; }

    public MessageView View { get; set; }

    public ResultBuilder Result { get; set; }

    public StepBudget Budget { get; }

    public Frame Frame { get; set; } = null!;

    /// <summary>Variables of the namespace global (RFC 6609 section 3.4.2).</summary>
    public Dictionary<string, string> Globals { get; } = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>Read-only variables of other namespaces, by full name (the test tool's).</summary>
    public Func<string, string?>? Namespaces { get; set; }

    /// <summary>The test tool, where it runs.</summary>
    public Testsuite.TestState? Tests { get; set; }

    /// <summary>The internal flag variable (RFC 5232 section 3).</summary>
    public List<string> Flags { get; set; }

    /// <summary>The loop that a break ends.</summary>
    public int BreakLoop { get; set; }

    /// <summary>Scripts that are being included, innermost last.</summary>
    public List<SieveQuestion.Include> Including { get; } = [];

    /// <summary>All scripts that were included.</summary>
    public HashSet<SieveQuestion.Include> Included { get; } = [];

    public int Includes { get; set; }

    public int Programs { get; set; }

    /// <summary>How many messages of our own this run has made.</summary>
    public int Mails { get; set; }

    /// <summary>Where the command stands that is running, for errors.</summary>
    public SourcePosition? Position { get; set; }

    /// <summary>The moment of the run: all of currentdate is one moment (RFC 5260 section 5).</summary>
    public DateTimeOffset Now => _now ??= Context.Time.GetLocalNow();

    private DateTimeOffset? _now;

    public IReadOnlyList<SieveNote> Notes => _notes;

    public void Note(string text)
    {
        if (_notes.Count < Limits.MaxNotes) _notes.Add(new(text, Position));
    }

    /// <summary>Notes a mistake of the script that does not end the run, once.</summary>
    public void Fault(string text)
    {
        if (_faults.Add(text)) Note(text);
    }

    /// <summary>Mistakes that did not end the run.</summary>
    public IReadOnlyCollection<string> Faults => _faults;

    private readonly HashSet<string> _faults = new(StringComparer.Ordinal);

    /// <summary>The part that tests with :mime look at.</summary>
    public ISievePart CurrentPart => Frame.Loops.Count > 0 ? Frame.Loops[^1].Current : BasePart;

    public ISievePart BasePart => Frame.BasePart ?? View.Message.Root;

    /// <summary>The header that plain tests look at.</summary>
    public List<HeaderField> Fields => Frame.BasePart is null ? View.Fields : View.FieldsOf(Frame.BasePart);

    public Flow RunBlock(Op[] block)
    {
        foreach (Op op in block)
        {
            Budget.Spend(1);
            Position = op.At;
            Trace?.Command(Frame.Script.Name, op.At, op.Name);
            Flow flow = op.Run(this);
            if (flow != Flow.Next) return flow;
        }
        return Flow.Next;
    }

    /// <summary>The host's answer; ends this evaluation when it is not known yet, to begin again with it.</summary>
    public T Ask<T>(SieveQuestion question) where T : SieveAnswer
    {
        return (_answers(question) ?? throw new SieveQuestionException(question)) switch
        {
            T expected => expected,
            SieveAnswer.Unavailable no => throw new SieveRunException(no.Why, no.IsTemporary ? SieveFailure.Temporary : SieveFailure.Script),
            _ => throw new SieveRunException("the host gave an answer that does not fit", SieveFailure.Temporary),
        };
    }

    /// <summary>A list by any form of its name; a run that needs one that is not there fails (RFC 6134 section 2.2).</summary>
    public SieveExternalList ExternalList(string name) => FindExternalList(name) ?? throw new SieveRunException($"there is no list \"{name}\"");

    public SieveExternalList? FindExternalList(string name) =>
        SieveExternalList.IsName(name) ? Ask<SieveAnswer.List>(new SieveQuestion.ExternalList(SieveExternalList.Normalize(name))).Value : null;

    public bool Asks(SieveQuestion question) => Ask<SieveAnswer.Truth>(question).Value;
}

/// <summary>Ends an evaluation that needs an answer; it begins again when that is there.</summary>
#pragma warning disable CA1032, CA1064 // Made and caught in this assembly only.
internal sealed class SieveQuestionException(SieveQuestion question) : Exception
#pragma warning restore CA1032, CA1064
{
    public SieveQuestion Question { get; } = question;
}
