using System.Globalization;
using System.Net;
using Microsoft.Extensions.Logging.Abstractions;
using Posthorn.Core;
using Posthorn.Directory.Lookups;
using Posthorn.Net;
using Posthorn.Smtp;
using Posthorn.Testing;
using Posthorn.Transport.Policy;
using Posthorn.Transport.Policy.Rules;
using Posthorn.Transport.Tests.Fakes;

namespace Posthorn.Transport.Tests.Policy;

/// <summary>A server over the real transport with rules, for transcripts.</summary>
/// <remarks>
/// <c>given rule TEXT</c> (see <see cref="RuleText"/>), <c>given role submission</c>, <c>given client ADDRESS</c>, <c>given name ADDRESS NAME</c> (both ways), <c>given listed NAME ADDRESS</c>,
/// <c>given table NAME TYPE LINE|LINE</c>, <c>given no-table NAME</c> (its file is gone before it was ever read), <c>given broken NAME</c>, <c>given trusted</c>, <c>given xclient</c>, <c>given at-once</c> (early refusals are not kept for RCPT);
/// <c>given mail ann 1</c>, <c>given first ann FIELD</c> (the first field above Received of the last message), <c>given held 1</c>, <c>given queued 1</c> (not held).
/// </remarks>
internal sealed class PolicyHost : ITranscriptHost
{
    private readonly TransportRig _rig = new();
    private readonly SmtpSessions _sessions = new();
    private readonly List<Rule> _rules = [];
    private readonly FakeDns _dns = new();
    private readonly TemporaryFolder _folder = new();
    private readonly Dictionary<string, LookupSource> _tables = [];
    private ListenerRole _role = ListenerRole.Mx;
    private string _client = "192.0.2.10";

    private SmtpOptions _options = new()
    {
        Hostname = DomainName.Create("mx.example.org"), DefaultDomain = DomainName.Create("example.org"), AnnounceLimits = false, BinaryMime = false, FutureRelease = TimeSpan.Zero, ShortestDeliverBy = null,
    };

    public async ValueTask GivenAsync(string text)
    {
        string[] words = text.Split(' ', 3);
        MailAccount account = words.Length > 1 && words[1] == "bob" ? _rig.Bob : _rig.Ann;
        switch (words[0])
        {
            case "rule": _rules.Add(RuleText.Read(text[5..], _rules.Count + 1)); break;
            case "role": _role = Enum.Parse<ListenerRole>(words[1], ignoreCase: true); break;
            case "client": _client = words[1]; break;
            case "trusted": _options = _options with { TrustedNetworks = [IPNetwork.Parse("192.0.2.0/24")] }; break;
            case "xclient": _options = _options with { XClientNetworks = [IPNetwork.Parse("192.0.2.0/24")] }; break;
            case "at-once": _options = _options with { DelaySenderRefusal = false }; break;
            case "name":
                _dns.Names[IPAddress.Parse(words[1])] = [words[2]];
                _dns.Hosts[words[2]] = [IPAddress.Parse(words[1])];
                break;
            case "listed": _dns.Hosts[words[1]] = [IPAddress.Parse(words[2])]; break;
            case "table":
                string[] parts = words[2].Split(' ', 2);
                _tables[words[1]] = new(Enum.Parse<LookupType>(parts[0], ignoreCase: true), _folder.Write(words[1], parts[1].Replace('|', '\n') + "\n"));
                break;
            case "no-table": _tables[words[1]] = new(LookupType.Hash, Path.Combine(_folder.Path, "nowhere", words[1])); break;
            case "broken": _dns.Broken.Add(words[1]); break;
            case "mail": Assert.Equal(int.Parse(words[2], CultureInfo.InvariantCulture), (await _rig.MailAsync(account)).Count); break;
            case "first": Assert.Equal(words[2], (await _rig.MailAsync(account))[^1].Split("\r\n")[2]); break;
            case "held": Assert.Equal(int.Parse(words[1], CultureInfo.InvariantCulture), _rig.Queued.Count(entry => entry.IsHeld)); break;
            case "queued": Assert.Equal(int.Parse(words[1], CultureInfo.InvariantCulture), _rig.Queued.Count(entry => !entry.IsHeld)); break;
            default: throw new FormatException($"given what? {text}");
        }
    }

    public MemoryChannel Connect(ReadSplit serverReads)
    {
        _rig.Transport.Checks = new([new RuleSet(_rules, new(_rig.Directory, _dns) { Tables = new(new() { Tables = _tables }, TimeProvider.System, NullLogger.Instance) })], new(_dns));
        string listener = _role switch { ListenerRole.Mx => "smtp", ListenerRole.Lmtp => "lmtp", _ => "submission" };
        return _sessions.Connect(new(new(listener, _role, TlsMode.None), _options, new(_rig.Transport, _rig.Directory, null, _sessions.Time, NullLogger.Instance)), serverReads, _client);
    }

    public ValueTask PassTimeAsync(int connection) => _sessions.PassTimeAsync(connection);

    public async ValueTask DisposeAsync()
    {
        await _sessions.DisposeAsync();
        _rig.Dispose();
        _folder.Dispose();
    }
}
