namespace Posthorn.Sieve.Running;

/// <summary>Ends a run with an error inside the interpreter; never leaves it.</summary>
#pragma warning disable CA1032, CA1064 // Made and caught in this assembly only.
internal sealed class SieveRunException(string message, SieveFailure failure = SieveFailure.Script) : Exception(message)
#pragma warning restore CA1032, CA1064
{
    public SieveFailure Failure { get; } = failure;

    public SourcePosition? At { get; init; }
}
