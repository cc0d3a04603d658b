using Posthorn.Core;
using Posthorn.Directory;

namespace Posthorn.Transport.Accept;

/// <summary>Whether the From field of submitted mail belongs to the account that is logged in (RFC 6409 section 6.1).</summary>
internal static class FromPolicy
{
    /// <summary>The reason to refuse, or null.</summary>
    public static SmtpReply? Check(HeaderScanner header, MailAccount account, IDirectory directory)
    {
        if (header.FromCount > 1) return Replies.SeveralFrom;
        return null;
    }
}
