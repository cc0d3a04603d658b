using System.Reflection;
using System.Runtime.InteropServices;
using System.Text;

namespace Posthorn.Directory.Passwords;

/// <summary>crypt(3) of the system's libcrypt, which knows every scheme that its administrator may meet.</summary>
internal static class SystemCrypt
{
    // glibc's own struct crypt_data has 131,232 octets, libxcrypt's 32,768, musl's 260. The largest serves all.
    private const int DataSize = 132 * 1024;

    // The longest string of any scheme is libxcrypt's CRYPT_OUTPUT_SIZE.
    private const int MaxOutput = 384;

    private static readonly Lazy<bool> Resolver = new(static () =>
    {
        NativeLibrary.SetDllImportResolver(typeof(SystemCrypt).Assembly, Resolve);
        return true;
    });

    [DllImport("libcrypt", EntryPoint = "crypt_r")]
    private static extern nint CryptNative(byte[] key, byte[] setting, nint data);

    /// <summary>Hashes a password as <paramref name="setting"/> (a salt, or a whole hash) says. Null when the system cannot.</summary>
    public static string? Hash(ReadOnlySpan<byte> password, string setting)
    {
        _ = Resolver.Value;
        byte[] key = new byte[password.Length + 1];
        password.CopyTo(key);
        nint data = Marshal.AllocHGlobal(DataSize);
        try
        {
            Clear(data);
            nint result = CryptNative(key, Encoding.ASCII.GetBytes(setting + "\0"), data);
            // Failure is null, or a string that begins with '*' and so can never equal a hash.
            string? hash = result == 0 ? null : Marshal.PtrToStringAnsi(result);
            return hash is null or { Length: 0 or > MaxOutput } || hash[0] == '*' ? null : hash;
        }
        catch (DllNotFoundException) { return null; }
        catch (EntryPointNotFoundException) { return null; }
        finally
        {
            Clear(data);
            Marshal.FreeHGlobal(data);
            Array.Clear(key);
        }
    }

    private static void Clear(nint data) => Marshal.Copy(Zeros, 0, data, DataSize);

    private static byte[] Zeros { get; } = new byte[DataSize];

    // Debian: libcrypt.so.1 (glibc's or libxcrypt's); Fedora, Arch: libcrypt.so.2; Alpine: in libc itself.
    private static nint Resolve(string name, Assembly assembly, DllImportSearchPath? path)
    {
        if (name != "libcrypt") return 0;
        foreach (string file in (ReadOnlySpan<string>)["libcrypt.so.1", "libcrypt.so.2", "libcrypt.so", "libc.so.6", "libc.musl-x86_64.so.1", "libc.musl-aarch64.so.1"])
            if (NativeLibrary.TryLoad(file, out nint handle) && NativeLibrary.TryGetExport(handle, "crypt_r", out _)) return handle;
        return 0;
    }
}
