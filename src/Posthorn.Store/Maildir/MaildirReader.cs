using Posthorn.Core;
using Posthorn.Journal.Volume;

namespace Posthorn.Store.Maildir;

/// <summary>A message's file in a Maildir.</summary>
/// <param name="Received">The file's time, which is INTERNALDATE.</param>
public sealed record MaildirMessage(MailboxName Mailbox, string Path, DateTimeOffset Received);

/// <summary>Reads an account's Maildir as it lies on the disk, without the catalogue and changing nothing: for looks at mail while no server runs.</summary>
public sealed class MaildirReader(IVolume volume, string root, char separator)
{
    private readonly FolderNames _names = new(separator);

    /// <summary>The mailboxes, INBOX first.</summary>
    public IReadOnlyList<MailboxName> Mailboxes()
    {
        List<MailboxName> found = [MailboxName.Inbox];
        if (!volume.TryStat(root, out _)) return found;
        foreach (VolumeEntry entry in volume.List(root, times: false))
            if (_names.TryMailbox(entry.Name, out MailboxName name) && volume.TryStat($"{root}/{entry.Name}/cur", out _)) found.Add(name);
        return found;
    }

    /// <summary>The messages of a mailbox, in no order.</summary>
    public IEnumerable<MaildirMessage> Messages(MailboxName mailbox)
    {
        string directory = _names.Directory(mailbox);
        string folder = directory.Length == 0 ? root : $"{root}/{directory}";
        foreach (string place in (string[])["/cur", "/new"])
        {
            if (!volume.TryStat(folder + place, out _)) continue;
            foreach (VolumeEntry entry in volume.List(folder + place, times: false))
                if (entry.Name[0] != '.' && volume.TryStat($"{folder}{place}/{entry.Name}", out VolumeStat stat) && stat.Kind == VolumeKind.File)
                    yield return new(mailbox, $"{folder}{place}/{entry.Name}", stat.Modified);
        }
    }

    /// <summary>The first octets of a message; null when it has just gone.</summary>
    public byte[]? Read(MaildirMessage message, int most)
    {
        if (!volume.TryStat(message.Path, out VolumeStat stat)) return null;
        byte[] octets = new byte[(int)Math.Min(stat.Length, most)];
        using IVolumeFile file = volume.Open(message.Path, VolumeOpen.Read);
        int got = file.Read(0, octets);
        return got == octets.Length ? octets : octets[..got];
    }
}
