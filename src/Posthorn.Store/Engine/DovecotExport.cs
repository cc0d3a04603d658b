using System.Globalization;
using Posthorn.Core;
using Posthorn.Journal.Volume;
using Posthorn.Store.Catalogue;
using Posthorn.Store.Dovecot;
using Posthorn.Store.Maildir;

namespace Posthorn.Store.Engine;

/// <summary>Leaves an account's tree so that Dovecot goes on where we stop: every name follows, the lists are written, and each folder gets an index with our MODSEQs.</summary>
/// <remarks>
/// Dovecot believes its index in what a Maildir cannot say: HIGHESTMODSEQ, the next UID, and keywords that have no letter. The index is written whole, with an empty log
/// that begins at our highest; what Dovecot derived from the old one (its cache, its list of mailboxes) goes, and Dovecot makes it anew.
/// </remarks>
internal sealed class DovecotExport(MaildirStoreOptions options, TimeProvider time)
{
    private static readonly string[] Derived = [IndexLog.OlderName, "dovecot.index.cache", "dovecot.index.thread"];
    private static readonly string[] DerivedInRoot = ["dovecot.list.index", "dovecot.list.index.log", "dovecot.list.index.log.2"];
    private const string UidValidityFile = "dovecot-uidvalidity";

    /// <summary>Hands over one account, whose names and lists are written already.</summary>
    internal DovecotHandover Run(Account account, IProgress<(int Done, int All)> progress)
    {
        MaildirTree tree = account.Tree;
        List<DovecotMailbox> mailboxes = [];
        Box[] boxes = [.. account.Mailboxes.All().OrderBy(box => box.Name.Value, StringComparer.Ordinal)];
        foreach (Box box in boxes)
        {
            mailboxes.Add(account.Read(catalogue => Mailbox(tree, catalogue, box)));
            progress.Report((mailboxes.Count, boxes.Length));
        }

        foreach (string name in DerivedInRoot) RemoveFile(tree, $"{tree.Root}/{name}");
        WriteValidity(tree, account.Validity);
        tree.Volume.SyncDirectory(tree.Root);
        return new(account.Who.Address, mailboxes);
    }

    private DovecotMailbox Mailbox(MaildirTree tree, AccountCatalogue catalogue, Box box)
    {
        string folder = tree.FolderPath(box.Name);
        uint now = (uint)time.GetUtcNow().ToUnixTimeSeconds();
        IndexState state = new()
        {
            Id = now,
            Validity = box.Validity.Value,
            NextUid = box.UidNext.Value,
            FirstRecent = box.FirstRecent.Value,
            LogSequence = Math.Max(1, FolderIndex.Read(tree, folder, options.DovecotIndex)?.State?.LogSequence ?? 0) + 1,
            Highest = (ulong)box.Highest.Value,
        };
        SortedDictionary<Keyword, List<Uid>> indexOnly = new(Comparer<Keyword>.Create((one, other) => string.Compare(one.Name, other.Name, StringComparison.OrdinalIgnoreCase)));
        List<StoredRow> rows = [.. catalogue.Messages(box.Id)];
        Number(state, catalogue.Letters(box.Id), rows.Any(row => row.Row.Keywords.Count > 0));
        foreach (StoredRow stored in rows)
        {
            MessageRow row = stored.Row;
            IndexMessage message = new(row.Uid.Value) { Flags = IndexMessage.FromSystem(row.Flags), ModSeq = (ulong)Math.Max(row.ModSeq.Value, box.Floor.Value) };
            foreach (Keyword keyword in row.Keywords)
            {
                int number = state.KeywordNumber(keyword.Name);
                (message.Keywords ??= []).Add(number);
                if (number < IndexState.Letters) continue;
                if (!indexOnly.TryGetValue(keyword, out List<Uid>? uids)) indexOnly.Add(keyword, uids = []);
                uids.Add(row.Uid);
            }

            state.Append(message);
        }

        Write(tree, folder, state, now);
        catalogue.Lists.PutMark(box.Id, FolderMark.Of(tree, folder).ToString());
        catalogue.Lists.PutHanded(box.Id, TreeVisitor.HandedOver(state.Id, box.Highest));
        string name = box.Name.IsInbox ? "INBOX" : tree.Names.Encode(box.Name);
        return new(name, box.Validity, box.UidNext, box.Highest, rows.Count, [.. indexOnly.Select(pair => (pair.Key, (IReadOnlyList<Uid>)pair.Value))]);
    }

    // Dovecot takes a keyword for one without a letter by its number alone: those with letters stand first, and a letter that is free is filled.
    private static void Number(IndexState state, SortedDictionary<int, string> letters, bool any)
    {
        if (!any) return;
        for (int number = 0; number < IndexState.Letters; number++) state.Keywords.Add(letters.GetValueOrDefault(number) ?? string.Create(CultureInfo.InvariantCulture, $"$Unused{number}"));
        if (!letters.Keys.Any(number => number >= IndexState.Letters))
            while (state.Keywords.Count > 0 && !letters.ContainsKey(state.Keywords.Count - 1)) state.Keywords.RemoveAt(state.Keywords.Count - 1);
    }

    private static void Write(MaildirTree tree, string folder, IndexState state, uint now)
    {
        (byte[] index, byte[] log) = IndexWriter.Write(state, now);
        foreach (string name in Derived) RemoveFile(tree, $"{folder}/{name}");
        tree.Replace($"{folder}/{IndexLog.FileName}", log);
        tree.Replace($"{folder}/{IndexFile.FileName}", index);
        tree.Volume.SyncDirectory(folder);
    }

    // Dovecot's counter for new mailboxes: the file says it, and an empty file's name says it again.
    private static void WriteValidity(MaildirTree tree, uint validity)
    {
        string path = $"{tree.Root}/{UidValidityFile}", text = validity.ToString("x8", CultureInfo.InvariantCulture);
        if (tree.ReadText(path) is { } there && uint.TryParse(there.Trim(), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out uint theirs) && theirs >= validity) return;
        foreach (VolumeEntry entry in tree.Volume.List(tree.Root, times: false))
            if (entry.Name.StartsWith(UidValidityFile + ".", StringComparison.Ordinal)) tree.Volume.Unlink($"{tree.Root}/{entry.Name}");
        tree.Volume.Open($"{path}.{text}", VolumeOpen.OpenOrCreate).Dispose();
        tree.Replace(path, text, sync: true);
    }

    private static void RemoveFile(MaildirTree tree, string path)
    {
        if (tree.Exists(path)) tree.Volume.Unlink(path);
    }
}
