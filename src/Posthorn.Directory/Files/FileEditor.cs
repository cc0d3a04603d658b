using System.Text;
using Microsoft.Win32.SafeHandles;
using Posthorn.Core;

namespace Posthorn.Directory.Files;

/// <summary>Changes a text file by writing a new one and renaming it over the old: readers see the one or the other, never a part.</summary>
/// <remarks>Writers take an flock(2) on the folder. A lock on the file itself would go with the old inode, and .NET's readers (the server) could not open it meanwhile.</remarks>
internal static class FileEditor
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(50);

    // Ten seconds: an editing takes milliseconds, so whoever holds the lock longer is stuck or a person.
    private const int Attempts = 200;

    // A new file holds secrets or names: the owner's alone.
    private const UnixFileMode NewMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <summary>Hands the lines to <paramref name="edit"/> and writes them back unless it refuses.</summary>
    public static async ValueTask<Result<Done>> EditAsync(string path, TimeProvider time, Func<List<string>, Result<Done>> edit, CancellationToken cancel)
    {
        // Through symbolic links, so that the link stays and its target changes.
        string target = (File.Exists(path) ? File.ResolveLinkTarget(path, true)?.FullName : null) ?? Path.GetFullPath(path);
        using SafeFileHandle folder = Libc.OpenDirectory(Path.GetDirectoryName(target)!);
        for (int attempt = 0; attempt < Attempts; attempt++)
        {
            if (Libc.TryLock(folder)) return Edit(target, folder, edit);
            await Task.Delay(Pause, time, cancel);
        }
        return new Refusal(RefusalKind.Unavailable, "Another program holds the lock on the file's folder; try again later");
    }

    private static Result<Done> Edit(string path, SafeFileHandle folder, Func<List<string>, Result<Done>> edit)
    {
        byte[] before = File.Exists(path) ? File.ReadAllBytes(path) : [];
        // What is not UTF-8 is kept octet by octet.
        Encoding encoding = System.Text.Unicode.Utf8.IsValid(before) ? new UTF8Encoding(false) : Encoding.Latin1;
        string text = encoding.GetString(before);
        List<string> lines = [.. text.Split('\n')];
        if (lines[^1].Length == 0) lines.RemoveAt(lines.Count - 1);
        Result<Done> result = edit(lines);
        if (!result.IsOk) return result;
        if (encoding is not UTF8Encoding && lines.Exists(static line => line.Any(static c => c > 0xFF)))
            return new Refusal(RefusalKind.BadName, "The file is in ISO 8859-1, which cannot hold this name; convert it to UTF-8 first");
        Replace(path, folder, encoding.GetBytes(lines.Count == 0 ? "" : string.Join('\n', lines) + "\n"));
        return Done.It;
    }

    private static void Replace(string path, SafeFileHandle folder, byte[] content)
    {
        string fresh = Path.Combine(Path.GetDirectoryName(path)!, $".{Path.GetFileName(path)}.new");
        File.Delete(fresh); // left by a crash; the lock says that nobody else writes it now
        FileStreamOptions options = new() { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = NewMode };
        using (FileStream stream = new(fresh, options))
        {
            stream.Write(content);
            // As the old one, whatever the umask; the owner before the mode, so that nobody reads in between.
            if (FileStamp.TryRead(path, out FileStamp old) && FileStamp.TryRead(fresh, out FileStamp now) && (old.Owner, old.Group) != (now.Owner, now.Group) && !Libc.TryChown(fresh, old.Owner, old.Group))
            {
                File.Delete(fresh);
                throw new IOException($"Cannot give {fresh} to the owner of {path}; run this as the same user or as root");
            }
            if (File.Exists(path)) File.SetUnixFileMode(fresh, File.GetUnixFileMode(path));
            stream.Flush(flushToDisk: true);
        }
        File.Move(fresh, path, overwrite: true);
        Libc.SyncDirectory(folder);
    }
}
