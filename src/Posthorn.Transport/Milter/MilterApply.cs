using System.Buffers;
using System.Text;
using Posthorn.Store;
using Posthorn.Transport.Policy;

namespace Posthorn.Transport.Milter;

/// <summary>Carries out what a filter wants of a message, when it has said its last word.</summary>
/// <remarks>
/// Our own Received line is no part of the draft: filters neither see nor count it where they name fields, as with Sendmail and Postfix. A new field at 0 or 1 stands right below it;
/// above it would be where the next server looks for its own.
/// </remarks>
internal static class MilterApply
{
    private const int Piece = 64 * 1024;

    /// <summary>What was done, for log and trace; what makes no sense is said there and left out.</summary>
    public static async ValueTask<string> ToAsync(MessageDraft draft, MilterEdits edits, bool leadingSpace, CancellationToken cancel)
    {
        List<string> done = [];
        foreach (MilterAnswer edit in edits.Header) done.Add(Header(draft, edit, leadingSpace));
        if (edits.From is { } from) done.Add(Sender(draft, from));
        foreach (MilterAnswer edit in edits.Recipients) done.Add(Recipient(draft, edit));
        if (edits.Body is { } body)
        {
            await draft.ClearBodyAsync();
            await CopyAsync(body, draft, cancel);
            done.Add($"new body of {body.Length} octets");
        }
        return string.Join("; ", done);
    }

    private static string Header(MessageDraft draft, MilterAnswer edit, bool leadingSpace)
    {
        switch (edit)
        {
            case MilterAnswer.AddHeader add:
                draft.Insert(int.MaxValue, Make(add.Name, add.Value, leadingSpace));
                return $"add {Encoding.ASCII.GetString(add.Name)}";
            case MilterAnswer.InsertHeader insert:
                draft.Insert(Math.Max(insert.Index - 1, 0), Make(insert.Name, insert.Value, leadingSpace));
                return $"insert {Encoding.ASCII.GetString(insert.Name)}";
            case MilterAnswer.ChangeHeader change: return Change(draft, change, leadingSpace);
            default: throw new System.Diagnostics.UnreachableException();
        }
    }

    // The nth field of a name. One that is not there is added, as Sendmail does; removing it is nothing.
    private static string Change(MessageDraft draft, MilterAnswer.ChangeHeader change, bool leadingSpace)
    {
        string name = Encoding.ASCII.GetString(change.Name);
        int left = Math.Max(change.Index, 1);
        int at = -1;
        for (int i = 0; i < draft.Fields.Count && at < 0; i++)
            if (draft.Fields[i].Is(name) && --left == 0) at = i;
        if (change.Value.Length == 0)
        {
            if (at >= 0) draft.Remove(at);
            return $"delete {name}";
        }
        HeaderField field = Make(change.Name, change.Value, leadingSpace);
        if (at >= 0) draft.Replace(at, field);
        else draft.Insert(int.MaxValue, field);
        return $"change {name}";
    }

    private static HeaderField Make(byte[] name, byte[] value, bool leadingSpace)
    {
        ReadOnlySpan<byte> text = value.AsSpan().TrimEnd("\r\n"u8);
        return HeaderField.Make(Encoding.ASCII.GetString(name), leadingSpace ? text : (byte[])[(byte)' ', .. text]);
    }

    private static string Sender(MessageDraft draft, MilterAnswer.ChangeFrom from)
    {
        if (MilterParameters.Path(from.Address) is not { } path) return $"sender {Shown(from.Address)} makes no sense";
        draft.ChangeSender(path);
        return $"sender <{path}>";
    }

    private static string Recipient(MessageDraft draft, MilterAnswer edit)
    {
        switch (edit)
        {
            case MilterAnswer.AddRecipient add when MilterParameters.Recipient(add.Address, add.Parameters) is { } recipient:
                draft.AddRecipient(recipient);
                return $"add <{recipient.Address}>";
            case MilterAnswer.AddRecipient add: return $"recipient {Shown(add.Address)} makes no sense";
            case MilterAnswer.DeleteRecipient delete when MilterParameters.Address(delete.Address) is { } address:
                draft.RemoveRecipient(address);
                return $"delete <{address}>";
            case MilterAnswer.DeleteRecipient delete: return $"recipient {Shown(delete.Address)} makes no sense";
            default: throw new System.Diagnostics.UnreachableException();
        }
    }

    private static async ValueTask CopyAsync(IMessageSink from, MessageDraft draft, CancellationToken cancel)
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent(Piece);
        try
        {
            int read;
            for (long at = 0; (read = from.Read(at, buffer.AsSpan(0, Piece))) > 0; at += read) await draft.WriteBodyAsync(buffer.AsMemory(0, read), cancel);
        }
        finally { ArrayPool<byte>.Shared.Return(buffer); }
    }

    private static string Shown(string text) => $"\"{new string([.. text.Take(100).Select(c => char.IsControl(c) ? '?' : c)])}\"";
}
