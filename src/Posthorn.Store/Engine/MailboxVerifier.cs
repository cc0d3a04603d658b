using Posthorn.Core;
using Posthorn.Journal.Volume;
using Posthorn.Mime;
using Posthorn.Store.Catalogue;
using Posthorn.Store.Maildir;

namespace Posthorn.Store.Engine;

/// <summary>Holds one mailbox's rows, files and list against each other.</summary>
internal sealed class MailboxVerifier(StoreVerifier report, AccountCatalogue catalogue, MaildirTree tree, MailboxRow box, MimeLimits? read)
{
    private readonly Dictionary<string, string> _disk = new(StringComparer.Ordinal);
    private MailboxName _name;
    private string _folder = "";

    internal void Verify(Action<int>? progress, CancellationToken cancel)
    {
        if (!MailboxName.TryCreate(box.Name, tree.Names.Separator, out _name))
        {
            report.Add(StorePart.Mailbox, null, null, $"'{box.Name}' is no mailbox name");
            return;
        }

        _folder = tree.FolderPath(_name);
        if (!ListFiles()) report.Add(StorePart.Tree, _name, null, $"{_folder} has no new/ or cur/");
        Dictionary<Uid, string> list = ListOf();
        Counts counts = default;
        List<Uid> uids = catalogue.Audit.Uids(box.Id);
        foreach (Uid uid in uids)
        {
            cancel.ThrowIfCancellationRequested();
            report.Count();
            progress?.Invoke(1);
            try
            {
                if (catalogue.TryGetMessage(box.Id, uid, out StoredRow row)) Verify(row, list, ref counts);
            }
            catch (CatalogueException problem)
            {
                Add(StorePart.Catalogue, uid, problem.Message);
            }
        }

        foreach (Uid uid in list.Keys) Add(StorePart.List, uid, $"{UidList.FileName} names a message that the catalogue does not have");
        foreach (string disk in _disk.Values) report.Add(StorePart.File, _name, null, $"{_folder}/{disk} belongs to no message; it is taken in when the mailbox is opened");
        foreach (Uid uid in catalogue.Audit.StrayFiles(box.Id)) Add(StorePart.Catalogue, uid, "a file without a message");
        if (counts != box.Counts) report.Add(StorePart.Mailbox, _name, null, StoreVerifier.Text($"counts say {box.Counts.Messages} messages, {box.Counts.Unseen} unseen, {box.Counts.Octets} octets; the rows {counts.Messages}, {counts.Unseen}, {counts.Octets}"));
        if (catalogue.Tombstones.Count(box.Id) is long gone && gone != box.Tombstones) report.Add(StorePart.Mailbox, _name, null, StoreVerifier.Text($"{box.Tombstones} tombstones are counted, and there are {gone}"));
        if (uids.Count > 0 && uids[^1] >= box.UidNext) Add(StorePart.Mailbox, uids[^1], StoreVerifier.Text($"is not below UIDNEXT {box.UidNext.Value}"));
        if (box.Highest.Value > catalogue.Meta(MetaKey.ModSeq).Number) report.Add(StorePart.Mailbox, _name, null, StoreVerifier.Text($"HIGHESTMODSEQ {box.Highest.Value} is above the account's"));
    }

    private void Verify(in StoredRow row, Dictionary<Uid, string> list, ref Counts counts)
    {
        Uid uid = row.Row.Uid;
        counts = counts.With(row.Row, 1);
        if (row.Row.ModSeq > box.Highest) Add(StorePart.Mailbox, uid, StoreVerifier.Text($"MODSEQ {row.Row.ModSeq.Value} is above the mailbox's {box.Highest.Value}"));
        ContentRow content = catalogue.Contents.Of(row.Content);
        if (!catalogue.TryGetFile(box.Id, uid, out FileRow file))
        {
            Add(StorePart.Catalogue, uid, "has no file's row");
            return;
        }

        if (!list.Remove(uid, out string? listed)) Add(StorePart.List, uid, $"is not in {UidList.FileName}");
        else if (listed != file.Base) Add(StorePart.List, uid, $"{UidList.FileName} says {listed}, the catalogue {file.Base}");
        if (file.DiskName.Length == 0)
        {
            Add(StorePart.File, uid, "waits in the journal to be written");
            return;
        }

        if (!_disk.Remove(file.Base, out string? disk))
        {
            if (file.DiskName[0] != '/') Add(StorePart.File, uid, $"{_folder}/{file.DiskName} is missing");
            return;
        }

        if (disk != file.DiskName) Add(StorePart.File, uid, $"is {disk} on disk, {file.DiskName} in the catalogue");
        VerifyFile($"{_folder}/{disk}", row, content);
    }

    private void VerifyFile(string path, in StoredRow row, in ContentRow content)
    {
        Uid uid = row.Row.Uid;
        try
        {
            using IVolumeFile file = tree.Volume.Open(path, VolumeOpen.Read);
            if (file.Length != content.Octets)
            {
                Add(StorePart.File, uid, StoreVerifier.Text($"{path} has {file.Length} octets, {content.Octets} are expected"));
                return;
            }

            MessageSummary? kept = catalogue.Scan.Summary(box.Id, uid, AllFields);
            if (read is null || kept is null) return;
            byte[] bytes = new byte[file.Length];
            if (file.Read(0, bytes) < bytes.Length) Add(StorePart.File, uid, $"{path} cannot be read whole");
            else Compare(uid, row, kept, MessageFacts.Of(bytes, read));
        }
        catch (VolumeException problem)
        {
            Add(StorePart.File, uid, problem.Message);
        }
    }

    private const SummaryFields AllFields = SummaryFields.Envelope | SummaryFields.Body | SummaryFields.BodyStructure | SummaryFields.Structure | SummaryFields.Preview | SummaryFields.SortKeys;

    private void Compare(Uid uid, in StoredRow row, MessageSummary kept, MessageFacts facts)
    {
        if (row.Row.Size != facts.WireLength) Add(StorePart.Message, uid, StoreVerifier.Text($"RFC822.SIZE is {row.Row.Size}, the message has {facts.WireLength}"));
        Compare(uid, "ENVELOPE", kept.Envelope, facts.Envelope);
        Compare(uid, "BODY", kept.Body, facts.Body);
        Compare(uid, "BODYSTRUCTURE", kept.BodyStructure, facts.BodyStructure);
        Compare(uid, "the part tree", kept.Structure, facts.Structure);
        Compare(uid, "the preview", kept.Preview, facts.Preview);
        Compare(uid, "the sort keys", MessageFacts.Write(kept.Sort!), MessageFacts.Write(facts.Sort));
    }

    private void Compare(Uid uid, string what, ReadOnlyMemory<byte> kept, ReadOnlyMemory<byte> computed)
    {
        if (!kept.Span.SequenceEqual(computed.Span)) Add(StorePart.Message, uid, $"{what} is not that of the message");
    }

    private bool ListFiles()
    {
        bool all = true;
        foreach (string part in (ReadOnlySpan<string>)["new", "cur"])
        {
            if (!tree.Exists($"{_folder}/{part}"))
            {
                all = false;
                continue;
            }

            foreach (VolumeEntry entry in tree.Volume.List($"{_folder}/{part}", times: false))
                if (entry.Name[0] != '.' && entry.Kind != VolumeKind.Directory) _disk[MaildirName.BaseOf(entry.Name)] = $"{part}/{entry.Name}";
        }

        return all;
    }

    private Dictionary<Uid, string> ListOf()
    {
        Dictionary<Uid, string> entries = [];
        if (tree.ReadText($"{_folder}/{UidList.FileName}") is not { } text || UidList.Parse(text) is not { } list)
        {
            report.Add(StorePart.List, _name, null, $"{UidList.FileName} is missing or not one");
            return entries;
        }

        if ((list.Validity, list.UidNext) != (box.Validity, box.UidNext))
            report.Add(StorePart.List, _name, null, StoreVerifier.Text($"{UidList.FileName} says UIDVALIDITY {list.Validity.Value}, UIDNEXT {list.UidNext.Value}; the catalogue {box.Validity.Value} and {box.UidNext.Value}"));
        if (list.Guid != box.Object.Value) report.Add(StorePart.List, _name, null, $"{UidList.FileName} belongs to another mailbox");
        foreach (UidListEntry entry in list.Entries) entries[entry.Uid] = entry.Base;
        return entries;
    }

    private void Add(StorePart part, Uid uid, string what) => report.Add(part, _name, uid, what);
}
