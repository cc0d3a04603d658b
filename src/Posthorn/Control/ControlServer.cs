using System.Text.Json;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace Posthorn.Control;

/// <summary>A request over the control socket.</summary>
internal sealed record ControlRequest(IQueryCollection Query, Stream Body);

/// <summary>The answer: a status and a JSON text.</summary>
internal sealed record ControlReply(int Status, string Json)
{
    /// <summary>Writes the answer in place of <see cref="Json"/>, bit by bit.</summary>
    public Func<Stream, CancellationToken, Task>? Writer { get; private init; }

    /// <summary>An answer of many lines, each a JSON text, as they come.</summary>
    public static ControlReply Stream(Func<Stream, CancellationToken, Task> writer) => new(StatusCodes.Status200OK, "") { Writer = writer };

    public static ControlReply Refused(string reason) => Fault(StatusCodes.Status409Conflict, reason);

    /// <summary>What was named does not exist.</summary>
    public static ControlReply NotFound(string reason) => Fault(StatusCodes.Status404NotFound, reason);

    /// <summary>An argument makes no sense.</summary>
    public static ControlReply Unusable(string reason) => Fault(StatusCodes.Status400BadRequest, reason);

    /// <summary>The command itself is not known.</summary>
    public static ControlReply Unknown() => Fault(StatusCodes.Status501NotImplemented, "This server does not know that command; is it older than the command line?");

    private static ControlReply Fault(int status, string reason) => new(status, JsonSerializer.Serialize(new ControlError(reason), ControlJson.Default.ControlError));
}

/// <summary>HTTP and JSON on a Unix socket of mode 0600: how commands speak to the running server. Whoever may open the socket may do everything.</summary>
internal sealed class ControlServer : IHttpApplication<HttpContext>, IAsyncDisposable
{
    private readonly KestrelServer _kestrel;
    private readonly Dictionary<string, Func<ControlRequest, CancellationToken, ValueTask<ControlReply>>> _routes;

    private ControlServer(string path, Dictionary<string, Func<ControlRequest, CancellationToken, ValueTask<ControlReply>>> routes)
    {
        _routes = routes;
        KestrelServerOptions options = new() { AddServerHeader = false };
        options.Limits.MaxRequestBodySize = 1 << 20;
        options.ListenUnixSocket(path);
        SocketTransportFactory transport = new(Options.Create(new SocketTransportOptions()), NullLoggerFactory.Instance);
        _kestrel = new(Options.Create(options), transport, NullLoggerFactory.Instance);
    }

    /// <summary>Starts answering.</summary>
    /// <param name="path">The socket's file; one that a dead server left is replaced.</param>
    /// <param name="routes">By method and path: <c>GET /status</c>.</param>
    /// <param name="cancel">Gives up.</param>
    public static async Task<ControlServer> StartAsync(string path, Dictionary<string, Func<ControlRequest, CancellationToken, ValueTask<ControlReply>>> routes, CancellationToken cancel)
    {
        File.Delete(path); // the journal's lock has shown already that no other server is there
        ControlServer server = new(path, routes);
        await server._kestrel.StartAsync(server, cancel);
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        return server;
    }

    public async ValueTask DisposeAsync()
    {
        using CancellationTokenSource now = new();
        await now.CancelAsync();
        try { await _kestrel.StopAsync(now.Token); }
        catch (OperationCanceledException) { /* open requests were cut off */ }
        _kestrel.Dispose();
    }

    HttpContext IHttpApplication<HttpContext>.CreateContext(IFeatureCollection contextFeatures) => new DefaultHttpContext(contextFeatures);

    void IHttpApplication<HttpContext>.DisposeContext(HttpContext context, Exception? exception) { }

    async Task IHttpApplication<HttpContext>.ProcessRequestAsync(HttpContext context)
    {
        ControlReply reply = await AnswerAsync(context);
        context.Response.StatusCode = reply.Status;
        context.Response.ContentType = reply.Writer is null ? "application/json" : "application/x-ndjson";
        if (reply.Writer is { } writer)
        {
            await writer(context.Response.Body, context.RequestAborted);
            return;
        }
        await context.Response.WriteAsync(reply.Json, context.RequestAborted);
    }

    private async ValueTask<ControlReply> AnswerAsync(HttpContext context)
    {
        if (!_routes.TryGetValue($"{context.Request.Method} {context.Request.Path}", out Func<ControlRequest, CancellationToken, ValueTask<ControlReply>>? route))
            return ControlReply.Unknown();
        return await route(new(context.Request.Query, context.Request.Body), context.RequestAborted);
    }
}
