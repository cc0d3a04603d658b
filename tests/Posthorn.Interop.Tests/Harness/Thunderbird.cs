using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;

namespace Posthorn.Interop.Tests.Harness;

/// <summary>Thunderbird without windows, told what to do through Marionette, its own remote control: scripts run in it with all its rights.</summary>
internal sealed class Thunderbird : IAsyncDisposable
{
    /// <summary>A start on a busy machine; each step of a script has a deadline of its own, which is shorter.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    private static readonly string Library = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Harness", "thunderbird.js"));

    /// <summary>Nothing of it may ask the network for anything but mail, and nothing may stand before the mail.</summary>
    private static readonly (string Name, object Value)[] Preferences =
    [
        ("marionette.port", 0),
        ("network.proxy.type", 1), ("network.proxy.http", "127.0.0.1"), ("network.proxy.http_port", 9), ("network.proxy.ssl", "127.0.0.1"), ("network.proxy.ssl_port", 9),
        ("network.manage-offline-status", false), ("network.connectivity-service.enabled", false), ("network.captive-portal-service.enabled", false), ("network.dns.disablePrefetch", true),
        ("app.update.enabled", false), ("app.update.auto", false), ("app.update.disabledForTesting", true), ("app.normandy.enabled", false), ("app.donation.eoy.version.viewed", 999),
        ("extensions.update.enabled", false), ("extensions.getAddons.cache.enabled", false), ("extensions.systemAddon.update.enabled", false), ("extensions.blocklist.enabled", false),
        ("datareporting.policy.dataSubmissionEnabled", false), ("datareporting.healthreport.uploadEnabled", false), ("toolkit.telemetry.enabled", false), ("toolkit.telemetry.unified", false), ("toolkit.telemetry.server", ""),
        ("toolkit.startup.max_resumed_crashes", -1), ("browser.safebrowsing.phishing.enabled", false), ("browser.safebrowsing.malware.enabled", false),
        ("mail.provider.suppress_dialog_on_startup", true), ("mail.spotlight.firstRunDone", true), ("mail.shell.checkDefaultClient", false), ("mail.rights.version", 1), ("mailnews.start_page.enabled", false),
        ("mailnews.database.global.indexer.enabled", false), ("mail.inappnotifications.enabled", false), ("mail.biff.show_alert", false), ("mail.biff.play_sound", false), ("mail.warn_on_send_accel_key", false),
        // What it does by itself, it does when a test says so.
        ("mail.server.default.check_new_mail", false), ("mail.server.default.login_at_startup", false), ("mail.server.default.autosync_offline_stores", false), ("mail.server.default.offline_download", false),
    ];

    private readonly Process _process;
    private readonly StringBuilder _said = new();
    private readonly TemporaryFolder _folder;
    private Socket? _socket;
    private Stream? _stream;
    private int _last;

    private Thunderbird(Process process, TemporaryFolder folder) => (_process, _folder) = (process, folder);

    public static async Task<Thunderbird> StartAsync(string program)
    {
        TemporaryFolder folder = new();
        string preferences = string.Concat(Preferences.Select(each => $"user_pref({JsonSerializer.Serialize(each.Name)}, {JsonSerializer.Serialize(each.Value)});\n"));
        string profile = Path.GetDirectoryName(folder.Write(Path.Combine("profile", "user.js"), preferences))!;
        ProcessStartInfo start = new(program, ["--headless", "--no-remote", "--marionette", "--remote-allow-system-access", "--profile", profile]) { RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["HOME"] = folder.Path;
        start.Environment["LC_ALL"] = "C.UTF-8";
        start.Environment["MOZ_CRASHREPORTER_DISABLE"] = "1";
        Thunderbird client = new(Process.Start(start)!, folder);
        client._process.OutputDataReceived += client.Hear;
        client._process.ErrorDataReceived += client.Hear;
        client._process.BeginOutputReadLine();
        client._process.BeginErrorReadLine();
        try { await client.ConnectAsync(Path.Combine(profile, "MarionetteActivePort")); }
        catch (Exception e)
        {
            await client.DisposeAsync();
            throw new InvalidOperationException($"Thunderbird did not start: {e.Message}\n{client.Said}", e);
        }
        return client;
    }

    private string Said
    {
        get { lock (_said) return _said.ToString(); }
    }

    /// <summary>Runs a script, which may await and return; its arguments are <c>args</c>.</summary>
    public async Task<JsonElement> RunAsync(string script, params object?[] arguments)
    {
        string whole = $"{Library}\nreturn (async args => {{\n{script}\n}})(arguments[0]);";
        JsonElement answer = await CommandAsync("WebDriver:ExecuteScript", new { script = whole, args = new[] { arguments } });
        return answer.GetProperty("value");
    }

    public async ValueTask DisposeAsync()
    {
        _stream?.Dispose();
        _socket?.Dispose();
        if (!_process.HasExited) _process.Kill(entireProcessTree: true);
        await _process.WaitForExitAsync();
        _process.Dispose();
        _folder.Dispose();
    }

    private async Task ConnectAsync(string portFile)
    {
        using CancellationTokenSource patience = new(Patience);
        int port;
        while (!File.Exists(portFile) || !int.TryParse(await File.ReadAllTextAsync(portFile, patience.Token), CultureInfo.InvariantCulture, out port))
        {
            if (_process.HasExited) throw new InvalidOperationException($"it ended with status {_process.ExitCode}");
            await Task.Delay(20, patience.Token);
        }
        _socket = new(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await _socket.ConnectAsync("127.0.0.1", port, patience.Token);
        _stream = new BufferedStream(new NetworkStream(_socket));
        await ReadAsync(patience.Token); // its greeting
        await CommandAsync("WebDriver:NewSession", new { capabilities = new { alwaysMatch = new { } } });
        await CommandAsync("Marionette:SetContext", new { value = "chrome" });
        await CommandAsync("WebDriver:SetTimeouts", new { script = (int)Patience.TotalMilliseconds });
    }

    // A packet is LENGTH:JSON; a command [0, id, name, parameters], its answer [1, id, error, result].
    private async Task<JsonElement> CommandAsync(string name, object parameters)
    {
        using CancellationTokenSource patience = new(Patience + TimeSpan.FromSeconds(10));
        byte[] json = JsonSerializer.SerializeToUtf8Bytes(new[] { 0, ++_last, name, parameters });
        await _stream!.WriteAsync(Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{json.Length}:")), patience.Token);
        await _stream.WriteAsync(json, patience.Token);
        await _stream.FlushAsync(patience.Token);
        JsonElement answer = await ReadAsync(patience.Token);
        Assert.Equal(_last, answer[1].GetInt32());
        if (answer[2].ValueKind != JsonValueKind.Null) Assert.Fail($"Thunderbird: {answer[2].GetProperty("message").GetString()}\n{answer[2].GetProperty("stacktrace").GetString()}");
        return answer[3];
    }

    private async Task<JsonElement> ReadAsync(CancellationToken cancel)
    {
        int length = 0;
        byte[] one = new byte[1];
        while (true)
        {
            await _stream!.ReadExactlyAsync(one, cancel);
            if (one[0] == ':') break;
            length = length * 10 + one[0] - '0';
        }
        byte[] json = new byte[length];
        await _stream.ReadExactlyAsync(json, cancel);
        return JsonSerializer.Deserialize<JsonElement>(json);
    }

    private void Hear(object sender, DataReceivedEventArgs line)
    {
        lock (_said) _said.AppendLine(line.Data);
    }
}
