using System.Buffers;
using System.Text;
using Posthorn.Transport.Policy;

namespace Posthorn.Transport.Milter;

/// <summary>One message before one filter: header, body, end, and what it wants changed.</summary>
internal sealed class MilterMessageRun(MilterConnection connection, MilterOptions options, MilterServices services, MilterMacros macros) : IAsyncDisposable
{
    private readonly ArrayBufferWriter<byte> _scratch = new(1024);
    private long _start;

    /// <summary>What the filter wants.</summary>
    public MilterEdits Edits { get; } = new();

    /// <summary>It has given its last word on the message.</summary>
    public bool HasEnded { get; private set; }

    /// <summary>The next packet, which has to be a last word.</summary>
    public static async ValueTask<MilterAnswer> AnswerAsync(MilterConnection connection, TimeSpan timeout, CancellationToken cancel)
    {
        MilterAnswer answer = await NextAsync(connection, timeout, cancel);
        return answer.IsFinal ? answer : throw new MilterException($"answered with {answer.GetType().Name} before the end of the message");
    }

    /// <summary>Tells it all of the message. The last word: on the message, or the first that is not "go on".</summary>
    public async ValueTask<MilterAnswer> PlayAsync(MessageDraft draft, CancellationToken cancel)
    {
        // One time for all filters together: the client does not know how many there are.
        _start = draft.FilteredSince ??= services.Time.GetTimestamp();
        if (await HeaderAsync(draft, cancel) is { } early) return early;
        if (await EndOfHeaderAsync(cancel) is { } atEnd) return atEnd;
        if (await BodyAsync(draft, cancel) is { } within) return within;
        return await EndAsync(cancel);
    }

    public ValueTask DisposeAsync() => Edits.DisposeAsync();

    private static async ValueTask<MilterAnswer> NextAsync(MilterConnection connection, TimeSpan timeout, CancellationToken cancel)
    {
        (byte command, ReadOnlyMemory<byte> data) = await connection.ExchangeAsync(timeout, cancel);
        return MilterAnswer.Read(command, data) ?? throw new MilterException($"sends '{MilterConnection.Shown(command)}' with {data.Length} octets, which is no answer");
    }

    private async ValueTask<MilterAnswer?> HeaderAsync(MessageDraft draft, CancellationToken cancel)
    {
        if (connection.Terms.Has(MilterSteps.NoHeaders)) return null;
        bool isAnswered = !connection.Terms.Has(MilterSteps.NoHeaderReply);
        foreach (HeaderField field in draft.Fields)
        {
            if (field.Name.Length == 0) continue;
            _scratch.ResetWrittenCount();
            _scratch.Write(Encoding.Latin1.GetBytes(field.Name));
            _scratch.Write("\0"u8);
            WriteValue(field.Value.Span);
            connection.Write(MilterCommand.Header, _scratch.WrittenSpan);
            if (!isAnswered) await connection.RelieveAsync(Within(options.CommandTimeout), cancel);
            else if (await AnswerAsync(connection, Within(options.CommandTimeout), cancel) is var answer and not MilterAnswer.Continue)
            {
                if (answer is MilterAnswer.Skip) break;
                return answer;
            }
        }
        return null;
    }

    // Lines are parted by LF alone, as Sendmail and Postfix do it; a zero would end the text.
    private void WriteValue(ReadOnlySpan<byte> value)
    {
        if (!connection.Terms.Has(MilterSteps.LeadingSpace) && value.StartsWith(" "u8)) value = value[1..];
        Span<byte> into = _scratch.GetSpan(value.Length + 1);
        int written = 0;
        for (int i = 0; i < value.Length; i++)
        {
            bool isLineEnd = value[i] == '\r' && i + 1 < value.Length && value[i + 1] == '\n';
            if (value[i] != 0 && !isLineEnd) into[written++] = value[i];
        }
        into[written++] = 0;
        _scratch.Advance(written);
    }

    private async ValueTask<MilterAnswer?> EndOfHeaderAsync(CancellationToken cancel)
    {
        WriteMacros(MilterCommand.EndOfHeader, MilterStage.EndOfHeader);
        if (connection.Terms.Has(MilterSteps.NoEndOfHeader)) return null;
        connection.Write(MilterCommand.EndOfHeader, default);
        if (connection.Terms.Has(MilterSteps.NoEndOfHeaderReply)) return null;
        return await AnswerAsync(connection, Within(options.CommandTimeout), cancel) is var answer and not (MilterAnswer.Continue or MilterAnswer.Skip) ? answer : null;
    }

    private async ValueTask<MilterAnswer?> BodyAsync(MessageDraft draft, CancellationToken cancel)
    {
        if (connection.Terms.Has(MilterSteps.NoBody)) return null;
        bool isAnswered = !connection.Terms.Has(MilterSteps.NoBodyReply);
        byte[] chunk = ArrayPool<byte>.Shared.Rent(MilterProtocol.MaxChunk);
        try
        {
            long at = 0;
            while (FillChunk(draft, at, chunk) is > 0 and var read)
            {
                connection.Write(MilterCommand.Body, chunk.AsSpan(0, read));
                at += read;
                if (!isAnswered) await connection.RelieveAsync(Within(options.ContentTimeout), cancel);
                else if (await AnswerAsync(connection, Within(options.ContentTimeout), cancel) is var answer and not MilterAnswer.Continue) return answer is MilterAnswer.Skip ? null : answer;
            }
            return null;
        }
        finally { ArrayPool<byte>.Shared.Return(chunk); }
    }

    private static int FillChunk(MessageDraft draft, long at, byte[] chunk)
    {
        int length = 0;
        while (length < MilterProtocol.MaxChunk)
        {
            int read = draft.ReadBody(at + length, chunk.AsSpan(length, MilterProtocol.MaxChunk - length));
            if (read == 0) break;
            length += read;
        }
        return length;
    }

    private async ValueTask<MilterAnswer> EndAsync(CancellationToken cancel)
    {
        WriteMacros(MilterCommand.EndOfBody, MilterStage.EndOfMessage);
        connection.Write(MilterCommand.EndOfBody, default);
        while (true)
        {
            MilterAnswer answer = await NextAsync(connection, Within(options.ContentTimeout), cancel);
            if (answer.IsFinal)
            {
                HasEnded = true;
                return answer;
            }
            await TakeAsync(answer, cancel);
        }
    }

    // How long one answer may take: a filter that is slow with each of a thousand fields must not keep the client longer than the whole message may take.
    private TimeSpan Within(TimeSpan one)
    {
        TimeSpan left = options.MessageTimeout - services.Time.GetElapsedTime(_start);
        if (left <= TimeSpan.Zero) throw new MilterException($"is not done with a message after {options.MessageTimeout.TotalSeconds:0.###} s");
        return left < one ? left : one;
    }

    // Rights that were not agreed on are not there; what is too much is a filter gone wrong.
    private async ValueTask TakeAsync(MilterAnswer answer, CancellationToken cancel)
    {
        MilterActions needed = answer switch
        {
            MilterAnswer.AddHeader or MilterAnswer.InsertHeader => MilterActions.AddHeaders | MilterActions.ChangeHeaders,
            MilterAnswer.ChangeHeader => MilterActions.ChangeHeaders,
            MilterAnswer.ChangeFrom => MilterActions.ChangeFrom,
            MilterAnswer.AddRecipient { Parameters: null } => MilterActions.AddRecipients | MilterActions.AddRecipientsWithParameters,
            MilterAnswer.AddRecipient => MilterActions.AddRecipientsWithParameters,
            MilterAnswer.DeleteRecipient => MilterActions.DeleteRecipients,
            MilterAnswer.ReplaceBody => MilterActions.ChangeBody,
            MilterAnswer.Quarantine => MilterActions.Quarantine,
            _ => MilterActions.None,
        };
        if (needed == MilterActions.None) return;
        if (!connection.Terms.Allows(needed)) throw new MilterException($"wants {answer.GetType().Name}, for which it did not ask at the start");
        // Pieces of a body are bounded by their octets.
        if (answer is not MilterAnswer.ReplaceBody && ++Edits.Count > options.MaxChanges) throw new MilterException($"wants more than {options.MaxChanges} changes of one message");
        switch (answer)
        {
            case MilterAnswer.AddHeader add: TakeHeader(add, add.Name, add.Value); break;
            case MilterAnswer.InsertHeader insert: TakeHeader(insert, insert.Name, insert.Value); break;
            case MilterAnswer.ChangeHeader change: TakeHeader(change, change.Name, change.Value); break;
            case MilterAnswer.ChangeFrom from: Edits.From = from; break;
            case MilterAnswer.Quarantine quarantine: Edits.Quarantine = quarantine.Reason; break;
            case MilterAnswer.ReplaceBody piece:
                Edits.Body ??= services.Stores.CreateSink();
                if (Edits.Body.Length + piece.Octets.Length > services.MaxMessageSize) throw new MilterException($"wants a body of more than {services.MaxMessageSize} octets");
                await Edits.Body.WriteAsync(piece.Octets, cancel);
                break;
            default: Edits.Recipients.Add(answer); break;
        }
    }

    private void TakeHeader(MilterAnswer edit, byte[] name, byte[] value)
    {
        Edits.HeaderOctets += name.Length + value.Length + 4;
        if (Edits.HeaderOctets > services.MaxHeaderSize) throw new MilterException($"wants fields of more than {services.MaxHeaderSize} octets");
        Edits.Header.Add(edit);
    }

    private void WriteMacros(byte command, MilterStage stage)
    {
        _scratch.ResetWrittenCount();
        if (macros.Write(_scratch, command, stage, connection.Terms)) connection.Write(MilterCommand.Macros, _scratch.WrittenSpan);
    }
}
