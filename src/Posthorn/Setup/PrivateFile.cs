namespace Posthorn.Setup;

/// <summary>Files and folders that only their owner may read, from their first moment.</summary>
internal static partial class PrivateFile
{
    private const UnixFileMode Others = UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.GroupExecute
        | UnixFileMode.OtherRead | UnixFileMode.OtherWrite | UnixFileMode.OtherExecute;

    /// <summary>From here on nobody else can read what this program makes, whoever makes it (SQLite, libraries) and whatever the folder above it allows. What others may use (sockets, the drop folder) gets its mode by name.</summary>
    public static void KeepToOneself() => _ = Umask((uint)Others);

    /// <summary>What others may do with a folder that should be its owner's alone, in words; null when that is nothing, or it is not there.</summary>
    public static string? OpenTo(string folder)
    {
        if (!Folder.Exists(folder)) return null;
        UnixFileMode mode = File.GetUnixFileMode(folder);
        return (mode & (UnixFileMode.OtherRead | UnixFileMode.OtherWrite | UnixFileMode.OtherExecute)) != 0 ? "every user of this machine can look into it"
            : (mode & UnixFileMode.GroupWrite) != 0 ? "its group can change it"
            : null;
    }

    /// <summary>It is a folder, no link to one, and belongs to the user that this program runs as.</summary>
    public static bool IsOwnFolder(string path)
    {
        const int here = -100, noFollow = 0x100;
        const uint typeAndUser = 0x1 | 0x8;
        Span<byte> found = stackalloc byte[256];
        if (Statx(here, path, noFollow, typeAndUser, found) != 0) return false;
        bool isFolder = (System.Runtime.InteropServices.MemoryMarshal.Read<ushort>(found[28..]) & 0xF000) == 0x4000;
        return isFolder && System.Runtime.InteropServices.MemoryMarshal.Read<uint>(found[20..]) == EffectiveUser();
    }

    [System.Runtime.InteropServices.LibraryImport("libc", EntryPoint = "statx", StringMarshalling = System.Runtime.InteropServices.StringMarshalling.Utf8)]
    private static partial int Statx(int directory, string path, int flags, uint mask, Span<byte> found);

    /// <summary>As whom this program runs now; the runtime remembers as whom it began.</summary>
    [System.Runtime.InteropServices.LibraryImport("libc", EntryPoint = "geteuid")]
    public static partial uint EffectiveUser();

    [System.Runtime.InteropServices.LibraryImport("libc", EntryPoint = "umask")]
    private static partial uint Umask(uint mode);

    /// <summary>Writes a file with mode 0600, in place of one that is there, by write and rename.</summary>
    public static void Write(string path, string text)
    {
        string draft = path + ".tmp";
        FileStreamOptions options = new()
        {
            Mode = FileMode.Create,
            Access = FileAccess.Write,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        };
        using (StreamWriter writer = new(draft, options)) writer.Write(text);
        File.Move(draft, path, overwrite: true);
    }

    /// <summary>Makes a folder with mode 0700 and what is missing above it.</summary>
    public static void MakeFolder(string path) =>
        Folder.CreateDirectory(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
}
