namespace Posthorn.Sieve;

/// <summary>Why a run ended in an error.</summary>
public enum SieveFailure
{
    /// <summary>The script did what it must not: a bad address, conflicting actions, the error command.</summary>
    Script,
    /// <summary>A limit was reached.</summary>
    Limit,
    /// <summary>The host could not answer now; a later try may go well.</summary>
    Temporary,
}
