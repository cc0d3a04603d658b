namespace Posthorn.Commands;

/// <summary>The exit status of every command.</summary>
internal static class ExitStatus
{
    public const int Done = 0;

    /// <summary>The thing examined is wrong or not found.</summary>
    public const int Wrong = 1;

    /// <summary>Wrong usage.</summary>
    public const int Usage = 2;

    /// <summary>The server cannot be reached.</summary>
    public const int Unreachable = 3;

    /// <summary>The server refused.</summary>
    public const int Refused = 4;
}
