using Posthorn.Core;

namespace Posthorn.Transport.Rewriting;

/// <summary>Whose messages have the addresses in their headers rewritten.</summary>
public enum HeaderRewriting
{
    /// <summary>Nobody's; envelopes only.</summary>
    None,
    /// <summary>Those of programs on this machine, as Postfix's <c>local_header_rewrite_clients</c> has it by default: what others write is theirs, and a signature may cover it.</summary>
    Local,
    /// <summary>Those too of clients that have logged in or may relay.</summary>
    Ours,
    /// <summary>Everybody's. Breaks the signatures of others.</summary>
    All,
}

/// <summary>Where addresses stand that tables may rewrite: Postfix's <c>canonical_classes</c>.</summary>
[Flags]
public enum AddressClasses
{
    None = 0,
    EnvelopeSender = 1,
    EnvelopeRecipient = 2,
    HeaderSender = 4,
    HeaderRecipient = 8,
    Senders = EnvelopeSender | HeaderSender,
    Recipients = EnvelopeRecipient | HeaderRecipient,
    Headers = HeaderSender | HeaderRecipient,
    All = Senders | Recipients,
}

/// <summary>How addresses are rewritten, and who gets copies; tables by their names.</summary>
public sealed record RewritingOptions
{
    /// <summary>canonical(5): senders and recipients, in envelope and header.</summary>
    public IReadOnlyList<string> Canonical { get; init; } = [];

    /// <summary>Senders only, before <see cref="Canonical"/>.</summary>
    public IReadOnlyList<string> SenderCanonical { get; init; } = [];

    /// <summary>Recipients only, before <see cref="Canonical"/>.</summary>
    public IReadOnlyList<string> RecipientCanonical { get; init; } = [];

    /// <summary>What <see cref="Canonical"/> changes.</summary>
    public AddressClasses CanonicalClasses { get; init; } = AddressClasses.All;

    /// <summary>What <see cref="SenderCanonical"/> changes; of <see cref="AddressClasses.Senders"/>.</summary>
    public AddressClasses SenderClasses { get; init; } = AddressClasses.Senders;

    /// <summary>What <see cref="RecipientCanonical"/> changes; of <see cref="AddressClasses.Recipients"/>.</summary>
    public AddressClasses RecipientClasses { get; init; } = AddressClasses.Recipients;

    /// <summary>generic(5): all addresses of mail that leaves by SMTP.</summary>
    public IReadOnlyList<string> Generic { get; init; } = [];

    /// <summary>relocated(5): where somebody is now, for the refusal of mail to him.</summary>
    public IReadOnlyList<string> Relocated { get; init; } = [];

    /// <summary>Who gets a copy of all mail.</summary>
    public EmailAddress? AlwaysBcc { get; init; }

    /// <summary>Who gets a copy of mail from a sender.</summary>
    public IReadOnlyList<string> SenderBcc { get; init; } = [];

    /// <summary>Who gets a copy of mail to a recipient.</summary>
    public IReadOnlyList<string> RecipientBcc { get; init; } = [];

    public HeaderRewriting Headers { get; init; } = HeaderRewriting.Local;

    /// <summary>The classes that some table changes.</summary>
    internal AddressClasses Changed => (Canonical.Count > 0 ? CanonicalClasses : 0) | (SenderCanonical.Count > 0 ? SenderClasses : 0) | (RecipientCanonical.Count > 0 ? RecipientClasses : 0);

    internal bool IsSet => Changed != AddressClasses.None || AlwaysBcc is not null || SenderBcc.Count + RecipientBcc.Count > 0;
}
