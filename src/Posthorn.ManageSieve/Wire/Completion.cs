using Posthorn.Core;

namespace Posthorn.ManageSieve.Wire;

/// <summary>The end of a command: OK, NO or BYE, a response code without parentheses, and a text (RFC 5804 sections 1.2 and 1.3).</summary>
internal sealed class Completion
{
    private readonly byte[] _word;

    private Completion(ReadOnlySpan<byte> word, string? code, string text, string? codeText = null) => (_word, Code, Text, CodeText) = (word.ToArray(), code, text, codeText);

    public ReadOnlySpan<byte> Word => _word;

    public string? Code { get; }

    /// <summary>The response code's argument.</summary>
    public string? CodeText { get; }

    public string Text { get; }

    /// <summary>The command was not understood, for counting.</summary>
    public bool IsBad { get; private init; }

    public bool IsOk => Word.SequenceEqual("OK"u8);

    /// <summary>The handler has written its own ending.</summary>
    public bool IsWritten { get; private init; }

    public static Completion Written { get; } = new(default, null, "") { IsWritten = true };

    /// <summary>Our own fault or the disk's; nothing of the cause is told.</summary>
    public static Completion ServerBug { get; } = No("TRYLATER", "Something went wrong here; it has been noted");

    public static Completion Ok(string text) => new("OK"u8, null, text);
    public static Completion Ok(string code, string text) => new("OK"u8, code, text);
    public static Completion OkWith(string code, string argument, string text) => new("OK"u8, code, text, argument);
    public static Completion No(string text) => new("NO"u8, null, text);
    public static Completion No(string code, string text) => new("NO"u8, code, text);
    public static Completion Bye(string? code, string text) => new("BYE"u8, code, text);

    /// <summary>What is no command, or has wrong arguments.</summary>
    public static Completion Bad(string text) => new("NO"u8, null, text) { IsBad = true };

    /// <summary>The one place where refusals become replies.</summary>
    public static Completion From(Refusal refusal) => new("NO"u8,
        refusal.Kind switch
        {
            RefusalKind.NoSuchScript => "NONEXISTENT",
            RefusalKind.AlreadyExists => "ALREADYEXISTS",
            RefusalKind.InUse => "ACTIVE",
            RefusalKind.TooBig => "QUOTA/MAXSIZE",
            RefusalKind.Limit => "QUOTA/MAXSCRIPTS",
            RefusalKind.OverQuota => "QUOTA",
            RefusalKind.Unavailable => "TRYLATER",
            _ => null,
        },
        refusal.Text);
}
