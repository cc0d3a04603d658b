using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Posthorn.Core;
using Posthorn.Journal.Volume;
using Posthorn.Mime;
using Posthorn.Store.Maildir;

namespace Posthorn.Store.Engine;

/// <summary>A message that was expunged and is still kept.</summary>
/// <param name="Id">Its name for orders: the same as long as it is kept.</param>
/// <param name="Mailbox">Where it was; null when that mailbox is removed.</param>
/// <param name="Uid">Its UID there; null when that is not known any more.</param>
/// <param name="At">When it was expunged.</param>
/// <param name="Size">Octets on the disk.</param>
/// <param name="From">Its From field, decoded.</param>
/// <param name="Subject">Its Subject field, decoded.</param>
public sealed record ExpungedMessage(string Id, MailboxName? Mailbox, Uid? Uid, DateTimeOffset At, long Size, string From, string Subject);

/// <summary>The file of such a message, and what goes back with it.</summary>
/// <param name="Path">Where it lies.</param>
/// <param name="Mailbox">Where it was; null when that mailbox is removed.</param>
/// <param name="Flags">Its flags.</param>
/// <param name="Keywords">Its keywords, as far as its name has letters for them.</param>
internal sealed record KeptMessage(string Path, MailboxName? Mailbox, SystemFlags Flags, KeywordSet Keywords);

/// <summary>Lists what was expunged and is still kept under <c>posthorn/expunged</c>, and finds it again.</summary>
internal sealed class ExpungedMail(Account account)
{
    private const int HeaderOctets = 32 * 1024; // the fields that people know a message by stand above that

    private MaildirTree Tree => account.Tree;

    /// <summary>All of it, what was expunged last first.</summary>
    internal List<ExpungedMessage> List(CancellationToken cancel)
    {
        List<ExpungedMessage> found = [];
        foreach (Kept kept in Files())
        {
            cancel.ThrowIfCancellationRequested();
            if (!Tree.Volume.TryStat(kept.Path, out VolumeStat stat)) continue;
            (string from, string subject) = Fields(kept.Path, stat.Length);
            found.Add(new(IdOf(kept), account.Find(kept.Mailbox)?.Name, kept.Uid, kept.At, stat.Length, from, subject));
        }

        return [.. found.OrderByDescending(message => message.At).ThenBy(message => message.Id, StringComparer.Ordinal)];
    }

    /// <summary>How much there is of it.</summary>
    internal (long Octets, long Messages) Space()
    {
        (long octets, long messages) = (0, 0);
        foreach (Kept kept in Files())
        {
            if (!Tree.Volume.TryStat(kept.Path, out VolumeStat stat)) continue;
            octets += stat.Length;
            messages++;
        }

        return (octets, messages);
    }

    /// <summary>The kept file of an id; null when there is none any more.</summary>
    internal KeptMessage? Find(string id)
    {
        foreach (Kept kept in Files())
        {
            if (IdOf(kept) != id) continue;
            string letters = new(MaildirName.LettersOf(kept.Path));
            return new(kept.Path, account.Find(kept.Mailbox)?.Name, MaildirName.FlagsOf(letters) & ~SystemFlags.Deleted, KeywordFile.KeywordsOf(letters, LettersFor(kept)));
        }

        return null;
    }

    /// <summary>Removes a kept message, under all names that it may have: a crash in the midst of things can leave two.</summary>
    internal void Remove(string id)
    {
        foreach (Kept kept in AllFiles().Where(kept => IdOf(kept) == id).ToArray()) Tree.Volume.Unlink(kept.Path);
    }

    // What the small letters stand for: as the mailbox has it, or, where that is removed, as its folder has it.
    private SortedDictionary<int, string> LettersFor(Kept kept) =>
        account.Published(kept.Mailbox) is { } box ? account.Read(catalogue => catalogue.Letters(box.Id))
        : kept.Folder is { } folder ? KeywordFile.Read(Tree, folder)
        : [];

    private IEnumerable<Kept> Files() => AllFiles().DistinctBy(kept => kept.Name);

    private IEnumerable<Kept> AllFiles()
    {
        if (!Tree.Exists(Tree.ExpungedPath)) yield break;
        foreach (VolumeEntry entry in Tree.Volume.List(Tree.ExpungedPath, times: false))
        {
            string[] words = entry.Name.Split('.', 4);
            if (words is not [string time, string mailbox, string uid, _] || !long.TryParse(time, NumberStyles.None, CultureInfo.InvariantCulture, out long seconds)) continue;
            string path = $"{Tree.ExpungedPath}/{entry.Name}";
            DateTimeOffset at = DateTimeOffset.FromUnixTimeSeconds(seconds);
            _ = uint.TryParse(uid, NumberStyles.None, CultureInfo.InvariantCulture, out uint number);
            if (entry.Kind == VolumeKind.File) yield return new(path, MaildirName.BaseOf(entry.Name), null, new(mailbox), number == 0 ? null : new Uid(number), at);
            else if (entry.Kind == VolumeKind.Directory)
                foreach ((string name, string file) in FilesOf(path)) yield return new($"{path}/{file}", $"{entry.Name}/{name}", path, new(mailbox), null, at);
        }
    }

    // A removed mailbox's whole folder.
    private IEnumerable<(string Base, string File)> FilesOf(string folder)
    {
        foreach (string place in (string[])["new", "cur"])
        {
            if (!Tree.Exists($"{folder}/{place}")) continue;
            foreach (VolumeEntry entry in Tree.Volume.List($"{folder}/{place}", times: false))
                if (entry.Name[0] != '.') yield return (MaildirName.BaseOf($"{place}/{entry.Name}"), $"{place}/{entry.Name}");
        }
    }

    private (string From, string Subject) Fields(string path, long length)
    {
        try
        {
            byte[] head = new byte[(int)Math.Min(length, HeaderOctets)];
            using IVolumeFile file = Tree.Volume.Open(path, VolumeOpen.Read);
            int got = file.Read(0, head);
            (string from, string subject) = ("", "");
            foreach (HeaderField field in new HeaderReader(head.AsSpan(0, got)))
            {
                if (field.Is("From"u8)) from = EncodedWord.Decode(field.RawValue).Trim();
                else if (field.Is("Subject"u8)) subject = EncodedWord.Decode(field.RawValue).Trim();
            }

            return (from, subject);
        }
        catch (VolumeException)
        {
            return ("", ""); // it has just gone
        }
    }

    private static string IdOf(Kept kept) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(kept.Name)).AsSpan(0, 8));

    private readonly record struct Kept(string Path, string Name, string? Folder, MailboxId Mailbox, Uid? Uid, DateTimeOffset At);
}
