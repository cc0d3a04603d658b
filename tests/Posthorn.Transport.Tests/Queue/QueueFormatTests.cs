using CsCheck;
using Posthorn.Core;
using Posthorn.Store;
using Posthorn.Transport.Queue;

namespace Posthorn.Transport.Tests.Queue;

public sealed class QueueFormatTests
{
    private static readonly Gen<EmailAddress> Address = Gen.OneOf("a@example.com", "\"odd one\"@example.org", "bücher@bücher.example", "x@[192.0.2.7]", "x@[IPv6:2001:db8::1]").Select(EmailAddress.Parse);

    private static readonly Gen<EnvelopeRecipient> Recipient = Gen.Select(Address, Gen.Int[0, 15], Gen.OneOf("rfc822;a@b", "", "utf-8;ü@b").Null(), (address, notify, original) => new EnvelopeRecipient(address, (DsnNotify)notify, original) { IsForwarded = notify > 7, IsOriginalOurs = notify % 2 == 1, IsExpanded = notify % 3 == 1 });

    private static readonly Gen<QueueMessage> Message =
        Gen.Select(Address.Select(ReversePath.Of), Recipient.Array[1, 5], Gen.Long[0, 1L << 50], Gen.Int[0, 2], Gen.Bool, Gen.String.Null(), (from, recipients, number, small, flag, text) => new QueueMessage
        {
            Id = new("0123456789B"), Arrived = new(number, TimeSpan.Zero), From = flag ? ReversePath.Null : from, Origin = text ?? "", Body = (BodyType)small, SmtpUtf8 = flag, Return = (DsnReturn)small,
            RequiresTls = number % 2 == 1, IsTlsOptional = number % 3 == 1, ReleaseAt = number % 5 == 0 ? new(number, TimeSpan.Zero) : null, HoldFor = number % 10 == 0 ? (int)(number % 1000) : null, HoldReason = number % 7 == 0 ? text : null, Outcome = number % 11 == 0 ? new(550, "5.1.1", text ?? "") : null,
            By = number % 3 == 0 ? new(new(number, TimeSpan.Zero), flag, number % 2 == 0) : null, EnvelopeId = text, Traits = (ContentTraits)small, Size = number, Recipients = recipients,
        });

    private static readonly Gen<QueueAnswers> Answers =
        Gen.Select(Gen.Select(Gen.Int, Gen.Int[1, 3], Gen.Int[200, 599], Gen.String, (recipient, state, code, text) => new RecipientAnswer(recipient, (RecipientState)state, new(code, "5.1.1", text), text)).Array[0, 4], Gen.Bool, (answers, warned) => new QueueAnswers(new("0123456789C"), answers) { Warned = warned });

    [Fact]
    public void What_is_written_is_read_back() => Gen.Select(Message, Answers.Null()).Sample((message, cause) =>
    {
        byte[] payload = QueueFormat.WriteAccept(message, cause);
        Assert.True(QueueFormat.TryReadAccept(payload, out QueueMessage? read, out QueueAnswers? readCause));
        Assert.Equal(message with { Recipients = read.Recipients }, read);
        Assert.Equal(message.Recipients, read.Recipients);
        Assert.Equal(cause?.Answers, readCause?.Answers);
        Assert.Equal(cause?.Warned, readCause?.Warned);
        if (cause is null) return;
        Assert.True(QueueFormat.TryReadAnswers(QueueFormat.WriteAnswers(cause), out QueueAnswers? answers));
        Assert.Equal(cause.Answers, answers.Answers);
    });

    [Fact]
    public void Several_messages_come_back_with_their_parts() => Gen.Select(Message.Array[1, 3], Gen.Select(Gen.Long[0, 1L << 50], Gen.Long[0, 1L << 50], (offset, length) => new ContentRange(offset, length)).Array[0, 3], Answers.Null()).Sample((messages, ranges, cause) =>
    {
        QueueMessage[] written = [.. messages.Select(message => message with { Ranges = ranges.Length == 0 ? null : ranges })];
        byte[] payload = QueueFormat.WriteSeveral(written, cause);
        Assert.True(QueueFormat.TryReadSeveral(payload, out IReadOnlyList<QueueMessage>? read, out QueueAnswers? readCause));
        Assert.Equal(written.Select(message => message.Id), read.Select(message => message.Id));
        Assert.All(read, message => Assert.Equal(ranges, message.Ranges ?? []));
        Assert.Equal(cause?.Answers, readCause?.Answers);
        for (int length = 0; length < payload.Length; length += 7) Assert.False(QueueFormat.TryReadSeveral(payload.AsSpan(0, length), out _, out _));
    }, iter: 200);

    [Fact]
    public void What_is_cut_short_or_of_another_version_is_refused_not_guessed() => Message.Sample(message =>
    {
        byte[] payload = QueueFormat.WriteAccept(message, null);
        for (int length = 0; length < payload.Length; length++) Assert.False(QueueFormat.TryReadAccept(payload.AsSpan(0, length), out _, out _));
        payload[0]++;
        Assert.False(QueueFormat.TryReadAccept(payload, out _, out _));
    }, iter: 50);

    [Fact]
    public void Garbage_never_throws() => Gen.Byte.Array[0, 200].Sample(bytes =>
    {
        if (bytes.Length > 0) bytes[0] = 1;
        QueueFormat.TryReadAccept(bytes, out _, out _);
        QueueFormat.TryReadAnswers(bytes, out _);
        QueueFormat.TryReadCommand(bytes, out _, out _);
        QueueFormat.TryReadState(bytes, out _);
    }, iter: 20_000);

    /// <summary>These numbers are on disk.</summary>
    [Fact]
    public void Numbers_on_disk_stay()
    {
        Assert.Equal(2, MailQueue.Participant);
        Assert.Equal([1, 2, 3, 4], Enum.GetValues<QueueStep>().Select(value => (int)value));
        Assert.Equal([1, 2, 3, 4], Enum.GetValues<QueueOrder>().Select(value => (int)value));
        Assert.Equal([0, 1, 2, 3], Enum.GetValues<RecipientState>().Select(value => (int)value));
        Assert.Equal([0, 1, 2, 4, 8], Enum.GetValues<ContentTraits>().Select(value => (int)value));
        Assert.Equal([0, 1, 2], Enum.GetValues<BodyType>().Select(value => (int)value));
        Assert.Equal([0, 1, 2], Enum.GetValues<DsnReturn>().Select(value => (int)value));
        Assert.Equal([0, 1, 2, 4, 8], Enum.GetValues<DsnNotify>().Select(value => (int)value));
    }
}
