using Posthorn.Core;

namespace Posthorn.Store;

/// <summary>The condition of a flag change (RFC 7162 section 3.1.3): messages that others have changed since are left alone.</summary>
/// <param name="Mark">Messages whose MODSEQ is at most this are unchanged.</param>
/// <param name="Known">The messages as the client has been told of them; null when nothing is known of that.</param>
public sealed record UnchangedSince(ModSeq Mark, MailboxVersion? Known = null)
{
    /// <summary>Whether a message may be changed.</summary>
    /// <remarks>
    /// One MODSEQ stands for all flags of a message. Where it is too high, adding and removing still goes on if those flags are as the client knows them,
    /// and it knew them at the mark (RFC 7162 section 3.1.12); replacing means all flags and never does.
    /// </remarks>
    public bool Admits(in MessageRow row, FlagChange change)
    {
        if (row.ModSeq <= Mark) return true;
        if (Known is null || change.Operation == FlagOperation.Replace) return false;
        int at = Known.IndexOf(row.Uid);
        if (at < 0) return false;
        MessageRow known = Known[at];
        if (known.ModSeq > Mark || ((known.Flags ^ row.Flags) & change.Flags) != 0) return false;
        foreach (Keyword keyword in change.Keywords)
            if (known.Keywords.Contains(keyword) != row.Keywords.Contains(keyword)) return false;
        return true;
    }
}
