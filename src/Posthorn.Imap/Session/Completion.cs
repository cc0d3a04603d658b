using Posthorn.Core;
using Posthorn.Store;

namespace Posthorn.Imap.Session;

/// <summary>How a command ended (RFC 9051 section 7.1).</summary>
internal enum CompletionKind
{
    Ok,
    No,
    Bad,

    /// <summary>The handler has written its own ending, or wants none.</summary>
    Written,
}

/// <summary>The end of a command: kind, response code without brackets, and text.</summary>
internal sealed record Completion(CompletionKind Kind, string? Code, string Text)
{
    /// <summary>Nothing more is to be written.</summary>
    public static Completion Written { get; } = new(CompletionKind.Written, null, "");

    /// <summary>The answer comes in its turn, when the work is done.</summary>
    public static Completion Deferred { get; } = new(CompletionKind.Written, null, "later");

    public static Completion Ok(string text) => new(CompletionKind.Ok, null, text);
    public static Completion Ok(string code, string text) => new(CompletionKind.Ok, code, text);
    public static Completion No(string text) => new(CompletionKind.No, null, text);
    public static Completion No(string code, string text) => new(CompletionKind.No, code, text);
    /// <summary>Sequence numbers were used after ENABLE UIDONLY (RFC 9586).</summary>
    public static Completion UidRequired { get; } = new(CompletionKind.Bad, "UIDREQUIRED", "Sequence numbers cannot be used after ENABLE UIDONLY");

    public static Completion Bad(string text) => new(CompletionKind.Bad, null, text);

    /// <summary>Our own fault or the disk's; nothing of the cause is told (RFC 5530 SERVERBUG).</summary>
    public static Completion ServerBug { get; } = No("SERVERBUG", "Something went wrong here; it has been noted");

    /// <summary>The answer to a failure of ours: that of the mail may pass, and the client may try again (RFC 5530 UNAVAILABLE).</summary>
    public static Completion Of(Exception failure) =>
        failure is MailUnavailableException ? No("UNAVAILABLE", "The mail is not available now; it has been noted, try again in a moment") : ServerBug;

    /// <summary>The one place where refusals become replies (RFC 5530).</summary>
    /// <param name="refusal">Why the store said no.</param>
    /// <param name="creatable">A missing mailbox was a target: the client may make it and try again (RFC 9051 section 7.1, TRYCREATE).</param>
    public static Completion From(Refusal refusal, bool creatable = false) => No(
        refusal.Kind switch
        {
            RefusalKind.NoSuchMailbox => creatable ? "TRYCREATE" : "NONEXISTENT",
            RefusalKind.AlreadyExists => "ALREADYEXISTS",
            RefusalKind.BadName => "CANNOT",
            RefusalKind.OverQuota => "OVERQUOTA",
            RefusalKind.TooBig => "TOOBIG",
            RefusalKind.Limit => "LIMIT",
            RefusalKind.NoPermission => "NOPERM",
            RefusalKind.ReadOnly => "NOPERM",
            RefusalKind.Expunged => "EXPUNGEISSUED",
            RefusalKind.InUse => "INUSE",
            RefusalKind.NoSuchAccount => "NONEXISTENT",
            RefusalKind.NoSpace => "UNAVAILABLE",
            RefusalKind.Unavailable => "UNAVAILABLE",
            _ => "CONTACTADMIN",
        },
        refusal.Text);
}
