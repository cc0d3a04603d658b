using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.Extensions.Logging;
using Posthorn.Trust.TlsReporting;

namespace Posthorn.Transport.Remote.Security;

/// <summary>One session with another server, as it is counted for reports (RFC 8460).</summary>
internal sealed record TlsSessionCount(AppliedPolicy Policy, TlsTrouble? Trouble, string SendingAddress, string MxHost, string ReceivingAddress);

/// <summary>Counts TLS sessions by day, domain and policy, and keeps the counts over restarts.</summary>
/// <remarks>Locking: <c>_gate</c> guards everything; files are written outside of it.</remarks>
public sealed class TlsTally(string folder, TimeProvider time, ILogger log, long maxOctets = TlsTally.UsualOctets)
{
    /// <summary>Octets of all that is counted, in memory and about as many in the file. 64 MiB: 20,000 ordinary domains take some 20, and policies are as long as strangers make them.</summary>
    public const long UsualOctets = 64L << 20;

    /// <summary>What an entry takes beside its texts.</summary>
    private const int EntryOctets = 160;

    /// <summary>Domains of one day that are counted: a server that sends to more has those of every hour all the same.</summary>
    private const int MaxDomains = 20_000;

    /// <summary>Policies of a domain in a day, and kinds of failure of a policy.</summary>
    private const int MaxPolicies = 50, MaxDetails = 100;

    private readonly Lock _gate = new();
    private readonly Dictionary<DateOnly, Dictionary<string, Dictionary<string, PolicySummary>>> _days = [];
    private long _octets;
    private bool _changed;

    internal void Count(TlsSessionCount session)
    {
        lock (_gate)
        {
            PolicySummary? summary = Find(DateOnly.FromDateTime(time.GetUtcNow().UtcDateTime), session.Policy);
            if (summary is null) return;
            _changed = true;
            if (session.Trouble is not { } trouble)
            {
                summary.Successes++;
                return;
            }
            summary.Failures++;
            string reason = trouble.Reason.Length <= 200 ? trouble.Reason : trouble.Reason[..200];
            TlsFailureDetail? known = summary.Details.Find(one => one.ResultType == trouble.ResultType && one.MxHost == session.MxHost && one.ReceivingAddress == session.ReceivingAddress && one.SendingAddress == session.SendingAddress && one.Reason == reason);
            if (known is not null) known.Sessions++;
            else if (summary.Details.Count < MaxDetails) Add(summary, new(trouble.ResultType, session.SendingAddress, session.MxHost, session.ReceivingAddress, reason));
        }
    }

    /// <summary>The domains of days before this one.</summary>
    internal IReadOnlyList<(DateOnly Day, string Domain)> Before(DateOnly day)
    {
        lock (_gate) return [.. _days.Where(one => one.Key < day).SelectMany(one => one.Value.Keys.Select(domain => (one.Key, domain))).OrderBy(one => one)];
    }

    internal IReadOnlyList<PolicySummary> Of(DateOnly day, string domain)
    {
        lock (_gate) return _days.TryGetValue(day, out Dictionary<string, Dictionary<string, PolicySummary>>? domains) && domains.TryGetValue(domain, out Dictionary<string, PolicySummary>? policies) ? [.. policies.Values] : [];
    }

    internal void Forget(DateOnly day, string domain)
    {
        lock (_gate)
        {
            if (!_days.TryGetValue(day, out Dictionary<string, Dictionary<string, PolicySummary>>? domains)) return;
            if (domains.Remove(domain, out Dictionary<string, PolicySummary>? policies))
            {
                _changed = true;
                _octets -= OctetsOf(domain) + policies.Sum(policy => OctetsOf(policy.Key, policy.Value.Policy) + policy.Value.Details.Sum(OctetsOf));
            }

            if (domains.Count == 0) _days.Remove(day);
        }
    }

    private string Path => System.IO.Path.Combine(folder, "counts.json");

    /// <summary>Reads what an earlier run counted.</summary>
    public void Load()
    {
        try
        {
            byte[] bytes = File.ReadAllBytes(Path);
            foreach (CountRow row in JsonSerializer.Deserialize(bytes, TallyJson.Default.CountRowArray) ?? [])
            {
                if (Find(row.Day, new(row.Kind, row.Domain, row.Lines, row.MxHosts)) is not { } summary) continue;
                (summary.Successes, summary.Failures) = (row.Successes, row.Failures);
                foreach (TlsFailureDetail detail in row.Details) Add(summary, detail);
            }
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException) { /* the first start */ }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException) { log.TlsCountsLost(Path, e.Message); }
    }

    /// <summary>Writes what has been counted.</summary>
    public void Save()
    {
        CountRow[] rows;
        lock (_gate)
        {
            if (!_changed) return;
            _changed = false;
            rows = [.. from day in _days from domain in day.Value from policy in domain.Value.Values
                select new CountRow(day.Key, policy.Policy.Kind, policy.Policy.Domain, policy.Policy.Lines, policy.Policy.MxHosts, policy.Successes, policy.Failures, [.. policy.Details.Select(one => one with { })])];
        }
        try
        {
            System.IO.Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            File.WriteAllBytes(Path + ".tmp", JsonSerializer.SerializeToUtf8Bytes(rows, TallyJson.Default.CountRowArray));
            File.Move(Path + ".tmp", Path, overwrite: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException) { log.TlsCountsLost(Path, e.Message); }
    }

    private PolicySummary? Find(DateOnly day, AppliedPolicy policy)
    {
        if (!_days.TryGetValue(day, out Dictionary<string, Dictionary<string, PolicySummary>>? domains)) _days.Add(day, domains = new(StringComparer.OrdinalIgnoreCase));
        if (!domains.TryGetValue(policy.Domain, out Dictionary<string, PolicySummary>? policies))
        {
            if (domains.Count >= MaxDomains || !TryTake(OctetsOf(policy.Domain))) return null;
            domains.Add(policy.Domain, policies = []);
        }
        string key = policy.Key;
        if (policies.TryGetValue(key, out PolicySummary? summary)) return summary;
        if (policies.Count >= MaxPolicies || !TryTake(OctetsOf(key, policy))) return null;
        policies.Add(key, summary = new(policy));
        return summary;
    }

    // Without room it is one of the failures that are counted, and its details are not kept.
    private void Add(PolicySummary summary, TlsFailureDetail detail)
    {
        if (TryTake(OctetsOf(detail))) summary.Details.Add(detail);
    }

    private bool TryTake(long octets)
    {
        if (_octets + octets > maxOctets) return false;
        _octets += octets;
        return true;
    }

    private static long OctetsOf(string text) => EntryOctets + 2L * text.Length;

    // The key says all once more.
    private static long OctetsOf(string key, AppliedPolicy policy) => EntryOctets + 4L * key.Length + EntryOctets * (policy.Lines.Count + policy.MxHosts.Count);

    private static long OctetsOf(TlsFailureDetail detail) =>
        EntryOctets + 2L * (detail.ResultType.Length + detail.SendingAddress.Length + detail.MxHost.Length + detail.ReceivingAddress.Length + detail.Reason.Length);
}

/// <summary>One policy's counts of one day, as the file keeps them.</summary>
internal sealed record CountRow(DateOnly Day, TlsPolicyKind Kind, string Domain, IReadOnlyList<string> Lines, IReadOnlyList<string> MxHosts, long Successes, long Failures, IReadOnlyList<TlsFailureDetail> Details);

[JsonSourceGenerationOptions(UseStringEnumConverter = true)]
[JsonSerializable(typeof(CountRow[]))]
internal sealed partial class TallyJson : JsonSerializerContext;
