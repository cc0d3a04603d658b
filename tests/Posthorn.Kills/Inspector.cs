using System.Globalization;
using System.Runtime.InteropServices;

namespace Posthorn.Kills;

/// <summary>Reads the mailboxes of an account back over IMAP and compares them with what the ledger says.</summary>
internal sealed class Inspector(Ledger ledger, AccountLedger account, int port)
{
    /// <summary>Messages that are fetched by one command.</summary>
    private const int Batch = 100;

    private string Who => account.Account.LocalPart;

    /// <summary>Looks at every number, and at the content of what is new; at the content of everything if asked.</summary>
    public async Task InspectAsync(bool everything)
    {
        await using ImapClient client = await ImapClient.LogInAsync(port, account.Account);
        ImapAnswer list = await client.AskAsync("LIST \"\" *");
        HashSet<string> names = [.. list.Lines.Select(l => l.Text[(l.Text.LastIndexOf(' ') + 1)..].Trim('"'))];
        foreach (BoxLedger box in account.Boxes.Values.ToArray()) Resolve(box, names);
        foreach (string name in names)
            if (name.StartsWith("Made-", StringComparison.Ordinal) && !account.Boxes.ContainsKey(name)) ledger.SayLie($"{Who}: the mailbox {name} was deleted or renamed and is there again");
        foreach (BoxLedger box in account.Boxes.Values) await InspectAsync(client, box, everything);
        account.Settle();
        await ResynchroniseAsync(client, account.Boxes["INBOX"], account.View);
    }

    // Flag changes of the last moments may be lost; that a client was told of them and is not told of their loss may not be.
    private async Task ResynchroniseAsync(ImapClient client, BoxLedger inbox, MailView view)
    {
        await client.AskAsync("ENABLE QRESYNC");
        string since = view.ModSeq == 0 ? "CONDSTORE" : string.Create(CultureInfo.InvariantCulture, $"QRESYNC ({inbox.Validity} {view.ModSeq})");
        ImapAnswer opened = await client.AskAsync($"EXAMINE INBOX ({since})");
        view.Apply(opened.Lines);
        view.Apply((await client.AskAsync(string.Create(CultureInfo.InvariantCulture, $"UID FETCH {view.Next}:* (FLAGS)"))).Lines, askedForNew: true);
        MailView truth = new();
        truth.Apply((await client.AskAsync("UID FETCH 1:* (FLAGS)")).Lines, askedForNew: true);
        foreach (uint uid in view.Flags.Keys.Union(truth.Flags.Keys).Order())
        {
            string believed = view.Flags.GetValueOrDefault(uid, "nothing"), real = truth.Flags.GetValueOrDefault(uid, "nothing");
            if (believed != real) ledger.SayLie($"{Who} INBOX: a client that resynchronised from {view.ModSeq} believes of UID {uid} '{believed}' and it is '{real}'");
        }
        view.Commit(ulong.Parse(opened.Code("HIGHESTMODSEQ")![0], CultureInfo.InvariantCulture));
    }

    private void Resolve(BoxLedger box, HashSet<string> names)
    {
        bool there = names.Contains(box.Name);
        if (box.NewName is { } other)
        {
            bool renamed = names.Contains(other);
            if (there == renamed) ledger.SayLie($"{Who}: RENAME {box.Name} {other} left {(there ? "both" : "none")}");
            if (renamed && !there) account.Renamed(box);
            box.NewName = null;
            if (there || renamed) return;
        }
        if (!there)
        {
            if (!box.MayBeAbsent) ledger.SayLie($"{Who}: the mailbox {box.Name} is gone");
            account.RemoveBox(box);
        }
        box.MayBeAbsent = false;
    }

    private async Task InspectAsync(ImapClient client, BoxLedger box, bool everything)
    {
        ImapAnswer opened = await client.AskAsync($"EXAMINE {box.Name} (CONDSTORE)");
        if (!opened.IsOk)
        {
            ledger.SayLie($"{Who} {box.Name}: EXAMINE was answered with {opened.Text}");
            return;
        }
        CheckNumbers(box, opened);
        ImapAnswer search = await client.AskAsync("UID SEARCH RETURN (ALL) ALL");
        string found = search.Lines.Select(l => l.Text).FirstOrDefault(l => l.Contains(" ALL ", StringComparison.Ordinal)) ?? "";
        HashSet<uint> present = found.Length == 0 ? [] : [.. ImapClient.Numbers(found[(found.LastIndexOf(' ') + 1)..])];
        Compare(box, present);
        List<uint> toRead = [.. present.Where(uid => everything || !box.Slots.ContainsKey(uid)).Order()];
        foreach (uint[] batch in toRead.Chunk(Batch)) await ReadAsync(client, box, batch);
    }

    private void CheckNumbers(BoxLedger box, ImapAnswer opened)
    {
        uint validity = uint.Parse(opened.Code("UIDVALIDITY")![0], CultureInfo.InvariantCulture), next = uint.Parse(opened.Code("UIDNEXT")![0], CultureInfo.InvariantCulture);
        ulong modSeq = ulong.Parse(opened.Code("HIGHESTMODSEQ")![0], CultureInfo.InvariantCulture);
        if (box.Validity != 0 && validity != box.Validity) ledger.SayLie($"{Who} {box.Name}: UIDVALIDITY was {box.Validity} and is {validity}");
        if (next <= box.HighestUid) ledger.SayLie($"{Who} {box.Name}: UIDNEXT is {next}, and UID {box.HighestUid} was told");
        if (modSeq < box.HighestModSeq) ledger.SayLie($"{Who} {box.Name}: HIGHESTMODSEQ was {box.HighestModSeq} and is {modSeq}");
        (box.Validity, box.HighestModSeq) = (validity, modSeq);
    }

    private void Compare(BoxLedger box, HashSet<uint> present)
    {
        box.Idle.Clear();
        foreach (uint uid in box.Slots.Keys)
        {
            ref Slot slot = ref CollectionsMarshal.GetValueRefOrNullRef(box.Slots, uid);
            bool there = present.Contains(uid);
            if (there && slot.State == SlotState.Gone) ledger.SayTwice($"{Who} {box.Name}: UID {uid} (number {slot.Id}) was removed and is there again");
            if (!there && slot.State == SlotState.There) ledger.SayLie($"{Who} {box.Name}: UID {uid} (number {slot.Id}) was told and is gone");
            if (!there && slot.State != SlotState.Gone) account.Missing(slot.Id);
            slot.State = there ? SlotState.There : SlotState.Gone;
            if (there) box.Idle.Add(uid);
        }
    }

    private async Task ReadAsync(ImapClient client, BoxLedger box, uint[] uids)
    {
        ImapAnswer answer = await client.AskAsync($"UID FETCH {string.Join(',', uids)} (UID BODY.PEEK[])");
        HashSet<uint> left = [.. uids];
        foreach (ImapLine line in answer.Lines.Where(l => l.Literals.Count == 1))
        {
            uint uid = ImapClient.UidOf(line.Text);
            left.Remove(uid);
            if (!Letter.TryRead(line.Literals[0], out long id, out Int128 hash) || !ledger.IsWhole(id, hash)) ledger.SayLie($"{Who} {box.Name}: UID {uid} (number {id}) is damaged, {line.Literals[0].Length} octets");
            else account.Told(box, uid, id);
        }
        foreach (uint uid in left) ledger.SayLie($"{Who} {box.Name}: UID {uid} cannot be read: {answer.Text}");
    }
}
