using Microsoft.Extensions.Logging;
using Posthorn.Core;
using Posthorn.Journal.Volume;
using Posthorn.Store.Catalogue;
using Posthorn.Store.Maildir;

namespace Posthorn.Store.Engine;

/// <summary>Keeps the filter's notes in the catalogue and Dovecot's file in step: the file is read when somebody else wrote it (adoption, a rebuilt catalogue, a stay of Dovecot's), and written with the rest of the second home.</summary>
/// <remarks>Trouble with the home is said in the log and stops nothing: the catalogue has the truth.</remarks>
internal static class NotesKeeper
{
    /// <summary>Takes over what the file says, unless it is as we left it.</summary>
    internal static void Import(AccountCatalogue catalogue, IVolume volume, MailAccount who, int limit, long now, ILogger log)
    {
        try
        {
            Import(catalogue, volume, who, limit, now);
        }
        catch (VolumeException problem)
        {
            log.NotesTrouble(problem, who.Address);
        }
    }

    /// <summary>Writes the file anew, under the user's name that stood in it, or the account's address.</summary>
    internal static void Export(AccountCatalogue catalogue, IVolume volume, MailAccount who, ILogger log)
    {
        try
        {
            Export(catalogue, volume, who);
        }
        catch (VolumeException problem)
        {
            log.NotesTrouble(problem, who.Address);
        }
    }

    private static void Import(AccountCatalogue catalogue, IVolume volume, MailAccount who, int limit, long now)
    {
        string path = PathOf(who);
        if (!volume.TryStat(path, out VolumeStat stat) || stat.Kind != VolumeKind.File || stat.Length > NotesFile.MaxLength) return;
        if (catalogue.Meta(MetaKey.NotesFile).Number == StampOf(stat)) return;
        byte[] bytes = new byte[stat.Length];
        using (IVolumeFile file = volume.Open(path, VolumeOpen.Read)) bytes = bytes[..file.Read(0, bytes)];
        NotesFile notes = NotesFile.Parse(bytes);
        catalogue.Begin();
        try
        {
            foreach ((byte[] id, long until) in notes.Notes) catalogue.Notes.Remember(id, until);
            catalogue.Notes.Forget(now, limit);
            catalogue.SetMeta(MetaKey.NotesFile, StampOf(stat), notes.User ?? "");
            catalogue.Commit();
        }
        catch
        {
            catalogue.Rollback();
            throw;
        }
    }

    private static void Export(AccountCatalogue catalogue, IVolume volume, MailAccount who)
    {
        List<(byte[] Id, long Until)> notes = catalogue.Notes.All();
        string path = PathOf(who);
        if (notes.Count == 0 && !volume.TryStat(path, out _)) return;
        string user = catalogue.Meta(MetaKey.NotesFile).Text is { Length: > 0 } known ? known : who.Address.ToString();
        volume.MakePath(who.Home);
        volume.ReplaceFile(path, path + ".posthorn.new", new NotesFile(notes, user).Format(), sync: true);
        volume.SyncDirectory(who.Home);
        if (volume.TryStat(path, out VolumeStat stat)) catalogue.SetMeta(MetaKey.NotesFile, StampOf(stat), user);
    }

    private static string PathOf(MailAccount who) => $"{who.Home}/{NotesFile.FileName}";

    // Another writer makes a new file, as we do.
    private static long StampOf(VolumeStat stat) => stat.Modified.UtcTicks ^ (long)stat.Inode << 40;
}
