namespace Posthorn.Trust.Certificates;

/// <summary>What kind of thing is wrong with a certificate, in the classes of RFC 8460 section 4.3.</summary>
public enum CertificateFaultKind
{
    HostMismatch,
    Expired,
    NotTrusted,
    ValidationFailure,
}

/// <summary>Why a certificate is not accepted.</summary>
public sealed record CertificateFault(CertificateFaultKind Kind, string Text);
