namespace Posthorn.Sieve;

/// <summary>The bounds of compiling and running a script. Who crosses one gets an error that names it.</summary>
public sealed record SieveLimits
{
    public static SieveLimits Default { get; } = new();

    /// <summary>Octets of one script: 1 MiB, as Pigeonhole; the largest generated scripts seen are a tenth of that.</summary>
    public int MaxScriptSize { get; init; } = 1024 * 1024;

    /// <summary>Commands of one script: a mebibyte of one-line rules has fewer.</summary>
    public int MaxCommands { get; init; } = 50_000;

    /// <summary>Errors told about one script: more than fit a screen help nobody.</summary>
    public int MaxErrors { get; init; } = 100;

    /// <summary>Nested blocks; RFC 5228 section 2.10.7 asks for 15.</summary>
    public int MaxBlockDepth { get; init; } = 32;

    /// <summary>Nested tests; RFC 5228 section 2.10.7 asks for 15.</summary>
    public int MaxTestDepth { get; init; } = 32;

    /// <summary>Strings in one list: block lists of a few thousand addresses exist.</summary>
    public int MaxListItems { get; init; } = 10_000;

    /// <summary>Actions of one run, as Pigeonhole's default.</summary>
    public int MaxActions { get; init; } = 32;

    /// <summary>Redirects of one run, as Pigeonhole's default: each is a copy of the message sent to others.</summary>
    public int MaxRedirects { get; init; } = 4;

    /// <summary>Notifications of one run, with the same thought as redirects.</summary>
    public int MaxNotifications { get; init; } = 8;

    /// <summary>Steps (commands, tests, comparisons, and the inner steps of matching): some seconds of work on a slow machine.</summary>
    public long MaxSteps { get; init; } = 50_000_000;

    /// <summary>Time of one run by the clock, against what counting does not see.</summary>
    public TimeSpan MaxTime { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Octets of one variable's value; longer values are cut (RFC 5229 section 6 asks for 4000).</summary>
    public int MaxVariableSize { get; init; } = 4096;

    /// <summary>Variables of one script (RFC 5229 section 6 asks for 128).</summary>
    public int MaxVariables { get; init; } = 255;

    /// <summary>Characters of a variable's name (RFC 5229 section 6 asks for 32).</summary>
    public int MaxVariableName { get; init; } = 64;

    /// <summary>Highest match variable that can be named (RFC 5229 section 6 asks for 9).</summary>
    public int MaxMatchVariable { get; init; } = 32;

    /// <summary>Octets of one string after its variables are filled in: a few variables in a long text.</summary>
    public int MaxStringSize { get; init; } = 1024 * 1024;

    /// <summary>Depth of includes; RFC 6609 section 3.1 asks for 3 with the first script.</summary>
    public int MaxIncludeDepth { get; init; } = 10;

    /// <summary>Includes of one run, since a chain of doubling includes grows fast.</summary>
    public int MaxIncludes { get; init; } = 255;

    /// <summary>Depth of foreverypart in foreverypart, as Pigeonhole: each level multiplies the work (RFC 5703 section 3 asks for 2).</summary>
    public int MaxLoopDepth { get; init; } = 4;

    /// <summary>Octets of a header field that addheader makes; RFC 5293 section 4 asks for 998.</summary>
    public int MaxHeaderSize { get; init; } = 2048;

    /// <summary>Octets of one decoded part that body tests and extracttext look at: attachments above that are not text.</summary>
    public int MaxBodySize { get; init; } = 4 * 1024 * 1024;

    /// <summary>Octets of the message that replace, enclose and filter may make.</summary>
    public int MaxEditedSize { get; init; } = 64 * 1024 * 1024;

    /// <summary>States of one compiled regular expression: x{255} of a short group fits.</summary>
    public int MaxRegexStates { get; init; } = 5_000;

    /// <summary>States of all regular expressions of one script together, as they are kept: a few MiB, some hundred expressions such as people write.</summary>
    public int MaxScriptRegexStates { get; init; } = 50_000;

    /// <summary>Questions to the host in one run: each restarts the evaluation.</summary>
    public int MaxQuestions { get; init; } = 200;

    /// <summary>Header fields looked at; the rest of a header that is longer is not seen by tests.</summary>
    public int MaxHeaderFields { get; init; } = 5_000;

    /// <summary>Notes kept from one run (debug_log and warnings).</summary>
    public int MaxNotes { get; init; } = 100;
}
