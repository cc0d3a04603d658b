using Posthorn.Core;
using Posthorn.Mime;

namespace Posthorn.Transport.Accept;

/// <summary>Whether the From field of submitted mail belongs to the account that is logged in (RFC 6409 section 6.1).</summary>
internal static class FromPolicy
{
    /// <summary>The reason to refuse, or null. A missing field has been added.</summary>
    public static async ValueTask<SmtpReply?> CheckAsync(HeaderScanner header, MailAccount account, SenderRights rights, CancellationToken cancel)
    {
        if (header.FromCount > 1) return Replies.SeveralFrom;
        if (header.FromCount == 0) return null;
        if (header.IsValueTooLarge) return Replies.FromUnreadable;
        IReadOnlyList<MailAddress> authors = AddressList.Parse(header.From.Span, MimeLimits.Default);
        if (authors.Count == 0) return Replies.FromUnreadable;
        foreach (MailAddress author in authors)
        {
            if (!author.TryGetEmailAddress(out EmailAddress address)) return Replies.FromUnreadable;
            switch (await rights.OfAsync(account, ReversePath.Of(address), cancel))
            {
                case SenderRight.Denied: return Replies.FromNotYours;
                case SenderRight.Unknown: return Replies.TableUnavailable;
                default: break;
            }
        }
        return null;
    }
}
