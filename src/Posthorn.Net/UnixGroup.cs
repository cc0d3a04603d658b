using System.Runtime.InteropServices;

namespace Posthorn.Net;

/// <summary>Gives a file to a group by name, which .NET has no call for.</summary>
internal static partial class UnixGroup
{
    /// <summary>Changes the group of a file.</summary>
    /// <exception cref="IOException">There is no such group, or this user may not give it away.</exception>
    public static void Give(string path, string group)
    {
        uint id = Find(group) ?? throw new IOException($"there is no group '{group}'");
        if (Chown(path, uint.MaxValue, id) != 0) throw new IOException($"cannot give {path} to group '{group}': {Marshal.GetLastPInvokeErrorMessage()}");
    }

    private static uint? Find(string group)
    {
        if (uint.TryParse(group, out uint number)) return number;
        foreach (string line in File.ReadLines("/etc/group"))
        {
            string[] fields = line.Split(':');
            if (fields.Length >= 3 && fields[0] == group && uint.TryParse(fields[2], out uint id)) return id;
        }
        return null;
    }

    [LibraryImport("libc", EntryPoint = "chown", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Chown(string path, uint owner, uint group);
}
