namespace Posthorn.Setup;

/// <summary>Files and folders that only their owner may read, from their first moment.</summary>
internal static class PrivateFile
{
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
