using System.Collections.Frozen;

namespace Posthorn.Sieve.Language;

/// <summary>The extensions that the engine has (capability strings, RFC 5228 section 6.1).</summary>
internal static class Extensions
{
    public static IReadOnlyList<string> All { get; } =
    [
        "fileinto", "envelope", "encoded-character", "copy", "body", "variables", "vacation", "vacation-seconds", "relational", "imapflags",
        "imap4flags", "subaddress", "spamtest", "spamtestplus", "virustest", "date", "index", "editheader", "reject", "ereject",
        "enotify", "ihave", "mailbox", "mboxmetadata", "servermetadata", "foreverypart", "mime", "extracttext", "replace", "enclose",
        "environment", "extlists", "include", "imapsieve", "duplicate", "special-use", "fcc", "mailboxid", "regex",
        "redirect-dsn", "redirect-deliverby", "envelope-dsn", "envelope-deliverby",
        "comparator-i;octet", "comparator-i;ascii-casemap", "comparator-i;ascii-numeric", "comparator-i;unicode-casemap",
        "vnd.dovecot.environment", "vnd.dovecot.debug", "vnd.dovecot.report", "vnd.dovecot.pipe", "vnd.dovecot.filter", "vnd.dovecot.execute",
        "vnd.dovecot.duplicate", "notify", "vnd.dovecot.testsuite",
    ];

    private static readonly FrozenSet<string> Known = All.ToFrozenSet(StringComparer.Ordinal);

    /// <summary>Those that change how a script is read: ihave cannot turn them on (RFC 5463 section 4).</summary>
    private static readonly FrozenSet<string> Grammatical = new[] { "variables", "encoded-character", "ihave", "imapsieve", "notify" }.ToFrozenSet(StringComparer.Ordinal);

    public static bool IsKnown(string name) => Known.Contains(name);

    public static bool IsGrammatical(string name) => Grammatical.Contains(name);
}
