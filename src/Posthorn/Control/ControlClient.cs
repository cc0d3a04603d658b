using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Posthorn.Commands;
using Posthorn.Configuration;

namespace Posthorn.Control;

/// <summary>Speaks to the running server over its control socket, for commands.</summary>
internal sealed class ControlClient : IDisposable
{
    private readonly string _path;
    private readonly HttpClient _http;

    private ControlClient(string path)
    {
        _path = path;
        _http = new(new SocketsHttpHandler { ConnectCallback = ConnectAsync, UseProxy = false }) { BaseAddress = new("http://posthorn/") };
    }

    public static string SocketPath(string data) => Path.Combine(data, "control.sock");

    /// <summary>Runs one command against the server that the configuration names; says what is wrong when it cannot be reached or refuses.</summary>
    public static Task<int> RunAsync(string? config, Func<ControlClient, CancellationToken, Task<int>> run, CancellationToken cancel) =>
        WithConfiguration.LookAsync(config, (configuration, _) => RunAsync(configuration, run, cancel));

    /// <summary>Runs one command against the server of a configuration.</summary>
    public static async Task<int> RunAsync(ServerConfiguration configuration, Func<ControlClient, CancellationToken, Task<int>> run, CancellationToken cancel)
    {
        using ControlClient client = new(SocketPath(configuration.Data));
        try { return await run(client, cancel); }
        catch (HttpRequestException e) when (e.StatusCode is null)
        {
            Console.Error.WriteLine(client.WhyNot(e));
            return ExitStatus.Unreachable;
        }
        catch (ControlRefusedException e)
        {
            Console.Error.WriteLine(e.Message);
            return e.Exit;
        }
    }

    /// <summary>Runs one command against the running server, or otherwise where there is none.</summary>
    public static async Task<int> RunOrElseAsync(ServerConfiguration configuration, Func<ControlClient, CancellationToken, Task<int>> run, Func<CancellationToken, Task<int>> otherwise, CancellationToken cancel)
    {
        bool isThere = true;
        int status = await RunAsync(configuration, async (client, stop) =>
        {
            try { return await run(client, stop); }
            // No socket, or nobody behind it. One that may not be opened is another matter.
            catch (HttpRequestException e) when (e.StatusCode is null && e.InnerException is SocketException { SocketErrorCode: not SocketError.AccessDenied })
            {
                isThere = false;
                return ExitStatus.Done;
            }
        }, cancel);
        return isThere ? status : await otherwise(cancel);
    }

    /// <summary>Posts octets and reads the answer line by line, each a JSON text.</summary>
    public async IAsyncEnumerable<T> StreamAsync<T>(string path, byte[] body, JsonTypeInfo<T> type, [EnumeratorCancellation] CancellationToken cancel) where T : class
    {
        using HttpRequestMessage request = new(HttpMethod.Post, path) { Content = new ByteArrayContent(body) };
        using HttpResponseMessage response = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancel);
        if (!response.IsSuccessStatusCode) throw Refusal(response.StatusCode, await response.Content.ReadAsStringAsync(cancel));
        using StreamReader lines = new(await response.Content.ReadAsStreamAsync(cancel));
        while (await lines.ReadLineAsync(cancel) is { } line)
            if (line.Length > 0) yield return JsonSerializer.Deserialize(line, type) ?? throw new ControlRefusedException("The server answered with nothing.");
    }

    public Task<T> GetAsync<T>(string path, JsonTypeInfo<T> type, CancellationToken cancel) where T : class => SendAsync(HttpMethod.Get, path, type, cancel);

    public Task<T> PostAsync<T>(string path, JsonTypeInfo<T> type, CancellationToken cancel) where T : class => SendAsync(HttpMethod.Post, path, type, cancel);

    public void Dispose() => _http.Dispose();

    private async Task<T> SendAsync<T>(HttpMethod method, string path, JsonTypeInfo<T> type, CancellationToken cancel) where T : class
    {
        using HttpRequestMessage request = new(method, path);
        using HttpResponseMessage response = await _http.SendAsync(request, cancel);
        if (!response.IsSuccessStatusCode)
            throw Refusal(response.StatusCode, await response.Content.ReadAsStringAsync(cancel));
        return await response.Content.ReadFromJsonAsync(type, cancel) ?? throw new ControlRefusedException("The server answered with nothing.");
    }

    private string WhyNot(HttpRequestException e) => (e.InnerException as SocketException)?.SocketErrorCode switch
    {
        SocketError.AddressNotAvailable => $"The server does not run: there is no {_path}.",
        SocketError.ConnectionRefused => $"The server does not run: nobody listens at {_path}.",
        SocketError.AccessDenied => $"You are not the server's user: {_path} is its own. Run this as that user, or as root.",
        _ => $"The server cannot be reached at {_path}: {e.InnerException?.Message ?? e.Message}",
    };

    private static ControlRefusedException Refusal(HttpStatusCode status, string text) => new(ErrorOf(text) ?? $"The server answered {(int)status}.")
    {
        Exit = status switch { HttpStatusCode.NotFound => ExitStatus.Wrong, HttpStatusCode.BadRequest => ExitStatus.Usage, _ => ExitStatus.Refused },
    };

    private static string? ErrorOf(string text)
    {
        try { return JsonSerializer.Deserialize(text, ControlJson.Default.ControlError)?.Error; }
        catch (JsonException) { return null; }
    }

    private async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken cancel)
    {
        Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(_path), cancel);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}

/// <summary>The server said no.</summary>
internal sealed class ControlRefusedException(string reason) : Exception(reason)
{
    /// <summary>The exit status that says it to scripts.</summary>
    public int Exit { get; init; } = ExitStatus.Refused;
}
