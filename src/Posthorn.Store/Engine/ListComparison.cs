using Posthorn.Core;
using Posthorn.Store.Catalogue;
using Posthorn.Store.Maildir;

namespace Posthorn.Store.Engine;

/// <summary>A folder's <c>dovecot-uidlist</c> against what the catalogue knows. An older list of our own is never taken for another server's.</summary>
/// <param name="Arrived">Messages that only the list knows and whose files are there: entry and file.</param>
/// <param name="Next">The next UID after all in the list.</param>
/// <param name="Clash">Whether numbers meet that mean different messages.</param>
/// <param name="Validity">The list's UIDVALIDITY when it is another and newer one; else null.</param>
internal sealed record ListComparison(IReadOnlyList<(UidListEntry Entry, string Disk)> Arrived, Uid Next, bool Clash, UidValidity? Validity)
{
    internal static readonly ListComparison Same = new([], new(1), false, null);

    /// <summary>A list whose numbers nobody can go on from: ours hold, under another UIDVALIDITY, and what is new gets ours.</summary>
    internal static readonly ListComparison Exhausted = new([], new(1), Clash: true, null);

    /// <summary>Whether anything in it is another server's.</summary>
    internal bool IsForeign(Box box) => Arrived.Count > 0 || Clash || Validity is not null || Next.Value > box.NextUid;

    /// <param name="visited">
    /// Whether another server must have written it: our last end was in order, or its index changed. After a crash a file of an expunged message may be back,
    /// and an older list of ours name it; that is no other server's doing, and the look at the folder deals with it.
    /// </param>
    internal static ListComparison Of(MaildirTree tree, AccountCatalogue catalogue, Box box, bool visited)
    {
        string folder = tree.FolderPath(box.Name);
        if (tree.ReadText($"{folder}/{UidList.FileName}") is not { } text || UidList.Parse(text) is not { } list) return Same;
        // A lower one is an older list, ours or another's: its clients see that it is not ours.
        if (list.Validity.Value < box.Validity.Value) return Same;
        if (list.UidNext.Value > UidList.MostNext) return Exhausted;
        Dictionary<string, Uid> known = new(StringComparer.Ordinal);
        foreach (FileRow file in catalogue.Files(box.Id)) known[file.Base] = file.Uid;
        bool other = list.Validity != box.Validity, clash = false;
        List<(UidListEntry, string)> arrived = [];
        Dictionary<string, string>? files = null;
        foreach (UidListEntry entry in list.Entries)
        {
            if (known.TryGetValue(entry.Base, out Uid uid))
            {
                clash |= visited && uid != entry.Uid;
                continue;
            }

            files ??= tree.FilesOf(folder);
            if (!files.TryGetValue(entry.Base, out string? disk)) continue;
            // Our own names return after a crash only.
            bool given = entry.Uid.Value < box.NextUid;
            if (given && (!visited || OwnName.Parse(entry.Base) is not null)) continue;
            clash |= given;
            arrived.Add((entry, disk));
        }

        return new(arrived, list.UidNext, clash && !other, other ? list.Validity : null);
    }
}
