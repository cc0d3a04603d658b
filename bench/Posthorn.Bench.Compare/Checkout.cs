using System.Diagnostics;

namespace Posthorn.Bench.Compare;

/// <summary>The project's files.</summary>
internal static class Checkout
{
    /// <summary>The folder that holds the solution file.</summary>
    internal static string Root
    {
        get
        {
            for (DirectoryInfo? at = new(AppContext.BaseDirectory); at is not null; at = at.Parent)
                if (File.Exists(Path.Combine(at.FullName, "Posthorn.slnx"))) return at.FullName;
            throw new IOException("Posthorn.slnx is in no folder above the program.");
        }
    }

    /// <summary>Builds Posthorn as it is shipped and returns its file.</summary>
    internal static string Build(bool native)
    {
        string output = Path.Combine(Root, "artifacts", native ? "bench-native" : "bench-release");
        string[] arguments = native
            ? ["publish", "src/Posthorn", "-c", "Release", "-r", "linux-x64", "-o", output, "-v", "q"]
            : ["publish", "src/Posthorn", "-c", "Release", "-p:PublishAot=false", "-o", output, "-v", "q"];
        using Process build = Process.Start(new ProcessStartInfo("dotnet", arguments) { WorkingDirectory = Root })!;
        build.WaitForExit();
        if (build.ExitCode != 0) throw new IOException("Posthorn could not be built.");
        return Path.Combine(output, native ? "posthorn" : "posthorn.dll");
    }
}
