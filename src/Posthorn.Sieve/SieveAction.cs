using Posthorn.Core;

namespace Posthorn.Sieve;

/// <summary>Where a message is filed (RFC 5228 section 4.1, RFC 5490, RFC 8579, RFC 9042).</summary>
/// <param name="Flags">IMAP flags and keywords as words: <c>\Seen</c>, <c>$Work</c>.</param>
public sealed record SieveTarget(MailboxName Mailbox, IReadOnlyList<string> Flags)
{
    /// <summary>Make the mailbox when it is missing.</summary>
    public bool Create { get; init; }

    /// <summary>Prefer the mailbox with this special use, for example <c>\Junk</c>.</summary>
    public string? SpecialUse { get; init; }

    /// <summary>Prefer the mailbox with this id.</summary>
    public string? MailboxId { get; init; }
}

/// <summary>What redirect asks of the next server (RFC 6009 sections 6 and 7).</summary>
public sealed record SieveRedirectOptions
{
    public static SieveRedirectOptions None { get; } = new();

    /// <summary>The NOTIFY parameter: <c>NEVER</c>, or a list of <c>SUCCESS</c>, <c>FAILURE</c>, <c>DELAY</c>.</summary>
    public string? Notify { get; init; }

    /// <summary>The RET parameter: <c>FULL</c> or <c>HDRS</c>.</summary>
    public string? Return { get; init; }

    /// <summary>When the message must have arrived.</summary>
    public DateTimeOffset? DeliverBy { get; init; }

    /// <summary>Return the message when it is late; otherwise only tell.</summary>
    public bool ReturnWhenLate { get; init; } = true;

    /// <summary>Trace the delivery (RFC 2852).</summary>
    public bool Trace { get; init; }
}

/// <summary>A message that an action sends.</summary>
/// <param name="Sender">The envelope sender; empty for the null path.</param>
public sealed record SieveMail(string Sender, IReadOnlyList<EmailAddress> Recipients, ReadOnlyMemory<byte> Octets);

/// <summary>One action of a result. Carrying it out is the host's work.</summary>
public abstract record SieveAction
{
    private SieveAction()
    {
    }

    /// <summary>The name in results and tests: <c>keep</c>, <c>store</c>, <c>redirect</c> and so on.</summary>
    public abstract string Name { get; }

    /// <summary>Store into the owner's main mailbox (RFC 5228 sections 2.10.2 and 4.3).</summary>
    public sealed record Keep(IReadOnlyList<string> Flags, SieveImage Image, bool IsImplicit) : SieveAction
    {
        public override string Name => "keep";
    }

    /// <summary>Store into a mailbox (RFC 5228 section 4.1).</summary>
    public sealed record FileInto(SieveTarget Target, SieveImage Image) : SieveAction
    {
        public override string Name => "store";
    }

    /// <summary>Send the message on (RFC 5228 section 4.2).</summary>
    /// <param name="Sender">The envelope sender; empty for the null path.</param>
    public sealed record Redirect(EmailAddress Address, string Sender, SieveImage Image, SieveRedirectOptions Options) : SieveAction
    {
        public override string Name => "redirect";
    }

    /// <summary>Throw the message away (RFC 5228 section 4.4).</summary>
    public sealed record Discard : SieveAction
    {
        public override string Name => "discard";
    }

    /// <summary>Refuse the message (RFC 5429). <see cref="Notice"/> is for hosts that can no longer say so in a reply.</summary>
    /// <param name="IsEreject">The reply must be the protocol's, even when the reason must be shortened to ASCII.</param>
    /// <param name="Notice">The notice to the sender; null when none may be sent.</param>
    public sealed record Reject(string Reason, bool IsEreject, SieveMail? Notice) : SieveAction
    {
        public override string Name => "reject";
    }

    /// <summary>Reply once in a while (RFC 5230).</summary>
    /// <param name="Handle">What makes replies the same; with the sender's address the key of the host's memory.</param>
    /// <param name="Period">How long the same reply is not repeated; zero sends each.</param>
    /// <param name="Reply">The reply; null when none may be sent, for <paramref name="Suppressed"/>.</param>
    public sealed record Vacation(string Handle, TimeSpan Period, SieveMail? Reply, string? Suppressed, SieveTarget? Copy) : SieveAction
    {
        public override string Name => "vacation";
    }

    /// <summary>Notify somebody (RFC 5435, by mail as of RFC 5436).</summary>
    /// <param name="Mail">The notification; null when none may be sent, for <paramref name="Suppressed"/>.</param>
    public sealed record Notify(string Method, int Importance, IReadOnlyList<string> Options, SieveMail? Mail, string? Suppressed, SieveTarget? Copy) : SieveAction
    {
        public override string Name => "notify";

        /// <summary>What denotify knows it by (draft-martin-sieve-notify-01).</summary>
        public string? Id { get; init; }
    }

    /// <summary>Send an abuse report (vnd.dovecot.report, RFC 5965).</summary>
    public sealed record Report(string FeedbackType, SieveMail Mail) : SieveAction
    {
        public override string Name => "report";
    }

    /// <summary>Give the message to a program of the administrator's directory (vnd.dovecot.pipe).</summary>
    /// <param name="MayFail">A failure is no error (:try).</param>
    public sealed record Pipe(string Program, IReadOnlyList<string> Arguments, bool MayFail, SieveImage Image) : SieveAction
    {
        public override string Name => "pipe";
    }
}
