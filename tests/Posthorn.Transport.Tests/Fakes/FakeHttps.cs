using System.Collections.Concurrent;
using Posthorn.Transport.Remote.Security;

namespace Posthorn.Transport.Tests.Fakes;

/// <summary>Web servers with a few documents; what is not there says 404.</summary>
internal sealed class FakeHttps : IHttpsClient
{
    public ConcurrentDictionary<string, HttpsAnswer> Documents { get; } = new();
    public ConcurrentQueue<string> Asked { get; } = new();
    public ConcurrentQueue<(string Uri, byte[] Content, string MediaType)> Posted { get; } = new();

    public FakeHttps Policy(string domain, string text)
    {
        Documents[$"https://mta-sts.{domain}/.well-known/mta-sts.txt"] = new(200, "text/plain", text, "");
        return this;
    }

    public ValueTask<HttpsAnswer> GetAsync(Uri uri, int limit, CancellationToken cancel)
    {
        Asked.Enqueue(uri.ToString());
        return ValueTask.FromResult(Documents.TryGetValue(uri.ToString(), out HttpsAnswer? answer) ? answer : new(404, "text/html", "", ""));
    }

    public ValueTask<HttpsAnswer> PostAsync(Uri uri, ReadOnlyMemory<byte> content, string mediaType, CancellationToken cancel)
    {
        Posted.Enqueue((uri.ToString(), content.ToArray(), mediaType));
        return ValueTask.FromResult(Documents.TryGetValue(uri.ToString(), out HttpsAnswer? answer) ? answer : new(200, "text/plain", "", ""));
    }
}
