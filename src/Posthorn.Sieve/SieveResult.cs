namespace Posthorn.Sieve;

/// <summary>Why a run failed, and where.</summary>
public sealed record SieveError(string Message, SieveFailure Failure, SourcePosition? At);

/// <summary>A line for the owner's log: from debug_log, or a warning of the interpreter.</summary>
public sealed record SieveNote(string Text, SourcePosition? At);

/// <summary>An id that the duplicate test saw, to be remembered when the result has been carried out (RFC 7352 section 3).</summary>
/// <param name="FromLast">The period begins anew with each message (:last).</param>
public sealed record SieveSeenId(string Handle, string Id, TimeSpan Period, bool FromLast);

/// <summary>What a run decided. Nothing has happened yet.</summary>
/// <remarks>After an error the actions are one implicit keep of the original message (RFC 5228 section 2.10.6).</remarks>
public sealed record SieveResult(
    IReadOnlyList<SieveAction> Actions,
    SieveError? Error,
    IReadOnlyList<SieveNote> Notes,
    IReadOnlyList<SieveSeenId> SeenIds)
{
    public bool IsOk => Error is null;
}

/// <summary>Told of each step of a run: for traces and line coverage.</summary>
public interface ISieveTrace
{
    /// <summary>The evaluation begins: the first time, or anew with an answer of the host. What was told before is void.</summary>
    void Begin();

    void Command(string script, SourcePosition at, string name);
    void Test(string script, SourcePosition at, string name, bool result);
    void Compare(string script, string value, string key, bool result);
}
