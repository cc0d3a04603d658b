using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Posthorn.Transport.Remote.Security;

/// <summary>How TLS builds the chain of a certificate that another server shows.</summary>
internal static class ChainPolicies
{
    /// <summary>From what the server sent and what is trusted here: a stranger's certificate must not make this host fetch what it names (Authority Information Access, RFC 5280 section 4.2.2.1), and wait for it.</summary>
    public static X509ChainPolicy WithoutDownloads() => new()
    {
        DisableCertificateDownloads = true, RevocationMode = X509RevocationMode.NoCheck, ApplicationPolicy = { new Oid("1.3.6.1.5.5.7.3.1") },
    };
}
