using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Microsoft.Extensions.Logging;

namespace Posthorn.Net;

/// <summary>The server's certificate and key, read from PEM files and read again when they change, without dropping sessions.</summary>
public sealed class TlsIdentity : IDisposable
{
    /// <summary>How often the files are looked at; a renewal is live within this time.</summary>
    private static readonly TimeSpan WatchEvery = TimeSpan.FromSeconds(5);

    /// <summary>So long before its end a certificate is warned of.</summary>
    public static readonly TimeSpan RenewBefore = TimeSpan.FromDays(14);

    private readonly string _certificatePath;
    private readonly string _keyPath;
    private readonly TimeProvider _time;
    private readonly ILogger _log;
    private readonly ITimer _timer;
    private (DateTime, DateTime) _seen;
    private volatile Handshakes _options;
    private X509Certificate2 _leaf;
    private bool _toldSoon, _toldEnd;

    private TlsIdentity(string certificatePath, string keyPath, TimeProvider time, ILogger log)
    {
        _certificatePath = certificatePath;
        _keyPath = keyPath;
        (_time, _log) = (time, log);
        _seen = WriteTimes();
        (_options, _leaf) = Read();
        _timer = time.CreateTimer(_ => Watch(), null, WatchEvery, WatchEvery);
    }

    /// <summary>For a new handshake; sessions keep what they have.</summary>
    public SslServerAuthenticationOptions ServerOptions => _options.Resumable;

    /// <summary>The same for a client that is not to be offered to take up its session again.</summary>
    internal SslServerAuthenticationOptions OptionsWithoutResumption => _options.Whole;

    /// <summary>When the certificate ends.</summary>
    public DateTimeOffset NotAfter => _leaf.NotAfter;

    /// <summary>Whether clients that know the server by this name take its certificate for it (RFC 9525).</summary>
    public bool IsFor(string host)
    {
        string name = host.StartsWith("[IPv6:", StringComparison.OrdinalIgnoreCase) ? host[6..^1] : host.Trim('[', ']');
        try { return _leaf.MatchesHostname(name); }
        catch (ArgumentException) { return false; } // no name that a certificate could bear
        catch (CryptographicException) { return false; } // names in it that cannot be read
    }

    /// <summary>Reads certificate chain and key.</summary>
    /// <exception cref="IOException">A file is missing, unreadable, not PEM, or key and certificate do not belong together; the message says which.</exception>
    public static TlsIdentity Load(string certificatePath, string keyPath, TimeProvider time, ILogger log) => new(certificatePath, keyPath, time, log);

    /// <summary>Reads the files again if they changed; a bad pair is reported and the old one kept.</summary>
    public void ReloadIfChanged()
    {
        (DateTime, DateTime) now = WriteTimes();
        if (now == _seen) return;
        _seen = now;
        try
        {
            (_options, _leaf) = Read();
            _log.CertificateReloaded(_certificatePath, NotAfter);
            (_toldSoon, _toldEnd) = (false, false);
        }
        catch (IOException e) { _log.CertificateRejected(e.Message); }
    }

    public void Dispose() => _timer.Dispose();

    private void Watch()
    {
        ReloadIfChanged();
        TimeSpan left = NotAfter - _time.GetUtcNow();
        if (left < TimeSpan.Zero)
        {
            if (!_toldEnd) _log.CertificateEnded(_certificatePath, NotAfter);
            _toldEnd = true;
        }
        else if (left < RenewBefore)
        {
            if (!_toldSoon) _log.CertificateEnds(_certificatePath, NotAfter);
            _toldSoon = true;
        }
    }

    private (DateTime, DateTime) WriteTimes() => (File.GetLastWriteTimeUtc(_certificatePath), File.GetLastWriteTimeUtc(_keyPath));

    private (Handshakes Options, X509Certificate2 Leaf) Read()
    {
        X509Certificate2Collection chain = [];
        X509Certificate2 leaf;
        try
        {
            leaf = X509Certificate2.CreateFromPemFile(_certificatePath, _keyPath);
            chain.ImportFromPemFile(_certificatePath);
        }
        catch (CryptographicException e) { throw new IOException($"{_certificatePath} and {_keyPath} are not a PEM certificate and its key: {e.Message}", e); }
        catch (UnauthorizedAccessException e) { throw new IOException(e.Message, e); }
        SslStreamCertificateContext context = SslStreamCertificateContext.Create(leaf, chain, offline: true);
        return (new(Options(context, resumes: true), Options(context, resumes: false)), leaf);
    }

    private static SslServerAuthenticationOptions Options(SslStreamCertificateContext context, bool resumes) => new()
    {
        ServerCertificateContext = context,
        EnabledSslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13,
        ClientCertificateRequired = false, // a client that shows one unasked is not refused (Gmail does)
        CertificateRevocationCheckMode = X509RevocationMode.NoCheck,
        AllowTlsResume = resumes,
    };

    /// <summary>One certificate's options: for sessions that may be taken up again, and for whole handshakes only.</summary>
    private sealed record Handshakes(SslServerAuthenticationOptions Resumable, SslServerAuthenticationOptions Whole);
}
