using Posthorn.Sieve;
using Posthorn.Sieve.Syntax;

namespace Posthorn.Filtering;

/// <summary>Counts how often the commands on each line of one script were reached, over many runs.</summary>
internal sealed class LineCoverage : ISieveTrace
{
    private readonly string _script;
    private readonly SortedDictionary<int, long> _times = [];
    private readonly HashSet<int> _now = [];

    public LineCoverage(SieveScript script)
    {
        _script = script.Name;
        Collect(script.Tree.Commands);
    }

    /// <summary>Each line with commands, and in how many runs it was reached.</summary>
    public IReadOnlyDictionary<int, long> Times => _times;

    public void Begin() => _now.Clear();

    public void Command(string script, SourcePosition at, string name)
    {
        if (script == _script) _now.Add(at.Line);
    }

    public void Test(string script, SourcePosition at, string name, bool result)
    {
    }

    public void Compare(string script, string value, string key, bool result)
    {
    }

    /// <summary>The run has ended: what it reached counts.</summary>
    public void EndRun()
    {
        foreach (int line in _now)
            if (_times.TryGetValue(line, out long times)) _times[line] = times + 1;
        _now.Clear();
    }

    private void Collect(IReadOnlyList<SieveCommand> commands)
    {
        foreach (SieveCommand command in commands)
        {
            // These are parts of others, or done when the script is read.
            if (command.Name.ToLowerInvariant() is not ("require" or "elsif" or "else")) _times.TryAdd(command.At.Line, 0);
            if (command.Block is not null) Collect(command.Block);
        }
    }
}
