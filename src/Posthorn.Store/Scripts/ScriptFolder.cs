using Posthorn.Core;
using Posthorn.Journal.Volume;

namespace Posthorn.Store.Scripts;

/// <summary>The files of one account's scripts, as Pigeonhole lays them out: <c>sieve/NAME.sieve</c> in the home, and <c>.dovecot.sieve</c>, a relative link to the active one.</summary>
/// <remarks>The caller holds the account's lock while it changes something. Temporary names do not end in <c>.sieve</c>: no list shows them, and the next writer takes them over.</remarks>
internal sealed class ScriptFolder(IVolume volume, MailAccount account)
{
    private const string Extension = ".sieve";
    private const string Directory = "sieve";

    private string Scripts => $"{account.Home}/{Directory}";

    /// <summary>The link to the active script.</summary>
    internal string ActivePath => $"{account.Home}/.dovecot{Extension}";

    internal string PathOf(ScriptName name) => $"{Scripts}/{name.Value}{Extension}";

    internal bool Exists(ScriptName name) => volume.TryStat(PathOf(name), out VolumeStat stat) && stat.Kind == VolumeKind.File;

    internal List<ScriptInfo> List()
    {
        List<ScriptInfo> scripts = [];
        if (!volume.TryStat(Scripts, out _)) return scripts;
        ScriptName? active = Active();
        foreach (VolumeEntry entry in volume.List(Scripts, times: false))
        {
            if (!entry.Name.EndsWith(Extension, StringComparison.Ordinal) || !ScriptName.TryCreate(entry.Name[..^Extension.Length], out ScriptName name)) continue;
            if (volume.TryStat(PathOf(name), out VolumeStat stat) && stat.Kind == VolumeKind.File) scripts.Add(new(name, stat.Length, name == active));
        }

        scripts.Sort(static (a, b) => string.CompareOrdinal(a.Name.Value, b.Name.Value));
        return scripts;
    }

    /// <summary>The name of the active script; null when none is active, or one that is not in the folder.</summary>
    internal ScriptName? Active()
    {
        if (!volume.TryReadLink(ActivePath, out string target)) return null;
        string file = target[(target.LastIndexOf('/') + 1)..];
        if (!file.EndsWith(Extension, StringComparison.Ordinal) || !ScriptName.TryCreate(file[..^Extension.Length], out ScriptName name)) return null;
        // Links of an adopted home may be absolute and go by other names of the same directories: the file counts, not the way to it.
        if (!volume.TryStat(ActivePath, out VolumeStat active) || !volume.TryStat(PathOf(name), out VolumeStat own)) return null;
        return (active.Device, active.Inode) == (own.Device, own.Inode) ? name : null;
    }

    internal void Put(ScriptName name, ReadOnlySpan<byte> content)
    {
        volume.MakePath(Scripts);
        volume.ReplaceFile(PathOf(name), $"{Scripts}/.posthorn.new", content, sync: true);
        volume.SyncDirectory(Scripts);
    }

    internal void Delete(ScriptName name)
    {
        volume.Unlink(PathOf(name));
        volume.SyncDirectory(Scripts);
    }

    internal void Rename(ScriptName from, ScriptName target)
    {
        if (Active() != from)
        {
            volume.RenameNew(PathOf(from), PathOf(target));
            volume.SyncDirectory(Scripts);
            return;
        }

        // At every moment the link leads to the script: both names, then the link, then the old name goes.
        volume.Link(PathOf(from), PathOf(target));
        volume.SyncDirectory(Scripts);
        Activate(target);
        Delete(from);
    }

    internal void Activate(ScriptName name)
    {
        KeepPlainFile();
        string temporary = $"{ActivePath}.posthorn.new";
        if (volume.TryReadLink(temporary, out _)) volume.Unlink(temporary);
        volume.MakeSymbolicLink($"{Directory}/{name.Value}{Extension}", temporary);
        volume.Rename(temporary, ActivePath);
        volume.SyncDirectory(account.Home);
    }

    internal void Deactivate()
    {
        KeepPlainFile();
        if (!volume.TryReadLink(ActivePath, out _)) return;
        volume.Unlink(ActivePath);
        volume.SyncDirectory(account.Home);
    }

    // Somebody wrote the active script by hand, as a file and not a link. It is not thrown away: Pigeonhole gives it this name too.
    private void KeepPlainFile()
    {
        if (volume.TryReadLink(ActivePath, out _) || !volume.TryStat(ActivePath, out VolumeStat stat) || stat.Kind != VolumeKind.File) return;
        volume.MakePath(Scripts);
        string kept = $"{Scripts}/dovecot.orig{Extension}";
        for (int i = 2; volume.TryStat(kept, out _); i++) kept = $"{Scripts}/dovecot.orig-{i}{Extension}";
        volume.RenameNew(ActivePath, kept);
        volume.SyncDirectory(Scripts);
        volume.SyncDirectory(account.Home);
    }
}
