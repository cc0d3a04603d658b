using System.Net;
using System.Net.Http.Headers;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Posthorn.Trust.Certificates;

namespace Posthorn.Transport.Remote.Security;

/// <summary>Fetches policies and hands reports in over HTTPS, by the same DNS and the same trusted authorities as mail. No proxy, no cookies, no redirections (RFC 8461 section 3.3).</summary>
public sealed class HttpsClient : IHttpsClient, IDisposable
{
    /// <summary>RFC 8461 section 3.3 suggests a minute.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly IMailDns _dns;
    private readonly Func<TransportOptions> _options;
    private readonly HttpClient _client;
    private readonly TimeProvider _time;
    private readonly TimeSpan _patience;

    /// <param name="dns">Where hosts are.</param>
    /// <param name="options">The authorities that are trusted.</param>
    /// <param name="time">The clock.</param>
    /// <param name="patience">For one exchange from its beginning to the last octet; a minute when not given.</param>
    public HttpsClient(IMailDns dns, Func<TransportOptions> options, TimeProvider time, TimeSpan? patience = null)
    {
        (_dns, _options, _time, _patience) = (dns, options, time, patience ?? Patience);
        SocketsHttpHandler handler = new()
        {
            AllowAutoRedirect = false, UseProxy = false, UseCookies = false, ConnectTimeout = Patience / 2, PooledConnectionIdleTimeout = TimeSpan.FromSeconds(5),
            ConnectCallback = ConnectAsync,
            SslOptions = new() { EnabledSslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13, RemoteCertificateValidationCallback = Accepts, CertificateChainPolicy = ChainPolicies.WithoutDownloads() },
        };
        _client = new(handler, disposeHandler: true) { Timeout = Timeout.InfiniteTimeSpan };
    }

    public ValueTask<HttpsAnswer> GetAsync(Uri uri, int limit, CancellationToken cancel) => SendAsync(new(HttpMethod.Get, uri), limit, cancel);

    public ValueTask<HttpsAnswer> PostAsync(Uri uri, ReadOnlyMemory<byte> content, string mediaType, CancellationToken cancel)
    {
        ReadOnlyMemoryContent body = new(content);
        body.Headers.ContentType = new MediaTypeHeaderValue(mediaType);
        return SendAsync(new(HttpMethod.Post, uri) { Content = body }, 4096, cancel);
    }

    public void Dispose() => _client.Dispose();

    private async ValueTask<HttpsAnswer> SendAsync(HttpRequestMessage request, int limit, CancellationToken cancel)
    {
        // For the whole exchange: a client's own timeout ends with the header, and a server may trickle what follows.
        using CancellationTokenSource timer = new(_patience, _time);
        using CancellationTokenSource both = CancellationTokenSource.CreateLinkedTokenSource(cancel, timer.Token);
        using (request)
        {
            try
            {
                using HttpResponseMessage response = await _client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, both.Token);
                byte[] buffer = new byte[limit + 1];
                await using Stream stream = await response.Content.ReadAsStreamAsync(both.Token);
                int read = await stream.ReadAtLeastAsync(buffer, buffer.Length, throwOnEndOfStream: false, both.Token);
                if (read > limit) return new(0, "", "", $"the answer is longer than {limit} octets");
                return new((int)response.StatusCode, response.Content.Headers.ContentType?.MediaType ?? "", Encoding.UTF8.GetString(buffer, 0, read), "");
            }
            catch (HttpRequestException e) { return new(0, "", "", e.InnerException?.Message ?? e.Message) { IsCertificateFault = e.InnerException is AuthenticationException }; }
            catch (IOException e) { return new(0, "", "", e.Message); }
            catch (OperationCanceledException) when (!cancel.IsCancellationRequested) { return new(0, "", "", "no answer in time"); }
        }
    }

    private async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken cancel)
    {
        List<IPAddress> addresses = [];
        if (IPAddress.TryParse(context.DnsEndPoint.Host, out IPAddress? literal)) addresses.Add(literal);
        else
            foreach (AddressFamily family in (AddressFamily[])[AddressFamily.InterNetworkV6, AddressFamily.InterNetwork])
                addresses.AddRange((await _dns.FindAddressesAsync(context.DnsEndPoint.Host, family, cancel)).Addresses);
        Exception? last = null;
        foreach (IPAddress address in addresses.Take(4))
        {
            Socket socket = new(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            try
            {
                await socket.ConnectAsync(new IPEndPoint(address, context.DnsEndPoint.Port), cancel);
                return new NetworkStream(socket, ownsSocket: true);
            }
            catch (SocketException e)
            {
                socket.Dispose();
                last = e;
            }
            catch
            {
                socket.Dispose();
                throw;
            }
        }
        throw new IOException(last?.Message ?? $"{context.DnsEndPoint.Host} has no address", last);
    }

    private bool Accepts(object sender, X509Certificate? certificate, X509Chain? chain, SslPolicyErrors errors)
    {
        if (errors == SslPolicyErrors.None) return true;
        string name = (sender as SslStream)?.TargetHostName ?? "";
        return certificate is X509Certificate2 leaf && CertificateCheck.Verify(leaf, chain, errors, [name], _options().Outbound.Authorities) is null;
    }
}
