using System.Collections.Concurrent;
using System.Globalization;
using Microsoft.Extensions.Logging;
using Posthorn.Core;
using Posthorn.Trust.Sts;
using Posthorn.Trust.TlsReporting;

namespace Posthorn.Transport.Remote.Security;

/// <summary>What is known of a domain's MTA-STS policy.</summary>
/// <param name="Policy">The policy; null when there is none.</param>
/// <param name="Trouble">What was wrong when it was last asked for.</param>
internal sealed record StsFinding(StsPolicy? Policy, TlsTrouble? Trouble)
{
    public static StsFinding None { get; } = new(null, null);
}

/// <summary>The MTA-STS policies of domains (RFC 8461), kept on disk for as long as they say: an attacker who hides a policy must have done so since before we first sent mail there.</summary>
/// <remarks>Locking: each entry is guarded by its own gate while it is looked up; different domains never wait for each other.</remarks>
public sealed class StsPolicies(IMailDns dns, IHttpsClient https, Func<TransportOptions> options, string folder, TimeProvider time, ILogger log)
{
    /// <summary>The longest policy, RFC 8461 section 3.3.</summary>
    private const int MaxPolicy = 64 * 1024;

    /// <summary>Domains remembered in memory, and on disk, where they are read again when they are needed.</summary>
    private const int MaxDomains = 10_000;

    /// <summary>Policies that are refreshed at the same time.</summary>
    private const int AtOnce = 8;

    /// <summary>RFC 8461 section 3.3: not more than one failed attempt in five minutes.</summary>
    private static readonly TimeSpan AfterFailure = TimeSpan.FromMinutes(5);

    /// <summary>RFC 8461 section 3.3 suggests a refresh once a day.</summary>
    private static readonly TimeSpan FreshFor = TimeSpan.FromDays(1);

    /// <summary>The last second of the calendar: a damaged file may hold any number.</summary>
    private static readonly long Latest = DateTimeOffset.MaxValue.ToUnixTimeSeconds();

    private readonly ConcurrentDictionary<string, Entry> _entries = new(StringComparer.OrdinalIgnoreCase);

    private sealed class Entry
    {
        public SemaphoreSlim Gate { get; } = new(1, 1);
        public bool IsRead { get; set; }
        public string Id { get; set; } = "";
        public StsPolicy? Policy { get; set; }
        public DateTimeOffset Fetched { get; set; }
        public DateTimeOffset NotBefore { get; set; }
        public TlsTrouble? Trouble { get; set; }
    }

    /// <summary>The policy that counts now; it is fetched when the domain names one that is not known yet.</summary>
    internal async ValueTask<StsFinding> FindAsync(DomainName domain, CancellationToken cancel)
    {
        if (_entries.Count >= MaxDomains && !_entries.ContainsKey(domain.Ascii)) Forget();
        Entry entry = _entries.GetOrAdd(domain.Ascii, _ => new());
        await entry.Gate.WaitAsync(cancel);
        try
        {
            if (!entry.IsRead) Read(domain.Ascii, entry);
            DateTimeOffset now = time.GetUtcNow();
            if (entry.Policy is { } old && now >= entry.Fetched + old.MaxAge) entry.Policy = null;
            string? id = StsRecord.IdOf((await dns.FindTextAsync("_mta-sts." + domain.Ascii, cancel)).Texts);
            // Without a record a policy that is known still counts, until its time is over (RFC 8461 section 3.1).
            if (id is not null && now >= entry.NotBefore && (entry.Policy is null || id != entry.Id || now >= entry.Fetched + FreshFor)) await FetchAsync(domain.Ascii, entry, id, now, cancel);
            else if (id is null && entry.Policy is null) entry.Trouble = null;
            return new(entry.Policy, entry.Trouble);
        }
        finally { entry.Gate.Release(); }
    }

    /// <summary>Asks again for the policies of which the day is over, so that none runs out while its web server is kept from us (RFC 8461 section 3.3).</summary>
    public async Task RefreshAsync(CancellationToken cancel)
    {
        if (!System.IO.Directory.Exists(folder)) return;
        (string Path, DateTimeOffset Written)[] files = [.. System.IO.Directory.GetFiles(folder).Select(path => (path, (DateTimeOffset)File.GetLastWriteTimeUtc(path))).OrderByDescending(file => file.Item2)];
        foreach ((string path, _) in files.Skip(MaxDomains)) Delete(path);
        // Several at once: a web server that keeps us waiting keeps no other domain's policy waiting.
        await Parallel.ForEachAsync(files.Take(MaxDomains).Where(file => time.GetUtcNow() >= file.Written + FreshFor), new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = cancel }, async (file, token) =>
        {
            if (file.Path.EndsWith(".tmp", StringComparison.Ordinal) || !DomainName.TryCreate(Path.GetFileName(file.Path), out DomainName domain)) return;
            if ((await FindAsync(domain, token)).Policy is null) Delete(file.Path); // its time is over
        });
    }

    private async ValueTask FetchAsync(string domain, Entry entry, string id, DateTimeOffset now, CancellationToken cancel)
    {
        int port = options().Outbound.PolicyPort;
        Uri uri = new($"https://mta-sts.{domain}{(port == 443 ? "" : string.Create(CultureInfo.InvariantCulture, $":{port}"))}/.well-known/mta-sts.txt");
        HttpsAnswer answer = await https.GetAsync(uri, MaxPolicy, cancel);
        string problem = "";
        StsPolicy? policy = answer is { Status: 200, MediaType: "text/plain" } ? StsPolicy.Parse(answer.Body, out problem) : null;
        if (policy is not null)
        {
            (entry.Policy, entry.Id, entry.Fetched, entry.Trouble, entry.NotBefore) = (policy, id, now, null, now);
            Write(domain, entry, answer.Body);
            log.StsPolicyFetched(domain, id, policy.Mode.ToString());
            return;
        }
        entry.NotBefore = now + AfterFailure;
        entry.Trouble = answer switch
        {
            { IsCertificateFault: true } => new(TlsResult.StsWebPkiInvalid, answer.Problem),
            { Status: 200, MediaType: "text/plain" } => new(TlsResult.StsPolicyInvalid, problem),
            { Status: 200 } => new(TlsResult.StsPolicyInvalid, $"the media type is {answer.MediaType}"),
            { Status: 0 } => new(TlsResult.StsPolicyFetchError, answer.Problem),
            _ => new(TlsResult.StsPolicyFetchError, $"the web server says {answer.Status}"),
        };
        if (entry.Policy is { Mode: StsMode.None }) entry.Trouble = null;
        else log.StsPolicyTrouble(domain, entry.Trouble.Reason, entry.Policy is null ? "none" : "the one that is known");
    }

    // One file for each domain: id and time of fetching in the first line, then the policy as it came.
    private void Read(string domain, Entry entry)
    {
        entry.IsRead = true;
        string text;
        try { text = File.ReadAllText(Path.Combine(folder, domain)); }
        catch (Exception e) when (IsRefused(e))
        {
            if (e is not (FileNotFoundException or DirectoryNotFoundException)) log.StsPolicyTrouble(domain, e.Message, "none from before");
            return;
        }
        string[] parts = text.Split('\n', 2);
        string[] head = parts[0].Split(' ');
        if (parts.Length != 2 || head.Length != 2 || !long.TryParse(head[1], NumberStyles.None, CultureInfo.InvariantCulture, out long fetched) || fetched > Latest) return;
        (entry.Policy, entry.Id, entry.Fetched) = (StsPolicy.Parse(parts[1], out _), head[0], DateTimeOffset.FromUnixTimeSeconds(fetched));
    }

    private void Write(string domain, Entry entry, string text)
    {
        string path = Path.Combine(folder, domain);
        try
        {
            System.IO.Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            File.WriteAllText(path + ".tmp", string.Create(CultureInfo.InvariantCulture, $"{entry.Id} {entry.Fetched.ToUnixTimeSeconds()}\n{text}"));
            File.SetLastWriteTimeUtc(path + ".tmp", entry.Fetched.UtcDateTime);
            File.Move(path + ".tmp", path, overwrite: true);
        }
        catch (Exception e) when (IsRefused(e)) { log.StsPolicyTrouble(domain, e.Message, "kept in memory alone"); }
    }

    private void Delete(string path)
    {
        try { File.Delete(path); }
        catch (Exception e) when (IsRefused(e)) { log.StsPolicyTrouble(Path.GetFileName(path), e.Message, "none, and its file stays"); }
    }

    // A file that somebody else owns is no reason to keep mail back.
    private static bool IsRefused(Exception e) => e is IOException or UnauthorizedAccessException;

    private void Forget()
    {
        foreach (string domain in _entries.Where(entry => entry.Value.Gate.CurrentCount > 0).Take(MaxDomains / 4).Select(entry => entry.Key)) _entries.TryRemove(domain, out _);
    }
}
