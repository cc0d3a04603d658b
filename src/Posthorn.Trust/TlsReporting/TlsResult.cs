using Posthorn.Trust.Certificates;

namespace Posthorn.Trust.TlsReporting;

/// <summary>The words for what went wrong (RFC 8460 section 4.3).</summary>
public static class TlsResult
{
    public const string StartTlsNotSupported = "starttls-not-supported";
    public const string ValidationFailure = "validation-failure";
    public const string TlsaInvalid = "tlsa-invalid";
    public const string DnssecInvalid = "dnssec-invalid";
    public const string DaneRequired = "dane-required";
    public const string StsPolicyFetchError = "sts-policy-fetch-error";
    public const string StsPolicyInvalid = "sts-policy-invalid";
    public const string StsWebPkiInvalid = "sts-webpki-invalid";

    /// <summary>The word for a fault of a certificate.</summary>
    public static string Of(CertificateFaultKind kind) => kind switch
    {
        CertificateFaultKind.HostMismatch => "certificate-host-mismatch",
        CertificateFaultKind.Expired => "certificate-expired",
        CertificateFaultKind.NotTrusted => "certificate-not-trusted",
        _ => ValidationFailure,
    };
}
