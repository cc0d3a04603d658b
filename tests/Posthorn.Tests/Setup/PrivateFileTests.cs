using Posthorn.Setup;
using Posthorn.Testing;
using Posthorn.Tests.Commands;

namespace Posthorn.Tests.Setup;

/// <summary>What others on the machine can read.</summary>
public sealed class PrivateFileTests
{
    private const UnixFileMode OwnersAlone = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    [Fact]
    public async Task A_server_in_a_folder_that_is_open_to_all_keeps_its_files_to_itself_and_check_warns()
    {
        using TemporaryFolder folder = new();
        await using PosthornProcess server = await PosthornProcess.StartAsync("ann", Path.Combine(folder.Path, "q"));
        foreach (string path in Folder.EnumerateFiles(server.Directory, "catalogue.db*", SearchOption.AllDirectories))
            Assert.Equal(UnixFileMode.None, File.GetUnixFileMode(path) & ~OwnersAlone);
        string data = Folder.GetParent(Folder.EnumerateDirectories(server.Directory, "accounts", SearchOption.AllDirectories).First())!.FullName;
        (_, string quiet, _) = await ProgramRun.RunAsync(null, "check", "--config", server.Configuration);
        Assert.DoesNotContain("chmod 700", quiet, StringComparison.Ordinal);
        File.SetUnixFileMode(data, OwnersAlone | UnixFileMode.OtherRead | UnixFileMode.OtherExecute);
        (_, string output, _) = await ProgramRun.RunAsync(null, "check", "--config", server.Configuration);
        Assert.Contains($"chmod 700 {data}", output, StringComparison.Ordinal);
        foreach (string path in Folder.EnumerateFiles(data, "catalogue.db*", SearchOption.AllDirectories))
            Assert.Equal(UnixFileMode.None, File.GetUnixFileMode(path) & ~OwnersAlone);
    }

    [Fact]
    public void Links_and_files_are_no_folders_of_ones_own()
    {
        using TemporaryFolder folder = new();
        string link = Path.Combine(folder.Path, "link");
        File.CreateSymbolicLink(link, folder.Path);
        Assert.True(PrivateFile.IsOwnFolder(folder.Path));
        Assert.False(PrivateFile.IsOwnFolder(link));
        Assert.False(PrivateFile.IsOwnFolder(folder.Write("file", "x")));
        Assert.False(PrivateFile.IsOwnFolder(Path.Combine(folder.Path, "none")));
    }
}
