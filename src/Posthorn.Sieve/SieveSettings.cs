using System.Collections.Frozen;

namespace Posthorn.Sieve;

/// <summary>How a spam or virus checker tells its verdict (RFC 5235; settings as in Pigeonhole).</summary>
public sealed record SieveScoreSettings
{
    /// <summary>The header field to read.</summary>
    public string StatusHeader { get; init; } = "";

    /// <summary>A POSIX expression whose first group is the value; null takes the whole.</summary>
    public string? StatusPattern { get; init; }

    /// <summary>What is wrong with a pattern; null when it can be used.</summary>
    public static string? PatternProblem(string pattern)
    {
        Matching.PosixRegex.TryCompile(pattern, true, SieveLimits.Default.MaxRegexStates, out string? problem);
        return problem;
    }

    /// <summary>How the value is read.</summary>
    public SieveScoreKind Kind { get; init; } = SieveScoreKind.Score;

    /// <summary>The score that means certainty.</summary>
    public double? MaxValue { get; init; }

    /// <summary>A field that holds <see cref="MaxValue"/>.</summary>
    public string? MaxHeader { get; init; }

    /// <summary>The pattern for <see cref="MaxHeader"/>.</summary>
    public string? MaxPattern { get; init; }

    /// <summary>For <see cref="SieveScoreKind.Text"/>: the text that means each value.</summary>
    public IReadOnlyDictionary<int, string> TextValues { get; init; } = new Dictionary<int, string>();
}

/// <summary>How the verdict is written.</summary>
public enum SieveScoreKind
{
    /// <summary>A number.</summary>
    Score,
    /// <summary>As many characters as the score.</summary>
    Length,
    /// <summary>A word for each value.</summary>
    Text,
}

/// <summary>What scripts may do to one header field (RFC 5293 section 6).</summary>
public sealed record SieveHeaderRule(bool ForbidAdd, bool ForbidDelete);

/// <summary>Settings of the language that one server has for all its scripts.</summary>
public sealed record SieveSettings
{
    /// <summary>Off unless an administrator names a directory of programs; the test tool's own; and what newer extensions have replaced.</summary>
    public static IReadOnlySet<string> DefaultDisabled { get; } =
        new[] { "vnd.dovecot.pipe", "vnd.dovecot.filter", "vnd.dovecot.execute", "vnd.dovecot.testsuite", "imapflags", "notify" }.ToFrozenSet();

    // Behind what its members begin with: statics are made in this order.
    public static SieveSettings Default { get; } = new();

    public SieveLimits Limits { get; init; } = SieveLimits.Default;

    /// <summary>Extensions that scripts cannot require here.</summary>
    public IReadOnlySet<string> Disabled { get; init; } = DefaultDisabled;

    /// <summary>Between the levels of mailbox names.</summary>
    public char MailboxSeparator { get; init; } = '/';

    /// <summary>What parts user and detail in an address (RFC 5233); any of these characters.</summary>
    public string RecipientDelimiter { get; init; } = "+";

    public SieveSender RedirectSender { get; init; } = new(SieveSenderPolicy.Sender);

    /// <summary>The envelope sender of notifications; without a choice it is the :from of the command, else the postmaster.</summary>
    public SieveSender? NotifySender { get; init; }

    /// <summary>From of abuse reports.</summary>
    public SieveSender ReportFrom { get; init; } = new(SieveSenderPolicy.Postmaster);

    /// <summary>The shortest period between equal replies, as Pigeonhole (RFC 5230 section 4.1).</summary>
    public TimeSpan VacationMinPeriod { get; init; } = TimeSpan.FromDays(1);

    /// <summary>The period when the script names none.</summary>
    public TimeSpan VacationDefaultPeriod { get; init; } = TimeSpan.FromDays(7);

    /// <summary>The longest period; zero is no bound.</summary>
    public TimeSpan VacationMaxPeriod { get; init; } = TimeSpan.Zero;

    /// <summary>The subject of replies to mail without one (RFC 5230 section 5.3).</summary>
    public string VacationDefaultSubject { get; init; } = "Automated reply";

    /// <summary>The subject of replies; <c>%$</c> or <c>%{subject}</c> stands for the original subject.</summary>
    public string VacationSubjectTemplate { get; init; } = "Auto: %$";

    /// <summary>Characters of a reply's subject: a longer one is cut, as Pigeonhole does.</summary>
    public int VacationMaxSubject { get; init; } = 256;

    /// <summary>Reply only to mail that names the owner (RFC 5230 section 4.5).</summary>
    public bool VacationCheckRecipient { get; init; } = true;

    /// <summary>Count the recipient before aliases as the owner's address.</summary>
    public bool VacationUseOriginalRecipient { get; init; }

    /// <summary>Send replies with the recipient as envelope sender in place of the null path.</summary>
    public bool VacationSendFromRecipient { get; init; }

    /// <summary>Take To of the reply from the message's Sender, Resent-From or From alone, not only where it agrees with the envelope.</summary>
    public bool VacationToHeaderIgnoreEnvelope { get; init; }

    /// <summary>How long duplicate remembers by default (RFC 7352 section 3.3).</summary>
    public TimeSpan DuplicateDefaultPeriod { get; init; } = TimeSpan.FromDays(7);

    /// <summary>The longest memory of duplicate.</summary>
    public TimeSpan DuplicateMaxPeriod { get; init; } = TimeSpan.FromDays(30);

    public SieveScoreSettings SpamTest { get; init; } = new();

    public SieveScoreSettings VirusTest { get; init; } = new() { Kind = SieveScoreKind.Text };

    /// <summary>Header fields that scripts must leave alone, by lower-case name; Received and Auto-Submitted can never be deleted.</summary>
    public IReadOnlyDictionary<string, SieveHeaderRule> ProtectedHeaders { get; init; } = new Dictionary<string, SieveHeaderRule>();

    /// <summary>URI schemes that notify takes besides mailto; the host delivers those.</summary>
    public IReadOnlySet<string> NotifySchemes { get; init; } = new HashSet<string>();

    /// <summary>The extensions that scripts can require, for CAPABILITY of ManageSieve and for ihave.</summary>
    public IEnumerable<string> Extensions => Language.Extensions.All.Where(name => !Disabled.Contains(name));
}
