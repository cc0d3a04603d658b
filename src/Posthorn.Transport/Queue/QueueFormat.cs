using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using Posthorn.Core;
using Posthorn.Store;

namespace Posthorn.Transport.Queue;

/// <summary>The kinds of steps that the queue writes to the journal. Values reach disk: never renumber.</summary>
internal enum QueueStep : byte
{
    /// <summary>A message enters; answers of another one that caused it may come along (a bounce).</summary>
    Accept = 1,
    /// <summary>Last words on recipients.</summary>
    Answers = 2,
    /// <summary>The operator's word.</summary>
    Command = 3,
    /// <summary>Several messages enter, each a part of the record's content; answers may come along as with one.</summary>
    AcceptSeveral = 4,
}

/// <summary>What an operator does to a message. Values reach disk: never renumber.</summary>
internal enum QueueOrder : byte
{
    Hold = 1,
    Release = 2,
    Delete = 3,
    /// <summary>Start anew: as if it had just come, with routes as they are now.</summary>
    Requeue = 4,
}

/// <summary>How queue records and spool files look on disk. A version byte comes first; unknown versions are refused, not guessed.</summary>
internal static class QueueFormat
{
    private const byte Version = 6;

    /// <summary>The oldest version that is read: in it the flags of a message were only the first, in the second there was none for a held message, in the third none for HOLDFOR, and a recipient had but one, in the fourth none for an outcome, which in the fifth was never a good one.</summary>
    private const byte OldestVersion = 1;

    private const long LastTick = 3155378975999999999;
    private const byte Utf8Flag = 1, RequiresTlsFlag = 2, TlsOptionalFlag = 4, ReleaseFlag = 8, ByFlag = 16, HoldFlag = 32, HoldForFlag = 64, OutcomeFlag = 128;
    private const byte ForwardedFlag = 1, OriginalOursFlag = 2, ExpandedFlag = 4;

    /// <summary>What a step may be at most, octets: 10,000 recipients with their ORCPT.</summary>
    public const int MaxPayload = 8 << 20;

    public static byte[] WriteAccept(QueueMessage message, QueueAnswers? cause)
    {
        ArrayBufferWriter<byte> buffer = new(512);
        PayloadWriter writer = new(buffer);
        writer.Byte(Version);
        WriteMessage(writer, message);
        writer.Byte(cause is null ? (byte)0 : (byte)1);
        if (cause is not null) WriteAnswers(writer, cause);
        return buffer.WrittenSpan.ToArray();
    }

    public static byte[] WriteSeveral(IReadOnlyList<QueueMessage> messages, QueueAnswers? cause)
    {
        ArrayBufferWriter<byte> buffer = new(512);
        PayloadWriter writer = new(buffer);
        writer.Byte(Version);
        writer.Int32(messages.Count);
        foreach (QueueMessage message in messages)
        {
            WriteMessage(writer, message);
            writer.Int32(message.Ranges?.Count ?? 0);
            foreach (ContentRange range in message.Ranges ?? [])
            {
                writer.Int64(range.Offset);
                writer.Int64(range.Length);
            }
        }
        writer.Byte(cause is null ? (byte)0 : (byte)1);
        if (cause is not null) WriteAnswers(writer, cause);
        return buffer.WrittenSpan.ToArray();
    }

    public static byte[] WriteAnswers(QueueAnswers answers)
    {
        ArrayBufferWriter<byte> buffer = new(256);
        PayloadWriter writer = new(buffer);
        writer.Byte(Version);
        WriteAnswers(writer, answers);
        return buffer.WrittenSpan.ToArray();
    }

    public static byte[] WriteCommand(QueueId id, QueueOrder order)
    {
        ArrayBufferWriter<byte> buffer = new(32);
        PayloadWriter writer = new(buffer);
        writer.Byte(Version);
        writer.Byte((byte)order);
        writer.Text(id.Value);
        return buffer.WrittenSpan.ToArray();
    }

    public static bool TryReadAccept(ReadOnlySpan<byte> payload, [NotNullWhen(true)] out QueueMessage? message, out QueueAnswers? cause)
    {
        (message, cause) = (null, null);
        PayloadReader reader = new(payload);
        if (reader.Byte() is < OldestVersion or > Version) return false;
        message = ReadMessage(ref reader);
        if (reader.Byte() == 1) cause = ReadAnswers(ref reader);
        return !reader.Failed && message is not null;
    }

    public static bool TryReadSeveral(ReadOnlySpan<byte> payload, [NotNullWhen(true)] out IReadOnlyList<QueueMessage>? messages, out QueueAnswers? cause)
    {
        (messages, cause) = (null, null);
        PayloadReader reader = new(payload);
        if (reader.Byte() is < OldestVersion or > Version) return false;
        int count = reader.Count();
        List<QueueMessage> read = new(count);
        for (int i = 0; i < count && !reader.Failed; i++)
        {
            if (ReadMessage(ref reader) is not { } message) return false;
            ContentRange[] ranges = new ContentRange[reader.Count()];
            for (int n = 0; n < ranges.Length; n++) ranges[n] = new(reader.Int64(), reader.Int64());
            if (Array.Exists(ranges, range => range.Offset < 0 || range.Length < 0)) return false;
            read.Add(message with { Ranges = ranges.Length == 0 ? null : ranges });
        }
        if (reader.Byte() == 1) cause = ReadAnswers(ref reader);
        messages = read;
        return !reader.Failed && read.Count > 0;
    }

    public static bool TryReadAnswers(ReadOnlySpan<byte> payload, [NotNullWhen(true)] out QueueAnswers? answers)
    {
        PayloadReader reader = new(payload);
        answers = reader.Byte() is >= OldestVersion and <= Version ? ReadAnswers(ref reader) : null;
        return !reader.Failed && answers is not null;
    }

    public static bool TryReadCommand(ReadOnlySpan<byte> payload, out QueueId id, out QueueOrder order)
    {
        PayloadReader reader = new(payload);
        byte version = reader.Byte();
        order = (QueueOrder)reader.Byte();
        id = new(reader.Text());
        return version is >= OldestVersion and <= Version && !reader.Failed && order is >= QueueOrder.Hold and <= QueueOrder.Requeue;
    }

    /// <summary>The state of an entry: what a spool file carries besides the message.</summary>
    public static byte[] WriteState(QueueEntryState state)
    {
        ArrayBufferWriter<byte> buffer = new(256);
        PayloadWriter writer = new(buffer);
        writer.Byte(Version);
        writer.Byte((byte)((state.IsHeld ? 1 : 0) | (state.IsWarned ? 2 : 0) | (state.Restarted is null ? 0 : 4)));
        writer.Int32(state.Attempts);
        writer.Int64(state.NextAttempt.UtcTicks);
        if (state.Restarted is { } restarted) writer.Int64(restarted.UtcTicks);
        WriteAnswers(writer, new(new(""), state.Answers));
        return buffer.WrittenSpan.ToArray();
    }

    public static bool TryReadState(ReadOnlySpan<byte> payload, [NotNullWhen(true)] out QueueEntryState? state)
    {
        state = null;
        PayloadReader reader = new(payload);
        if (reader.Byte() is < OldestVersion or > Version) return false;
        byte flags = reader.Byte();
        int attempts = reader.Int32();
        long next = reader.Int64();
        long restarted = (flags & 4) != 0 ? reader.Int64() : 0;
        QueueAnswers answers = ReadAnswers(ref reader);
        if (reader.Failed || next is < 0 or > LastTick || restarted is < 0 or > LastTick) return false;
        state = new((flags & 1) != 0, (flags & 2) != 0, attempts, new(next, TimeSpan.Zero), answers.Answers) { Restarted = (flags & 4) != 0 ? new(restarted, TimeSpan.Zero) : null };
        return true;
    }

    private static void WriteMessage(PayloadWriter writer, QueueMessage message)
    {
        writer.Text(message.Id.Value);
        writer.Int64(message.Arrived.UtcTicks);
        writer.Text(message.From.IsNull ? null : message.From.ToString());
        writer.Text(message.Origin);
        writer.Byte((byte)message.Body);
        writer.Byte((byte)((message.SmtpUtf8 ? Utf8Flag : 0) | (message.RequiresTls ? RequiresTlsFlag : 0) | (message.IsTlsOptional ? TlsOptionalFlag : 0) | (message.ReleaseAt is null ? 0 : ReleaseFlag)
            | (message.By is null ? 0 : ByFlag) | (message.HoldReason is null ? 0 : HoldFlag) | (message.HoldFor is null ? 0 : HoldForFlag) | (message.Outcome is null ? 0 : OutcomeFlag)));
        if (message.ReleaseAt is { } release) writer.Int64(release.UtcTicks);
        if (message.By is { } by)
        {
            writer.Int64(by.Time.UtcTicks);
            writer.Byte((byte)((by.Return ? 1 : 0) | (by.Trace ? 2 : 0)));
        }
        if (message.HoldReason is { } hold) writer.Text(hold);
        if (message.HoldFor is { } seconds) writer.Int32(seconds);
        if (message.Outcome is { } outcome) WriteReply(writer, outcome);
        writer.Byte((byte)message.Return);
        writer.Text(message.EnvelopeId);
        writer.Byte((byte)message.Traits);
        writer.Int64(message.Size);
        writer.Int32(message.Recipients.Count);
        foreach (EnvelopeRecipient recipient in message.Recipients)
        {
            writer.Text(recipient.Address.ToString());
            writer.Byte((byte)recipient.Notify);
            writer.Text(recipient.OriginalRecipient);
            writer.Byte((byte)((recipient.IsForwarded ? ForwardedFlag : 0) | (recipient.IsOriginalOurs ? OriginalOursFlag : 0) | (recipient.IsExpanded ? ExpandedFlag : 0)));
        }
    }

    private static QueueMessage? ReadMessage(ref PayloadReader reader)
    {
        QueueId id = new(reader.Text());
        long arrived = reader.Int64();
        string? from = reader.TextOrNull();
        string origin = reader.Text();
        BodyType body = (BodyType)reader.Byte();
        byte flags = reader.Byte();
        long release = (flags & ReleaseFlag) != 0 ? reader.Int64() : 0;
        long by = (flags & ByFlag) != 0 ? reader.Int64() : 0;
        byte mode = (flags & ByFlag) != 0 ? reader.Byte() : (byte)0;
        string? hold = (flags & HoldFlag) != 0 ? reader.Text() : null;
        int? holdFor = (flags & HoldForFlag) != 0 ? reader.Int32() : null;
        SmtpReply? outcome = (flags & OutcomeFlag) != 0 ? ReadReply(ref reader) : null;
        DsnReturn dsnReturn = (DsnReturn)reader.Byte();
        string? envelopeId = reader.TextOrNull();
        ContentTraits traits = (ContentTraits)reader.Byte();
        long size = reader.Int64();
        int count = reader.Count();
        List<EnvelopeRecipient> recipients = new(count);
        for (int i = 0; i < count && !reader.Failed; i++)
        {
            bool parsed = EmailAddress.TryParse(reader.Text(), out EmailAddress address);
            DsnNotify notify = (DsnNotify)reader.Byte();
            string? original = reader.TextOrNull();
            byte traces = reader.Byte();
            if (!parsed) return null;
            recipients.Add(new(address, notify, original) { IsForwarded = (traces & ForwardedFlag) != 0, IsOriginalOurs = (traces & OriginalOursFlag) != 0, IsExpanded = (traces & ExpandedFlag) != 0 });
        }
        ReversePath path = ReversePath.Null;
        if (from is not null)
        {
            if (!EmailAddress.TryParse(from, out EmailAddress sender)) return null;
            path = ReversePath.Of(sender);
        }
        if (reader.Failed || arrived is < 0 or > LastTick || release is < 0 or > LastTick || by is < 0 or > LastTick) return null;
        return new()
        {
            By = (flags & ByFlag) != 0 ? new(new(by, TimeSpan.Zero), (mode & 1) != 0, (mode & 2) != 0) : null,
            Id = id, Arrived = new(arrived, TimeSpan.Zero), From = path, Origin = origin, Body = body, SmtpUtf8 = (flags & Utf8Flag) != 0,
            RequiresTls = (flags & RequiresTlsFlag) != 0, IsTlsOptional = (flags & TlsOptionalFlag) != 0, ReleaseAt = (flags & ReleaseFlag) != 0 ? new(release, TimeSpan.Zero) : null, HoldReason = hold, HoldFor = holdFor, Outcome = outcome,
            Return = dsnReturn, EnvelopeId = envelopeId, Traits = traits, Size = size, Recipients = recipients,
        };
    }

    private static void WriteAnswers(PayloadWriter writer, QueueAnswers answers)
    {
        writer.Text(answers.Id.Value);
        writer.Byte(answers.Warned ? (byte)1 : (byte)0);
        writer.Int32(answers.Answers.Count);
        foreach (RecipientAnswer answer in answers.Answers)
        {
            writer.Int32(answer.Recipient);
            writer.Byte((byte)answer.State);
            WriteReply(writer, answer.Reply);
            writer.Text(answer.Host);
        }
    }

    private static QueueAnswers ReadAnswers(ref PayloadReader reader)
    {
        QueueId id = new(reader.Text());
        bool warned = reader.Byte() == 1;
        int count = reader.Count();
        List<RecipientAnswer> answers = new(count);
        for (int i = 0; i < count && !reader.Failed; i++)
        {
            int recipient = reader.Int32();
            RecipientState state = (RecipientState)reader.Byte();
            answers.Add(new(recipient, state, ReadReply(ref reader), reader.Text()));
        }
        return new(id, answers) { Warned = warned };
    }

    private static void WriteReply(PayloadWriter writer, SmtpReply reply)
    {
        writer.Int32(reply.Code);
        writer.Text(reply.Status);
        writer.Text(reply.Text);
    }

    private static SmtpReply ReadReply(ref PayloadReader reader) => new(reader.Int32(), reader.Text(), reader.Text());
}
