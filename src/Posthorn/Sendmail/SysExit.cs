namespace Posthorn.Sendmail;

/// <summary>The exit statuses that programs which call <c>sendmail</c> know (sysexits.h).</summary>
internal static class SysExit
{
    public const int Ok = 0;

    /// <summary>Wrong usage.</summary>
    public const int Usage = 64;

    /// <summary>The message cannot be used.</summary>
    public const int DataError = 65;

    /// <summary>No such recipient.</summary>
    public const int NoUser = 67;

    /// <summary>The server refused.</summary>
    public const int Unavailable = 69;

    /// <summary>The input cannot be read.</summary>
    public const int InputError = 74;

    /// <summary>Nothing was sent; trying again later will help.</summary>
    public const int TemporaryFailure = 75;

    /// <summary>This user may not.</summary>
    public const int NoPermission = 77;

    /// <summary>The status that a refusal of the server means.</summary>
    public static int Of(Posthorn.Transport.SmtpReply reply) => reply switch
    {
        { IsTransient: true } => TemporaryFailure,
        { Status: "5.1.1" or "5.1.2" or "5.1.3" or "5.1.6" or "5.1.10" } => NoUser,
        { Code: 552 or 554 or 541 } when reply.Status.StartsWith("5.6.", StringComparison.Ordinal) => DataError,
        { Status: "5.7.1" } => NoPermission,
        _ => Unavailable,
    };
}
