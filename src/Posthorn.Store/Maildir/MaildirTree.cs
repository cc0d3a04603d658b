using System.Buffers;
using System.Globalization;
using System.Text;
using Posthorn.Core;
using Posthorn.Journal.Volume;

namespace Posthorn.Store.Maildir;

/// <summary>The files of one account. Every path and every operation on mail files stands here.</summary>
internal sealed class MaildirTree(IVolume volume, string root, FolderNames names)
{
    /// <summary>Our own directory in the root; Maildir++ readers pass over names without a dot.</summary>
    private const string Own = "posthorn";

    /// <summary>The largest file beside the mail that is read. 512 MiB: a list of five million messages.</summary>
    private const long LargestFile = 512L << 20;

    /// <summary>Octets of a base name behind time, MAILBOXID and UID in a name of <see cref="FolderNames.MaxLength"/>.</summary>
    private const int LongestExpungedBase = 190;

    internal IVolume Volume { get; } = volume;

    internal string Root { get; } = root;

    internal FolderNames Names { get; } = names;

    internal string OwnPath => $"{Root}/{Own}";

    internal string ExpungedPath => $"{Root}/{Own}/expunged";

    internal string FolderPath(MailboxName name)
    {
        string directory = Names.Directory(name);
        return directory.Length == 0 ? Root : $"{Root}/{directory}";
    }

    internal string PathOf(MailboxName name, string diskName) => $"{FolderPath(name)}/{diskName}";

    /// <summary>Makes the root and our own directory and what is above them, and syncs their names.</summary>
    internal void MakeRoot()
    {
        Volume.MakePath(Root);
        MakeIfMissing(OwnPath);
        MakeIfMissing(ExpungedPath);
        Volume.SyncDirectory(OwnPath);
        Volume.SyncDirectory(Root);
    }

    /// <summary>Makes a mailbox's directories where they are missing.</summary>
    internal void MakeFolder(string path)
    {
        MakeIfMissing(path);
        MakeIfMissing(path + "/tmp");
        MakeIfMissing(path + "/new");
        MakeIfMissing(path + "/cur");
        if (path == Root || Volume.TryStat(path + "/maildirfolder", out _)) return;
        Volume.Open(path + "/maildirfolder", VolumeOpen.OpenOrCreate).Dispose();
    }

    /// <summary>The directories in the root that are folders, those whose names are as they should be first, and the mailbox that each is; null when none can have the name.</summary>
    internal IEnumerable<(string Directory, MailboxName? Name)> Directories()
    {
        if (!Exists(Root)) return [];
        return Volume.List(Root, times: false)
            .Where(entry => entry.Name.Length > 1 && entry.Name[0] == '.' && entry.Kind is VolumeKind.Directory or VolumeKind.SymbolicLink && IsFolder($"{Root}/{entry.Name}"))
            .Select(entry => (entry.Name, Mailbox: Names.TryMailbox(entry.Name, out MailboxName name) ? name : (MailboxName?)null))
            .OrderBy(one => one.Mailbox is { } name && Names.TryDirectory(name, out string right) && right == one.Name ? 0 : 1).ThenBy(one => one.Name, StringComparer.Ordinal);
    }

    /// <summary>Whether a directory is a mailbox's folder. A backup may have left out <c>cur/</c> when nothing lay in it.</summary>
    internal bool IsFolder(string path) => Exists(path + "/cur") || Exists($"{path}/{UidList.FileName}");

    /// <summary>A folder's message files, <c>new/NAME</c> or <c>cur/NAME</c>, by their base.</summary>
    internal Dictionary<string, string> FilesOf(string folder)
    {
        Dictionary<string, string> files = new(StringComparer.Ordinal);
        foreach (string part in (ReadOnlySpan<string>)["new", "cur"])
        {
            if (!Exists($"{folder}/{part}")) continue;
            foreach (VolumeEntry entry in Volume.List($"{folder}/{part}", times: false))
                if (entry.Name[0] != '.' && entry.Kind != VolumeKind.Directory) files[MaildirName.BaseOf(entry.Name)] = $"{part}/{entry.Name}";
        }

        return files;
    }

    internal bool Exists(string path) => Volume.TryStat(path, out _);

    /// <summary>When a mailbox's two directories changed last; false when they are not there.</summary>
    internal bool TryTimes(MailboxName name, out DateTimeOffset newTime, out DateTimeOffset curTime)
    {
        string folder = FolderPath(name);
        bool both = Volume.TryStat(folder + "/new", out VolumeStat first) & Volume.TryStat(folder + "/cur", out VolumeStat second);
        (newTime, curTime) = (first.Modified, second.Modified);
        return both;
    }

    /// <summary>Writes a message's file whole, or not at all under that name when it throws before the content is there.</summary>
    internal void Write(string path, ReadOnlySpan<ReadOnlyMemory<byte>> parts, DateTimeOffset modified, DateTimeOffset now)
    {
        using (IVolumeFile file = Volume.Open(path, VolumeOpen.Replace))
        {
            if (parts.Length == 1) file.Write(0, parts[0].Span);
            else file.Write(0, parts.ToArray());
        }

        // The time of the file is INTERNALDATE; where it is now, the system has set it already.
        if ((modified - now).Duration() > TimeSpan.FromSeconds(1)) Volume.SetModified(path, modified);
    }

    /// <summary>As above, from something that is read piece by piece; more than the length is left aside.</summary>
    internal void Write(string path, Func<long, Memory<byte>, int> read, long length, DateTimeOffset modified)
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent(256 * 1024);
        try
        {
            using IVolumeFile file = Volume.Open(path, VolumeOpen.Replace);
            for (long at = 0; at < length;)
            {
                int got = (int)Math.Min(read(at, buffer), length - at);
                if (got <= 0) throw new EndOfStreamException("The message's content ended early.");
                file.Write(at, buffer.AsSpan(0, got));
                at += got;
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }

        Volume.SetModified(path, modified);
    }

    /// <summary>Where a file is made that is to get its name whole: in the <c>tmp/</c> of its folder, or beside it where there is none. The account's one writer makes one at a time.</summary>
    internal static string DraftOf(string path)
    {
        int name = path.LastIndexOf('/') + 1;
        string directory = path[..(name - 1)];
        return directory.EndsWith("/new", StringComparison.Ordinal) || directory.EndsWith("/cur", StringComparison.Ordinal) ? $"{directory[..^4]}/tmp/{path[name..]}" : $"{directory}/.draft";
    }

    /// <summary>Makes a file and its name durable.</summary>
    internal void SyncFile(string path)
    {
        using (IVolumeFile file = Volume.Open(path, VolumeOpen.ReadWrite)) file.SyncData();
        Volume.SyncDirectory(path[..path.LastIndexOf('/')]);
    }

    /// <summary>Where in a folder the file with a base name lies now, with <c>new/</c> or <c>cur/</c>; null when it does not.</summary>
    internal string? Find(string folder, string baseName) => FindOther(folder, baseName, "");

    /// <summary>The file that a record brought into a folder, by the name that we gave it.</summary>
    internal string? FindOwn(string folder, long record, int part)
    {
        foreach (string where in (ReadOnlySpan<string>)["cur", "new"])
        {
            if (!Exists($"{folder}/{where}")) continue;
            foreach (VolumeEntry entry in Volume.List($"{folder}/{where}", times: false))
                if (OwnName.Parse(entry.Name) == (record, part)) return $"{where}/{entry.Name}";
        }

        return null;
    }

    /// <summary>As <see cref="Find"/>, but not this one.</summary>
    internal string? FindOther(string folder, string baseName, string not)
    {
        foreach (string part in (ReadOnlySpan<string>)["cur", "new"])
        {
            if (!Exists($"{folder}/{part}")) continue;
            foreach (VolumeEntry entry in Volume.List($"{folder}/{part}", times: false))
                if (entry.Name.StartsWith(baseName, StringComparison.Ordinal) && MaildirName.BaseOf(entry.Name) == baseName && not != $"{part}/{entry.Name}") return $"{part}/{entry.Name}";
        }

        return null;
    }

    /// <summary>The name that an expunged message's file gets: when, which mailbox, which UID, the name that it had, and its flags' letters where there is room for them.</summary>
    internal string ExpungedName(long time, MailboxId mailbox, Uid uid, string baseName, string suffix)
    {
        string name = string.Create(CultureInfo.InvariantCulture, $"{time / 1000}.{mailbox.Value}.{uid.Value}.{Shortened(baseName)}");
        return $"{ExpungedPath}/{name}{(name.Length + suffix.Length <= FolderNames.MaxLength ? suffix : "")}";
    }

    // A name of another program's that leaves no room for what stands before it: its beginning, and what makes it one of its own.
    private static string Shortened(string baseName) => Encoding.UTF8.GetByteCount(baseName) <= LongestExpungedBase ? baseName
        : string.Concat(baseName.Where(char.IsAscii).Take(100)) + "~" + Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(Encoding.UTF8.GetBytes(baseName)).AsSpan(0, 16));

    /// <summary>Where a folder is put that stands in the way of the one that its name belongs to.</summary>
    internal string DisplacedName(string id) => $"{OwnPath}/displaced-{id}";

    /// <summary>Brings a file to another name, in place of what stands there. Where both are names of one file, as after a crash, renaming would do nothing (rename(2)): the old name is removed.</summary>
    internal void Move(string path, string target)
    {
        try
        {
            Volume.RenameNew(path, target); // so that nothing needs to be looked at in the usual case
        }
        catch (VolumeException problem) when (problem.Error == VolumeError.Exists)
        {
            if (!AreOneFile(path, target, out int names)) Volume.Rename(path, target);
            else if (names > 1) Volume.Unlink(path); // a file with one name has been reached by two ways, which is no reason to lose it
        }
    }

    /// <summary>Whether two paths lead to the same file, and how many names that has.</summary>
    internal bool AreOneFile(string path, string other, out int names)
    {
        names = 0;
        if (!Volume.TryStat(path, out VolumeStat one) || !Volume.TryStat(other, out VolumeStat two)) return false;
        names = one.Links;
        return (one.Device, one.Inode) == (two.Device, two.Inode);
    }

    /// <summary>An expunged file by the base name that it had; null when there is none.</summary>
    internal string? FindExpunged(string baseName)
    {
        if (!Exists(ExpungedPath)) return null;
        string ending = "." + Shortened(baseName);
        foreach (VolumeEntry entry in Volume.List(ExpungedPath, times: false))
            if (MaildirName.BaseOf(entry.Name).EndsWith(ending, StringComparison.Ordinal)) return $"{ExpungedPath}/{entry.Name}";
        return null;
    }

    /// <summary>Removes what an interrupted writer left in <c>tmp</c> more than 36 hours ago, as every Maildir reader does.</summary>
    internal void SweepTemporary(string folder, DateTimeOffset now)
    {
        if (!Exists(folder + "/tmp")) return;
        foreach (VolumeEntry entry in Volume.List(folder + "/tmp", times: true))
            if (entry.Kind == VolumeKind.File && now - entry.Modified > TimeSpan.FromHours(36)) Volume.Unlink($"{folder}/tmp/{entry.Name}");
    }

    /// <summary>Removes what was expunged before a time, for good. Names begin with when that was.</summary>
    internal void SweepExpunged(DateTimeOffset before)
    {
        if (!Exists(ExpungedPath)) return;
        VolumeException? trouble = null;
        foreach (VolumeEntry entry in Volume.List(ExpungedPath, times: false))
        {
            int dot = entry.Name.IndexOf('.', StringComparison.Ordinal);
            if (dot < 0 || !long.TryParse(entry.Name.AsSpan(0, dot), NumberStyles.None, CultureInfo.InvariantCulture, out long seconds) || seconds >= before.ToUnixTimeSeconds()) continue;
            try
            {
                RemoveAll($"{ExpungedPath}/{entry.Name}", entry.Kind, depth: 0);
            }
            catch (VolumeException problem)
            {
                trouble ??= problem; // what stays must not keep the rest
            }
        }

        if (trouble is not null) throw trouble;
    }

    private void RemoveAll(string path, VolumeKind kind, int depth)
    {
        if (kind != VolumeKind.Directory)
        {
            Volume.Unlink(path);
            return;
        }

        if (depth > 2) return; // A mailbox's folder has one level; what lies deeper is nobody's that we know.
        foreach (VolumeEntry entry in Volume.List(path, times: false)) RemoveAll($"{path}/{entry.Name}", entry.Kind, depth + 1);
        Volume.RemoveDirectory(path);
    }

    /// <summary>A mailbox's folder by what its list says: in the root, or among what was removed or displaced.</summary>
    internal string? FindFolder(MailboxId mailbox)
    {
        foreach (string directory in (ReadOnlySpan<string>)[Root, OwnPath, ExpungedPath])
        {
            if (!Exists(directory)) continue;
            foreach (VolumeEntry entry in Volume.List(directory, times: false))
            {
                string path = $"{directory}/{entry.Name}";
                if (ReadText($"{path}/{UidList.FileName}") is { } text && UidList.Parse(text)?.Guid == mailbox.Value && path != Root) return path;
            }
        }

        return null;
    }

    /// <summary>Writes a small file by way of another name, so that it is there whole or as it was.</summary>
    internal void Replace(string path, string text, bool sync) => Volume.ReplaceFile(path, path + ".tmp", Encoding.UTF8.GetBytes(text), sync);

    /// <summary>Writes a file of bytes by way of another name, synced.</summary>
    internal void Replace(string path, byte[] bytes) => Volume.ReplaceFile(path, path + ".tmp", bytes, sync: true);

    /// <summary>A small file's text; null when it is not there.</summary>
    internal string? ReadText(string path) => ReadBytes(path) is { } bytes ? PathBytes.Decode(bytes) : null;

    /// <summary>A small file's bytes; null when it is not there.</summary>
    internal byte[]? ReadBytes(string path)
    {
        if (!Exists(path)) return null;
        using IVolumeFile file = Volume.Open(path, VolumeOpen.Read);
        if (file.Length > LargestFile) throw new VolumeException(VolumeError.Invalid, "read", path, $"{file.Length} octets, more than {LargestFile}, are no list of anybody's");
        byte[] bytes = new byte[file.Length];
        int got = file.Read(0, bytes);
        return got == bytes.Length ? bytes : bytes[..got];
    }

    /// <summary>What tells whether a file is the one that was there before; empty when there is none.</summary>
    internal string MarkOf(string path) =>
        Volume.TryStat(path, out VolumeStat stat) ? string.Create(CultureInfo.InvariantCulture, $"{stat.Inode} {stat.Length} {stat.Modified.Ticks}") : "";

    internal void MakeIfMissing(string path) => Volume.MakeIfMissing(path);
}
