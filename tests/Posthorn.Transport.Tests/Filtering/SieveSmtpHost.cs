using System.Globalization;
using Microsoft.Extensions.Logging.Abstractions;
using Posthorn.Core;
using Posthorn.Net;
using Posthorn.Smtp;
using Posthorn.Testing;
using Posthorn.Testing.Time;

namespace Posthorn.Transport.Tests.Filtering;

/// <summary>An SMTP or LMTP server over the real transport, whose accounts have scripts: for transcripts of what scripts refuse.</summary>
/// <remarks><c>given role lmtp</c>, <c>given script ann TEXT</c>, <c>given mail ann 1</c> (messages in INBOX), <c>given queued 1</c> (messages in the queue).</remarks>
internal sealed class SieveSmtpHost : ITranscriptHost
{
    private readonly WatchedTime _time = new(new DateTimeOffset(2026, 11, 23, 0, 0, 0, TimeSpan.Zero));
    private readonly SieveRig _rig = new();
    private readonly ConnectionSet _set;
    private readonly List<(Connection Connection, Task Session)> _sessions = [];
    private ListenerRole _role = ListenerRole.Mx;

    public SieveSmtpHost() => _set = new(_time);

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
        (MemoryChannel client, MemoryChannel channel) = MemoryChannel.Pair(serverReads, 1024 * 1024);
        SmtpOptions options = new() { Hostname = DomainName.Create("mx.example.org"), DefaultDomain = DomainName.Create("example.org"), AnnounceLimits = false };
        SmtpServer server = new(new("smtp", _role, TlsMode.None), options, new(_rig.Rig.Transport, _rig.Rig.Directory, null, _time, NullLogger.Instance));
        Connection connection = new(channel, new("s1"), _time);
        _set.Add(connection);
        _sessions.Add((connection, ServeAsync(server, connection)));
        return client;
    }

    public async ValueTask PassTimeAsync(int connection)
    {
        while (_sessions[connection - 1].Connection.Stopped == StopReason.None && !_sessions[connection - 1].Session.IsCompleted)
        {
            _time.Advance(TimeSpan.FromSeconds(5));
            await Task.Yield();
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach ((Connection connection, _) in _sessions) connection.Abort();
        await Task.WhenAll(_sessions.Select(one => one.Session)).WaitAsync(TimeSpan.FromSeconds(60));
        await _set.DisposeAsync();
        _rig.Dispose();
    }

    private async Task ServeAsync(SmtpServer server, Connection connection)
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        await using (connection)
        {
            try { await server.ServeAsync(connection, CancellationToken.None); }
            finally { _set.Remove(connection); }
        }
    }
}
