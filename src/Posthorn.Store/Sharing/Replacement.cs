using Posthorn.Core;

namespace Posthorn.Store.Sharing;

/// <summary>A new message that takes the place of another, there or elsewhere (RFC 8508).</summary>
/// <param name="From">Whose the old one is.</param>
/// <param name="Source">Where it lies.</param>
/// <param name="Old">Which it is; its flags do not matter.</param>
/// <param name="Into">Whose the new one becomes.</param>
/// <param name="Target">The mailbox there.</param>
/// <param name="Message">The new one.</param>
public sealed record Replacement(MailAccount From, MailboxId Source, Uid Old, MailAccount Into, MailboxName Target, NewMessage Message);
