using System.Globalization;
using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using Posthorn.Core;
using Posthorn.Net;
using Posthorn.Smtp;
using Posthorn.Testing;
using Posthorn.Testing.Time;
using Posthorn.Transport.Milter;

namespace Posthorn.Transport.Tests.Milter;

/// <summary>An SMTP or LMTP server over the real transport with a scripted filter before it: for transcripts of what its clients hear.</summary>
/// <remarks>
/// <c>given role lmtp</c>, <c>given fallback quarantine</c>, <c>given filter R y 550 5.7.1 no</c> (what it says at a command; several lines for several times; the last stays), <c>given filter E hang</c>,
/// <c>given heard CHMRTLLNBE</c> (the commands that it heard), <c>given mail ann 1</c>, <c>given held 1</c>.
/// </remarks>
internal sealed class MilterSmtpHost : ITranscriptHost
{
    private readonly WatchedTime _time = new(new DateTimeOffset(2026, 11, 23, 0, 0, 0, TimeSpan.Zero));
    private readonly ScriptedMilter _filter;
    private readonly MilterRig _rig;
    private readonly ConnectionSet _set;
    private readonly List<(Connection Connection, Task Session)> _sessions = [];
    private MilterFallback _fallback;
    private ListenerRole _role = ListenerRole.Mx;

    /// <param name="split">How the filter's answers reach the server.</param>
    public MilterSmtpHost(ReadSplit split)
    {
        _set = new(_time);
        _filter = new() { Pieces = split };
        _rig = new(options => options with { Fallback = _fallback, CommandTimeout = TimeSpan.FromMilliseconds(50), ContentTimeout = TimeSpan.FromMilliseconds(50), Listeners = ["smtp"] }, _filter);
    }

    public async ValueTask GivenAsync(string text)
    {
        string[] words = text.Split(' ', 4);
        switch (words[0])
        {
            case "role": _role = Enum.Parse<ListenerRole>(words[1], ignoreCase: true); break;
            case "fallback": _rig.Change(options => options with { Fallback = _fallback = Enum.Parse<MilterFallback>(words[1], ignoreCase: true) }); break;
            case "filter": _filter.At(words[1][0], ActOf(words[2], words.Length > 3 ? words[3] : null)); break;
            case "heard": Assert.Equal(words[1], string.Concat(_filter.Heard.Select(word => word[0])).Replace("O", "", StringComparison.Ordinal)); break;
            case "mail": Assert.Equal(int.Parse(words[2], CultureInfo.InvariantCulture), (await _rig.Rig.MailAsync(words[1] == "bob" ? _rig.Rig.Bob : _rig.Rig.Ann)).Count); break;
            case "held": Assert.Equal(int.Parse(words[1], CultureInfo.InvariantCulture), _rig.Rig.Queued.Count(entry => entry.IsHeld)); break;
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

    public async ValueTask DisposeAsync()
    {
        foreach ((Connection connection, _) in _sessions) connection.Abort();
        await Task.WhenAll(_sessions.Select(one => one.Session)).WaitAsync(TimeSpan.FromSeconds(60));
        await _set.DisposeAsync();
        await _rig.DisposeAsync();
    }

    private static MilterAct ActOf(string word, string? text) => word switch
    {
        "hang" => new MilterAct.Hang(),
        "close" => new MilterAct.Close(),
        "nonsense" => new MilterAct.Raw([0, 0, 0, 0]),
        _ => new MilterAct.Say((word[0], text is null ? [] : [.. Encoding.Latin1.GetBytes(text), 0])),
    };

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
