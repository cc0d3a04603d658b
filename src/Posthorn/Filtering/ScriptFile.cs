using System.Diagnostics.CodeAnalysis;
using Posthorn.Sieve;

namespace Posthorn.Filtering;

/// <summary>Scripts in files that a command names.</summary>
internal static class ScriptFile
{
    /// <summary>Reads a script, or says why it cannot be read. <c>-</c> is standard input. No more is read than a script may have.</summary>
    public static bool TryRead(string file, out byte[] octets, [NotNullWhen(false)] out string? problem) =>
        TryRead(file, SieveLimits.Default.MaxScriptSize + 1L, out octets, out problem);

    /// <summary>Reads at most <paramref name="most"/> octets of a file.</summary>
    public static bool TryRead(string file, long most, out byte[] octets, [NotNullWhen(false)] out string? problem)
    {
        octets = [];
        problem = null;
        try
        {
            using Stream stream = file == "-" ? Console.OpenStandardInput() : File.OpenRead(file);
            using MemoryStream copy = new();
            byte[] piece = new byte[64 * 1024];
            for (int got; copy.Length < most && (got = stream.Read(piece, 0, (int)Math.Min(piece.Length, most - copy.Length))) > 0;) copy.Write(piece, 0, got);
            octets = copy.ToArray();
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            problem = Folder.Exists(file) ? "this is a folder, not a file" : e is FileNotFoundException or DirectoryNotFoundException ? "there is no such file" : e.Message;
            return false;
        }
    }
}
