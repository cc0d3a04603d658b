using Posthorn.Core;
using Posthorn.Sieve.Syntax;

namespace Posthorn.Sieve;

/// <summary>What the checker may know of the account, for warnings.</summary>
public sealed record SieveCheckContext
{
    /// <summary>Whether a mailbox is there; null when that is not known.</summary>
    public Func<MailboxName, bool>? MailboxExists { get; init; }

    /// <summary>The owner's addresses.</summary>
    public IReadOnlyList<EmailAddress> OwnerAddresses { get; init; } = [];
}

/// <summary>Reads, checks and compiles scripts. Tells all errors at once; never throws on any input.</summary>
public static class SieveCompiler
{
    /// <summary>Compiles a script of octets.</summary>
    public static SieveCompilation Compile(ReadOnlySpan<byte> script, string name, SieveSettings settings, SieveCheckContext? check = null)
    {
        Diagnostics diagnostics = new(settings.Limits.MaxErrors);
        if (script.Length > settings.Limits.MaxScriptSize)
        {
            diagnostics.Error(new(1, 1), $"the script is larger than {settings.Limits.MaxScriptSize} octets");
            return new(null, diagnostics.ToList());
        }
        if (script.StartsWith("\uFEFF"u8)) script = script[3..]; // editors on Windows begin files so
        SieveTree tree = Parser.Parse(SieveText.FromUtf8(script), settings.Limits, diagnostics);
        SieveScript compiled = new Checking.Compiler(settings, diagnostics, check ?? new()).Compile(tree, name);
        return new(diagnostics.Errors == 0 ? compiled : null, diagnostics.ToList());
    }

    /// <summary>Compiles a script of text.</summary>
    public static SieveCompilation Compile(string script, string name, SieveSettings settings, SieveCheckContext? check = null) =>
        Compile(SieveText.ToUtf8(script), name, settings, check);

    /// <summary>Reads a script without checking more than its syntax.</summary>
    public static (SieveTree Tree, IReadOnlyList<SieveDiagnostic> Diagnostics) Parse(ReadOnlySpan<byte> script, SieveLimits limits)
    {
        Diagnostics diagnostics = new(limits.MaxErrors);
        SieveTree tree = Parser.Parse(SieveText.FromUtf8(script), limits, diagnostics);
        return (tree, diagnostics.ToList());
    }
}
