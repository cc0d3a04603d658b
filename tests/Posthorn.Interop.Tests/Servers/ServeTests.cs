using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Posthorn.Interop.Tests.Harness;
using Posthorn.Testing;

namespace Posthorn.Interop.Tests.Servers;

/// <summary><c>serve</c> with a configuration of its own: LMTP on a Unix socket, logs as JSON, a bad file.</summary>
public sealed class ServeTests
{
    [Fact]
    public async Task Lmtp_on_a_unix_socket_delivers_and_the_log_is_json_with_one_id_for_the_message()
    {
        using TemporaryFolder folder = new();
        string socket = Path.Combine(folder.Path, "lmtp.sock");
        string configuration = await PrepareAsync(folder, $"\n[log]\nformat = \"json\"\n");
        string text = await File.ReadAllTextAsync(configuration);
        await File.WriteAllTextAsync(configuration, text.Replace("lmtp = [\"127.0.0.1:0\"]", $"lmtp = [{{ unix = \"{socket}\", mode = \"0660\" }}]", StringComparison.Ordinal));
        await using PosthornProcess server = await PosthornProcess.ServeAsync(configuration);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.GroupWrite, File.GetUnixFileMode(socket));

        using Socket client = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await client.ConnectAsync(new UnixDomainSocketEndPoint(socket));
        await using NetworkStream stream = new(client);
        using StreamReader reader = new(stream, Encoding.ASCII);
        Assert.StartsWith("220", await reader.ReadLineAsync(), StringComparison.Ordinal);
        await stream.WriteAsync(Encoding.ASCII.GetBytes("LHLO a.example\r\nMAIL FROM:<x@elsewhere.example>\r\nRCPT TO:<ann@posthorn.test>\r\nRCPT TO:<nobody@posthorn.test>\r\nDATA\r\n"));
        string? line;
        while ((line = await reader.ReadLineAsync()) is not null && !line.StartsWith("354", StringComparison.Ordinal)) { }
        await stream.WriteAsync(Encoding.ASCII.GetBytes("Subject: by socket\r\n\r\ntext\r\n.\r\nQUIT\r\n"));
        string reply = await reader.ReadLineAsync() ?? "";
        Assert.StartsWith("250 2.", reply, StringComparison.Ordinal);
        Assert.StartsWith("221", await reader.ReadLineAsync(), StringComparison.Ordinal); // the refused recipient has no reply of its own
        await server.StopAsync();

        string[] file = await File.ReadAllLinesAsync(Path.Combine(folder.Path, "q", "data", "log", "posthorn.log"));
        // The first run, by quickstart, wrote in human form.
        List<JsonElement> events = [.. file.Where(l => l.StartsWith('{')).Select(l => JsonDocument.Parse(l).RootElement)];
        JsonElement delivered = events.Single(e => e.GetProperty("event").GetString() == "delivered");
        string id = delivered.GetProperty("queueId").GetString()!;
        Assert.Contains(events, e => e.GetProperty("event").GetString() == "accepted" && e.GetProperty("queueId").GetString() == id);
        string stored = string.Concat(Folder.EnumerateFiles(Path.Combine(folder.Path, "q", "mail", "ann"), "*", SearchOption.AllDirectories).Where(p => p.Contains(",S=", StringComparison.Ordinal)).Select(File.ReadAllText));
        Assert.Contains($"id {id}", stored, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Serve_refuses_a_bad_file_with_the_text_of_check()
    {
        using TemporaryFolder folder = new();
        string configuration = await PrepareAsync(folder, "\n[limit]\nrecipients = 5\n");
        (string file, string[] before) = PosthornProcess.Program;
        PeerResult check = await Peer.RunAsync(file, [.. before, "check", "--config", configuration]);
        PeerResult serve = await Peer.RunAsync(file, [.. before, "serve", "--config", configuration]);
        Assert.Equal(1, check.Status);
        Assert.Equal(1, serve.Status);
        string mistake = check.Output.Split('\n').Single(l => l.Contains("unknown key 'limit'", StringComparison.Ordinal));
        Assert.Contains("did you mean 'limits'", mistake, StringComparison.Ordinal);
        Assert.Contains(mistake, serve.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_second_server_on_the_same_data_is_told_so()
    {
        using TemporaryFolder folder = new();
        string configuration = await PrepareAsync(folder, "");
        await using PosthornProcess first = await PosthornProcess.ServeAsync(configuration);
        (string file, string[] before) = PosthornProcess.Program;
        PeerResult second = await Peer.RunAsync(file, [.. before, "serve", "--config", configuration]);
        Assert.Equal(1, second.Status);
        Assert.Contains("another process has this journal open", second.Errors, StringComparison.Ordinal);
        Assert.NotEmpty(await Mail.ReadAllAsync(first, new("ann@posthorn.test", "ann", await PasswordAsync(folder))));
    }

    private static async Task<string> PasswordAsync(TemporaryFolder folder)
    {
        using JsonDocument state = JsonDocument.Parse(await File.ReadAllTextAsync(Path.Combine(folder.Path, "q", "quickstart.json")));
        return state.RootElement.GetProperty("accounts")[0].GetProperty("password").GetString()!;
    }

    private static async Task<string> PrepareAsync(TemporaryFolder folder, string addition)
    {
        string root = Path.Combine(folder.Path, "q");
        await using (PosthornProcess quick = await PosthornProcess.StartAsync(directory: root)) await quick.StopAsync();
        string configuration = Path.Combine(root, "posthorn.toml");
        await File.AppendAllTextAsync(configuration, addition);
        return configuration;
    }
}
