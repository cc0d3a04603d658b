using System.Globalization;
using Posthorn.Core;
using Posthorn.Journal.Volume;
using Posthorn.Store.Catalogue;
using Posthorn.Store.Maildir;

namespace Posthorn.Store.Engine;

/// <summary>Holds catalogue, files and the second home of the numbers against each other. Repairs nothing; no server may have the account open.</summary>
public sealed class StoreVerifier(MaildirStoreOptions options, IVolume volume)
{
    private List<StoreDifference> _found = [];
    private long _messages;

    /// <summary>Looks at one account.</summary>
    /// <param name="who">Whose.</param>
    /// <param name="readMail">Whether every message is read and what is kept about it computed anew.</param>
    /// <param name="progress">Told how many messages were looked at since the last call.</param>
    /// <param name="cancel">Gives up.</param>
    public StoreReport Verify(MailAccount who, bool readMail, Action<int>? progress, CancellationToken cancel)
    {
        (_found, _messages) = ([], 0);
        MaildirTree tree = new(volume, who.MailRoot.TrimEnd('/'), new(options.Separator));
        string directory = AccountOpener.DirectoryOf(options, who.Address);
        int mailboxes = 0;
        if (who.TreeOf is { } other) Add(StorePart.Tree, null, null, $"{who.MailRoot} belongs to the mail of {other}; give each account a tree of its own");
        try
        {
            if (!File.Exists(directory + "/catalogue.db"))
            {
                // An account that nobody has used yet has neither.
                if (tree.Exists(tree.Root)) Add(StorePart.Catalogue, null, null, "is missing; it is rebuilt when the account is opened");
                return new(who.Address, 0, 0, _found);
            }

            using AccountCatalogue catalogue = new(directory + "/catalogue.db");
            foreach (string line in catalogue.Verify())
                if (line != "ok") Add(StorePart.Catalogue, null, null, line);
            VerifyTree(catalogue, tree);
            List<MailboxRow> boxes = catalogue.Mailboxes();
            mailboxes = boxes.Count;
            foreach (MailboxRow box in boxes) new MailboxVerifier(this, catalogue, tree, box, readMail ? options.Mime : null).Verify(progress, cancel);
            foreach (string stray in catalogue.Audit.Strays()) Add(StorePart.Catalogue, null, null, stray);
            VerifyAccountFile(catalogue, tree, boxes);
        }
        catch (CatalogueException problem)
        {
            Add(StorePart.Catalogue, null, null, problem.Message);
        }

        VerifyWords(directory + "/words.db");
        return new(who.Address, mailboxes, _messages, _found);
    }

    /// <summary>Puts an account's catalogue aside, so that the next opening makes it anew from the mail and the second home of the numbers. False when there is none.</summary>
    public bool SetAside(MailAccount who, DateTimeOffset now) => AccountOpener.SetAside(AccountOpener.DirectoryOf(options, who.Address) + "/catalogue.db", "before-rebuild", now);

    internal void Add(StorePart part, MailboxName? mailbox, Uid? uid, string what) => _found.Add(new(part, mailbox, uid, what));

    internal void Count() => _messages++;

    private void VerifyTree(AccountCatalogue catalogue, MaildirTree tree)
    {
        string id = catalogue.Meta(MetaKey.Id).Text;
        string? marker = tree.ReadText($"{tree.OwnPath}/{AccountOpener.Marker}")?.Trim();
        if (marker is null) Add(StorePart.Tree, null, null, $"{tree.OwnPath}/{AccountOpener.Marker} is missing; is the volume mounted?");
        else if (marker != id) Add(StorePart.Tree, null, null, $"{tree.Root} carries the marker of another catalogue");
        if (catalogue.Meta(MetaKey.OpenBoot).Text.Length > 0) Add(StorePart.Catalogue, null, null, "was not closed in order; the next start of the server replays the journal into it");
    }

    private void VerifyAccountFile(AccountCatalogue catalogue, MaildirTree tree, List<MailboxRow> boxes)
    {
        if (tree.ReadText($"{tree.OwnPath}/{AccountFile.FileName}") is not { } text || AccountFile.Parse(text, tree.Names.Separator) is not { } file)
        {
            Add(StorePart.List, null, null, "the account's file is missing or not whole");
            return;
        }

        if (file.ModSeq < catalogue.Meta(MetaKey.ModSeq).Number) Add(StorePart.List, null, null, Text($"the account's file has MODSEQ {file.ModSeq}, the catalogue {catalogue.Meta(MetaKey.ModSeq).Number}"));
        if (file.Validity < catalogue.Meta(MetaKey.Validity).Number) Add(StorePart.List, null, null, Text($"the account's file has UIDVALIDITY counter {file.Validity}, the catalogue {catalogue.Meta(MetaKey.Validity).Number}"));
        foreach (MailboxRow box in boxes)
        {
            _ = MailboxName.TryCreate(box.Name, options.Separator, out MailboxName name);
            AccountFileMailbox? known = file.Mailboxes.FirstOrDefault(one => one.Mailbox == box.Object);
            if (known is null) Add(StorePart.List, name, null, "is not in the account's file");
            else if ((known.Validity, known.UidNext, known.Name) != (box.Validity, box.UidNext, name))
                Add(StorePart.List, name, null, Text($"the account's file says {known.Name}, UIDVALIDITY {known.Validity.Value}, UIDNEXT {known.UidNext.Value}; the catalogue {box.Validity.Value} and {box.UidNext.Value}"));
        }

        foreach (AccountFileMailbox known in file.Mailboxes)
            if (boxes.TrueForAll(box => box.Object != known.Mailbox)) Add(StorePart.List, known.Name, null, "is in the account's file and not in the catalogue");
    }

    private void VerifyWords(string path)
    {
        if (!File.Exists(path)) return;
        try
        {
            using WordIndex index = new(path);
            foreach (string line in index.Verify()) Add(StorePart.Words, null, null, line);
        }
        catch (CatalogueException problem)
        {
            Add(StorePart.Words, null, null, problem.Message);
        }
    }

    internal static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
