using Posthorn.Core;

namespace Posthorn.Imap.Wire;

/// <summary>A mailbox's name, and the text that the client wrote for it, which may be another form of it (RFC 9051 section 5.1).</summary>
internal readonly record struct GivenName(MailboxName Name, string Text)
{
    /// <summary>The client wrote another form: it learns which name that is (RFC 9051 section 6.3.9.7).</summary>
    public bool IsOther => Text != Name.Value;
}
