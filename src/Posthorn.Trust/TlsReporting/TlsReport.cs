using System.Text.Json;

namespace Posthorn.Trust.TlsReporting;

/// <summary>Which kind of policy a session was held to (RFC 8460 section 4.4).</summary>
public enum TlsPolicyKind
{
    NoPolicy,
    Sts,
    Tlsa,
}

/// <summary>A policy as reports name it.</summary>
/// <param name="Kind">Its kind.</param>
/// <param name="Domain">The domain whose policy it is, in A-labels.</param>
/// <param name="Lines">The policy itself.</param>
/// <param name="MxHosts">The MX patterns of an MTA-STS policy; the MX host for TLSA.</param>
public sealed record AppliedPolicy(TlsPolicyKind Kind, string Domain, IReadOnlyList<string> Lines, IReadOnlyList<string> MxHosts)
{
    /// <summary>Tells policies apart.</summary>
    public string Key => $"{Kind}|{Domain}|{string.Join('|', MxHosts)}|{string.Join('|', Lines)}";
}

/// <summary>Sessions that failed in one way with one host.</summary>
public sealed record TlsFailureDetail(string ResultType, string SendingAddress, string MxHost, string ReceivingAddress, string Reason)
{
    public long Sessions { get; set; } = 1;
}

/// <summary>A day's sessions under one policy.</summary>
public sealed class PolicySummary(AppliedPolicy policy)
{
    public AppliedPolicy Policy { get; } = policy;
    public long Successes { get; set; }
    public long Failures { get; set; }
    public List<TlsFailureDetail> Details { get; } = [];
}

/// <summary>The aggregate report of one day for one domain (RFC 8460 section 4).</summary>
public sealed record TlsReport(string Organization, string Contact, string Id, string Domain, DateOnly Day, IReadOnlyList<PolicySummary> Policies)
{
    public DateTimeOffset Start => new(Day.ToDateTime(TimeOnly.MinValue), TimeSpan.Zero);
    public DateTimeOffset End => Start.AddDays(1).AddSeconds(-1);

    /// <summary>The name of its file (RFC 8460 section 5.1).</summary>
    public string FileName(string sender) => $"{sender}!{Domain}!{Start.ToUnixTimeSeconds()}!{End.ToUnixTimeSeconds()}!001.json.gz";

    /// <summary>Writes it as JSON (RFC 8460 section 4.4).</summary>
    public byte[] ToJson()
    {
        using MemoryStream stream = new();
        using (Utf8JsonWriter json = new(stream))
        {
            json.WriteStartObject();
            json.WriteString("organization-name", Organization);
            json.WriteStartObject("date-range");
            json.WriteString("start-datetime", Start.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", System.Globalization.CultureInfo.InvariantCulture));
            json.WriteString("end-datetime", End.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", System.Globalization.CultureInfo.InvariantCulture));
            json.WriteEndObject();
            json.WriteString("contact-info", Contact);
            json.WriteString("report-id", Id);
            json.WriteStartArray("policies");
            foreach (PolicySummary summary in Policies) Write(json, summary);
            json.WriteEndArray();
            json.WriteEndObject();
        }
        return stream.ToArray();
    }

    private static void Write(Utf8JsonWriter json, PolicySummary summary)
    {
        AppliedPolicy policy = summary.Policy;
        json.WriteStartObject();
        json.WriteStartObject("policy");
        json.WriteString("policy-type", policy.Kind switch { TlsPolicyKind.Sts => "sts", TlsPolicyKind.Tlsa => "tlsa", _ => "no-policy-found" });
        if (policy.Lines.Count > 0) WriteAll(json, "policy-string", policy.Lines);
        json.WriteString("policy-domain", policy.Domain);
        if (policy.MxHosts.Count > 0) WriteAll(json, "mx-host", policy.MxHosts);
        json.WriteEndObject();
        json.WriteStartObject("summary");
        json.WriteNumber("total-successful-session-count", summary.Successes);
        json.WriteNumber("total-failure-session-count", summary.Failures);
        json.WriteEndObject();
        if (summary.Details.Count > 0)
        {
            json.WriteStartArray("failure-details");
            foreach (TlsFailureDetail detail in summary.Details) Write(json, detail);
            json.WriteEndArray();
        }
        json.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter json, TlsFailureDetail detail)
    {
        json.WriteStartObject();
        json.WriteString("result-type", detail.ResultType);
        if (detail.SendingAddress.Length > 0) json.WriteString("sending-mta-ip", detail.SendingAddress);
        if (detail.MxHost.Length > 0) json.WriteString("receiving-mx-hostname", detail.MxHost);
        if (detail.ReceivingAddress.Length > 0) json.WriteString("receiving-ip", detail.ReceivingAddress);
        json.WriteNumber("failed-session-count", detail.Sessions);
        if (detail.Reason.Length > 0) json.WriteString("failure-reason-code", detail.Reason);
        json.WriteEndObject();
    }

    private static void WriteAll(Utf8JsonWriter json, string name, IReadOnlyList<string> values)
    {
        json.WriteStartArray(name);
        foreach (string value in values) json.WriteStringValue(value);
        json.WriteEndArray();
    }
}
