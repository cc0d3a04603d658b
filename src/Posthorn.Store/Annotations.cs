using Posthorn.Core;

namespace Posthorn.Store;

/// <summary>One annotation of a mailbox or of an account (RFC 5464 section 3).</summary>
/// <param name="Mailbox">Whose; null is the account as a whole.</param>
/// <param name="User">Who sees a private one, an address; empty for what is shared.</param>
/// <param name="Entry">Its name in lower case, with <c>/private</c> or <c>/shared</c> in front.</param>
/// <param name="Value">What it says; null when it was removed.</param>
/// <param name="Changed">When it was changed last.</param>
public sealed record Annotation(MailboxId? Mailbox, string User, string Entry, ReadOnlyMemory<byte>? Value, ModSeq Changed = default);
