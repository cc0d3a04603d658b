using System.Globalization;
using Microsoft.Extensions.Logging.Abstractions;
using Posthorn.Core;
using Posthorn.Net;
using Posthorn.Smtp;
using Posthorn.Testing;
using Posthorn.Transport.Tests.Fakes;

namespace Posthorn.Transport.Tests.Filtering;

/// <summary>An SMTP or LMTP server over the real transport, whose accounts have scripts: for transcripts of what scripts refuse.</summary>
/// <remarks><c>given role lmtp</c>, <c>given script ann TEXT</c>, <c>given mail ann 1</c> (messages in INBOX), <c>given queued 1</c> (messages in the queue).</remarks>
internal sealed class SieveSmtpHost : ITranscriptHost
{
    private readonly SieveRig _rig = new();
    private readonly SmtpSessions _sessions = new();
    private ListenerRole _role = ListenerRole.Mx;

    public async ValueTask GivenAsync(string text)
    {
        string[] words = text.Split(' ', 3);
        MailAccount account = words[1] == "bob" ? _rig.Bob : _rig.Ann;
        switch (words[0])
        {
            case "role": _role = Enum.Parse<ListenerRole>(words[1], ignoreCase: true); break;
            case "script": await _rig.ScriptAsync(account, words[2]); break;
            case "mail": Assert.Equal(int.Parse(words[2], CultureInfo.InvariantCulture), (await _rig.Rig.MailAsync(account)).Count); break;
            case "queued": Assert.Equal(int.Parse(words[1], CultureInfo.InvariantCulture), _rig.Queued.Count); break;
            default: throw new FormatException($"given what? {text}");
        }
    }

    public MemoryChannel Connect(ReadSplit serverReads)
    {
        SmtpOptions options = new() { Hostname = DomainName.Create("mx.example.org"), DefaultDomain = DomainName.Create("example.org"), AnnounceLimits = false };
        return _sessions.Connect(new(new("smtp", _role, TlsMode.None), options, new(_rig.Rig.Transport, _rig.Rig.Directory, null, _sessions.Time, NullLogger.Instance)), serverReads);
    }

    public ValueTask PassTimeAsync(int connection) => _sessions.PassTimeAsync(connection);

    public async ValueTask DisposeAsync()
    {
        await _sessions.DisposeAsync();
        _rig.Dispose();
    }
}
