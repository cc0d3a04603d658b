using System.ComponentModel;
using System.Diagnostics;
using Posthorn.Sieve.Testsuite;

namespace Posthorn.Filtering;

/// <summary>Files and programs for the test tool. Programs run only from the directories that a test file names by itself.</summary>
internal sealed class DiskTestWorld : ISieveTestWorld
{
    /// <summary>Address space of one program, KiB: a runaway must not take the machine.</summary>
    private const int ProgramMemoryKiB = 1024 * 1024;

    public string DirectoryOf(string path) => Path.GetDirectoryName(Path.GetFullPath(path)) ?? "/";

    public string Resolve(string directory, string path) => Path.GetFullPath(path, directory);

    public ReadOnlyMemory<byte>? Read(string path)
    {
        try { return File.Exists(path) ? (ReadOnlyMemory<byte>?)File.ReadAllBytes(path) : null; }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException) { return null; }
    }

    // Input and output are files: a program that reads nothing or writes much cannot hang us.
    public (bool IsOk, ReadOnlyMemory<byte> Output)? Run(SieveTestProgram program)
    {
        string path = Path.Combine(program.Directory, program.Name);
        if (program.Name.Length == 0 || program.Name.Contains('/', StringComparison.Ordinal) || program.Name is "." or ".." || !File.Exists(path)) return null;
        DirectoryInfo scratch = Folder.CreateTempSubdirectory("posthorn-sieve-");
        try
        {
            string from = Path.Combine(scratch.FullName, "in"), into = Path.Combine(scratch.FullName, "out");
            File.WriteAllBytes(from, program.Input.Span);
            ProcessStartInfo start = new("/bin/sh", ["-c", $"ulimit -v {ProgramMemoryKiB}; in=$1 out=$2; shift 2; exec \"$0\" \"$@\" <\"$in\" >\"$out\"", path, from, into, .. program.Arguments])
            {
                WorkingDirectory = scratch.FullName,
            };
            start.Environment.Clear();
            start.Environment["PATH"] = "/usr/local/bin:/usr/bin:/bin";
            foreach ((string name, string value) in program.Environment) start.Environment[name] = value;
            using Process process = Process.Start(start)!;
            if (process.WaitForExit(program.Timeout > TimeSpan.Zero ? program.Timeout : System.Threading.Timeout.InfiniteTimeSpan))
                return (process.ExitCode == 0, File.Exists(into) ? File.ReadAllBytes(into) : default);
            process.Kill(entireProcessTree: true);
            process.WaitForExit();
            return (false, default);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or Win32Exception) { return (false, default); }
        finally { scratch.Delete(recursive: true); }
    }
}
