namespace Posthorn.Transport.Remote.Security;

/// <summary>What the way out asks of web servers. An edge that tests fake.</summary>
public interface IHttpsClient
{
    /// <summary>Gets a document of at most so many octets; redirections are not followed.</summary>
    ValueTask<HttpsAnswer> GetAsync(Uri uri, int limit, CancellationToken cancel);

    /// <summary>Posts a document.</summary>
    ValueTask<HttpsAnswer> PostAsync(Uri uri, ReadOnlyMemory<byte> content, string mediaType, CancellationToken cancel);
}

/// <summary>What a web server said.</summary>
/// <param name="Status">The status; 0 when there was no answer, and <paramref name="Problem"/> says why.</param>
/// <param name="MediaType">The type of what it sent.</param>
/// <param name="Body">What it sent.</param>
/// <param name="Problem">Why there is no answer.</param>
public sealed record HttpsAnswer(int Status, string MediaType, string Body, string Problem)
{
    /// <summary>There is none because the certificate is not good.</summary>
    public bool IsCertificateFault { get; init; }
}
