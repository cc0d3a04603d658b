using Posthorn.Core;
using Posthorn.Directory;
using Posthorn.Mime;

namespace Posthorn.Transport.Accept;

/// <summary>Whether the From field of submitted mail belongs to the account that is logged in (RFC 6409 section 6.1).</summary>
internal static class FromPolicy
{
    /// <summary>The reason to refuse, or null. A missing field has been added.</summary>
    public static SmtpReply? Check(HeaderScanner header, MailAccount account, IDirectory directory)
    {
        if (header.FromCount > 1) return Replies.SeveralFrom;
        if (header.FromCount == 0) return null;
        if (header.IsValueTooLarge) return Replies.FromUnreadable;
        IReadOnlyList<MailAddress> authors = AddressList.Parse(header.From.Span, MimeLimits.Default);
        if (authors.Count == 0) return Replies.FromUnreadable;
        foreach (MailAddress author in authors)
        {
            if (!author.TryGetEmailAddress(out EmailAddress address)) return Replies.FromUnreadable;
            if (!directory.MaySendAs(account, ReversePath.Of(address))) return Replies.FromNotYours;
        }
        return null;
    }
}
