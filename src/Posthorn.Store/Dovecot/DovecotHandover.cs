using Posthorn.Core;

namespace Posthorn.Store.Dovecot;

/// <summary>What of an account was handed to Dovecot.</summary>
public sealed record DovecotHandover(EmailAddress Account, IReadOnlyList<DovecotMailbox> Mailboxes);

/// <summary>The numbers of one mailbox as Dovecot finds them.</summary>
/// <param name="Name">Its name on disk, levels parted by dots, in modified UTF-7: Dovecot's with its default separator.</param>
/// <param name="Validity">UIDVALIDITY.</param>
/// <param name="UidNext">The next UID.</param>
/// <param name="Highest">HIGHESTMODSEQ.</param>
/// <param name="Messages">How many messages it has.</param>
/// <param name="IndexKeywords">The keywords that can stand in no file name, with their messages.</param>
public sealed record DovecotMailbox(
    string Name, UidValidity Validity, Uid UidNext, ModSeq Highest, int Messages, IReadOnlyList<(Keyword Keyword, IReadOnlyList<Uid> Uids)> IndexKeywords);
