using Posthorn.Core;
using Posthorn.Store;
using Posthorn.Transport.Queue;

namespace Posthorn.Transport.Remote;

/// <summary>A message on its way out, with the recipients of one transaction.</summary>
/// <param name="Message">The message.</param>
/// <param name="From">The sender to say: the message's own, or one of ours for mail that is sent on.</param>
/// <param name="Recipients">The recipients of this transaction.</param>
/// <param name="Content">The bytes.</param>
internal sealed record OutgoingMail(QueueMessage Message, ReversePath From, IReadOnlyList<EnvelopeRecipient> Recipients, IMessageContent Content)
{
    /// <summary>Seconds in which it must have arrived, negative when it is late; null without such a wish.</summary>
    public long? SecondsLeft { get; init; }

    /// <summary>An address of the envelope cannot be said in ASCII (RFC 6531).</summary>
    public bool NeedsUtf8 => !From.IsNull && From.Address.NeedsUtf8 || Recipients.Any(recipient => recipient.Address.NeedsUtf8);

    /// <summary>Worth saying SMTPUTF8 where it is offered: the client said it, and a header makes use of it.</summary>
    public bool WantsUtf8 => NeedsUtf8 || Message.SmtpUtf8 && (Message.Traits.HasFlag(ContentTraits.EightBitHeader) || HasPartInUtf8);

    /// <summary>The client said SMTPUTF8, and if anything needs it it is a header of a part: only the message itself can tell.</summary>
    public bool MayHavePartInUtf8 => Message.SmtpUtf8 && !WantsUtf8 && Message.Traits.HasFlag(ContentTraits.EightBitBody);

    /// <summary>A header of a part is not ASCII.</summary>
    public bool HasPartInUtf8 { get; init; }

    public bool IsEightBit => Message.Body != BodyType.SevenBit || (Message.Traits & ~ContentTraits.LongLine) != ContentTraits.None;
}

/// <summary>How a transaction ended.</summary>
/// <param name="Replies">One for each recipient; null where the host could not be asked.</param>
/// <param name="HostFault">Why it could not; another host may do better.</param>
/// <param name="FromRemote">Whether the replies are the server's own words, but for those on a session that broke.</param>
internal sealed record TransactionResult(IReadOnlyList<SmtpReply?> Replies, SmtpReply? HostFault, bool FromRemote)
{
    /// <summary>Whose replies to RCPT were positive; null when none was asked.</summary>
    public IReadOnlyList<bool>? Admitted { get; init; }

    /// <summary>The connection broke in the midst of this message: that says nothing of other mail.</summary>
    public bool IsOfContent { get; init; }

    /// <summary>It did not begin, for reasons that another session with the same server does not have.</summary>
    public bool WantsNewSession { get; init; }

    /// <summary>Whether a recipient's reply answers the message, and not its RCPT.</summary>
    public bool IsOfMessage(int recipient) => Admitted?[recipient] == true;

    /// <summary>Nobody was asked.</summary>
    public static TransactionResult Untried(int recipients, SmtpReply fault, bool fromRemote) => new(new SmtpReply?[recipients], fault, fromRemote);

    /// <summary>The same reply for all.</summary>
    public static TransactionResult All(int recipients, SmtpReply reply, bool fromRemote) => new([.. Enumerable.Repeat<SmtpReply?>(reply, recipients)], null, fromRemote);
}
