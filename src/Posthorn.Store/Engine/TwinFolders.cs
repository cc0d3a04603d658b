using Posthorn.Store.Maildir;

namespace Posthorn.Store.Engine;

/// <summary>Several folders of one mailbox, as replays that were cut short and renames that were lost leave them: what is to be the mailbox's is brought into one of them.</summary>
/// <remarks>One of them has its mail, the others what a replay put into a folder that it had to make. None may be put aside with mail in it.</remarks>
internal sealed class TwinFolders(MaildirTree tree, NewIds ids)
{
    /// <summary>The one folder, with what the others had; they are put aside.</summary>
    internal AccountRebuilder.Found Join(IReadOnlyList<AccountRebuilder.Found> twins)
    {
        if (twins.Count == 1) return twins[0];
        // The fullest list is the mailbox's own: a folder that was made anew begins with an empty one.
        AccountRebuilder.Found main = twins.OrderByDescending(found => found.List!.Entries.Count).ThenByDescending(found => found.List!.UidNext.Value).First();
        UidList list = main.List!;
        foreach (AccountRebuilder.Found other in twins)
        {
            if (ReferenceEquals(other, main)) continue;
            list = Union(list, other.List!);
            BringOver(other.Folder, main.Folder);
            tree.Volume.Rename(other.Folder, tree.DisplacedName(ids.Text()));
        }

        tree.Replace($"{main.Folder}/{UidList.FileName}", list.Format(), sync: true);
        return main with { List = list };
    }

    private static UidList Union(UidList list, UidList other)
    {
        if (other.Validity != list.Validity) return list;
        HashSet<Core.Uid> known = [.. list.Entries.Select(entry => entry.Uid)];
        return list with
        {
            UidNext = other.UidNext > list.UidNext ? other.UidNext : list.UidNext,
            Entries = [.. list.Entries.Concat(other.Entries.Where(entry => !known.Contains(entry.Uid))).OrderBy(entry => entry.Uid)],
        };
    }

    /// <summary>Moves what one of them lacks, by the base names: what both have is one message. The larger file is whole, if any is.</summary>
    internal void BringOver(string from, string into)
    {
        Dictionary<string, string> there = tree.FilesOf(into);
        foreach ((string name, string disk) in tree.FilesOf(from))
        {
            if (!there.TryGetValue(name, out string? known)) tree.Move($"{from}/{disk}", $"{into}/{disk}");
            else if (Length($"{from}/{disk}") > Length($"{into}/{known}")) tree.Move($"{from}/{disk}", $"{into}/{known}");
        }
    }

    private long Length(string path) => tree.Volume.TryStat(path, out Journal.Volume.VolumeStat stat) ? stat.Length : -1;
}
