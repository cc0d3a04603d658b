using Posthorn.Core;

namespace Posthorn.Store;

/// <summary>Where a difference was found.</summary>
public enum StorePart
{
    /// <summary>The catalogue's file, its structure, its rows' checksums.</summary>
    Catalogue,
    /// <summary>The mail's directory and the marker in it.</summary>
    Tree,
    /// <summary>A mailbox's numbers and counts.</summary>
    Mailbox,
    /// <summary>A message's file.</summary>
    File,
    /// <summary>What is kept ready for the wire about a message.</summary>
    Message,
    /// <summary>The second home of the numbers: <c>dovecot-uidlist</c> and the account's file.</summary>
    List,
    /// <summary>The word index, which may be lost without harm.</summary>
    Words,
}

/// <summary>One thing that is not as it should be.</summary>
public sealed record StoreDifference(StorePart Part, MailboxName? Mailbox, Uid? Uid, string What);

/// <summary>What a look at one account's store found.</summary>
/// <param name="Account">Whose.</param>
/// <param name="Mailboxes">Mailboxes looked at.</param>
/// <param name="Messages">Messages looked at.</param>
/// <param name="Differences">All that is wrong; empty when nothing is.</param>
public sealed record StoreReport(EmailAddress Account, int Mailboxes, long Messages, IReadOnlyList<StoreDifference> Differences);
