namespace Posthorn.Directory;

/// <summary>How bad a <see cref="DirectoryProblem"/> is.</summary>
public enum ProblemSeverity
{
    /// <summary>Something was left unused that has no bearing on how mail flows.</summary>
    Note,
    /// <summary>It works, but perhaps not as it was meant.</summary>
    Warning,
    /// <summary>A line or file could not be used.</summary>
    Error,
}

/// <summary>Something wrong in the directory's files: where, what was found and what to do. Never holds a password or hash.</summary>
/// <param name="File">The file, or <c>configuration</c>.</param>
/// <param name="Line">The line, from 1; 0 for the file as a whole.</param>
public sealed record DirectoryProblem(ProblemSeverity Severity, string File, int Line, string Text)
{
    public override string ToString() => Line > 0 ? $"{File}:{Line}: {Text}" : $"{File}: {Text}";
}
