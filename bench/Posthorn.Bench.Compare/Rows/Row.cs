using Posthorn.Bench.Compare.Servers;

namespace Posthorn.Bench.Compare.Rows;

/// <summary>One run of a row on one server.</summary>
/// <param name="Value">In the row's unit.</param>
/// <param name="Cpu">Milliseconds of the server's CPU for each item; null where it says nothing.</param>
/// <param name="ClientCpu">The driver's own share, for each item.</param>
/// <param name="Foreign">The part of the machine that others used meanwhile, in percent: what the figure is worth.</param>
internal readonly record struct Measure(double Value, double? Cpu = null, double? ClientCpu = null, double? Foreign = null);

/// <summary>One line of the comparison. To add one, write a class and name it in <see cref="RowList"/>.</summary>
internal abstract class Row
{
    /// <summary>What <c>--rows</c> calls it.</summary>
    internal required string Id { get; init; }

    /// <summary>What people read.</summary>
    internal required string Title { get; init; }

    internal abstract string Unit { get; }

    internal virtual bool HigherIsBetter => true;

    /// <summary>How many times better than the peer it is meant to be; for what is absolute see <see cref="Limit"/>.</summary>
    internal double? Goal { get; init; }

    /// <summary>The same for CPU.</summary>
    internal double? CpuGoal { get; init; }

    /// <summary>A value that ours must not go above.</summary>
    internal double? Limit { get; init; }

    /// <summary>Whether the servers run already when a run begins; others start them as they want.</summary>
    internal virtual bool NeedsRunning => true;

    /// <summary>Accounts that each run wants for itself.</summary>
    internal virtual int Users => 0;

    internal abstract Measure Run(MailServer server, RunScope scope);
}

/// <summary>What a run may use.</summary>
/// <param name="FirstUser">The first of its accounts; nobody else touches them.</param>
/// <param name="Quick">Whether it is only to be seen that everything works.</param>
/// <param name="IsPeer">Whether the peer runs, which is given fewer messages so that its runs end.</param>
/// <param name="Tag">Tells the runs' messages apart.</param>
internal sealed record RunScope(int FirstUser, bool Quick, bool IsPeer, string Tag)
{
    internal int Scale(int ours, int peers) => Quick ? 200 : IsPeer ? peers : ours;
}
