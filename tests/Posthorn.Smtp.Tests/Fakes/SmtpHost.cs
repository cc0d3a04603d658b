using System.Globalization;
using System.Net;
using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using Posthorn.Core;
using Posthorn.Net;
using Posthorn.Testing;
using Posthorn.Testing.Time;
using Posthorn.Transport;

namespace Posthorn.Smtp.Tests.Fakes;

/// <summary>A server over memory channels, for transcripts and tests in code. Port 25 unless it is told otherwise.</summary>
internal sealed class SmtpHost : ITranscriptHost
{
    private readonly List<Task> _sessions = [];
    private readonly List<Connection> _connections = [];
    private readonly ConnectionSet _set;
    private readonly SmtpRates _rates;
    private SmtpServer? _server;

    public SmtpHost()
    {
        (_set, _rates) = (new(Time), new(Time));
    }

    public WatchedTime Time { get; } = new(new DateTimeOffset(2026, 11, 23, 0, 0, 0, TimeSpan.Zero));
    public FakeTransport Transport { get; } = new();
    public FakeDirectory Directory { get; } = new();
    public ListenerRole Role { get; set; } = ListenerRole.Mx;
    public TlsMode Tls { get; set; } = TlsMode.StartTls;
    public TlsIdentity? Identity { get; set; }
    public Microsoft.Extensions.Logging.ILogger Log { get; set; } = NullLogger.Instance;

    public SmtpOptions Options { get; set; } = new()
    {
        Hostname = DomainName.Create("mx.example.org"),
        DefaultDomain = DomainName.Create("example.org"),
        AuthFailureDelay = TimeSpan.Zero,
        AnnounceLimits = false,
        BinaryMime = false,
        FutureRelease = TimeSpan.Zero,
        ShortestDeliverBy = null,
        ForbidEarlyTalk = false,
        Tarpit = TimeSpan.Zero,
    };

    public IReadOnlyList<Task> Sessions => _sessions;
    public IReadOnlyList<Connection> Connections => _connections;

    public ValueTask GivenAsync(string text)
    {
        string[] words = text.Split(' ', 2);
        string rest = words.Length > 1 ? words[1] : "";
        switch (words[0])
        {
            case "role":
                Role = Enum.Parse<ListenerRole>(rest, ignoreCase: true);
                break;
            case "trusted":
                Options = Options with { TrustedNetworks = [IPNetwork.Parse("192.0.2.0/24")] };
                break;
            case "limit":
                SetLimit(rest.Split(' '));
                break;
            case "on":
                Options = SwitchOn(rest);
                break;
            case "message":
                Assert.NotEmpty(Transport.Taken);
                Assert.Equal(rest, Escape(Transport.Taken[^1].Content));
                break;
            case "envelope":
                Assert.NotEmpty(Transport.Taken);
                Assert.Equal(rest, Describe(Transport.Taken[^1].Envelope));
                break;
            case "messages":
                Assert.Equal(int.Parse(rest, CultureInfo.InvariantCulture), Transport.Taken.Count);
                Assert.Equal(0, Transport.OpenIntakes);
                break;
            case "writes":
                Transport.FailWritesAfter = int.Parse(rest, CultureInfo.InvariantCulture);
                break;
            case "time":
                return PassTimeAsync(int.Parse(rest, CultureInfo.InvariantCulture));
            case "seconds":
                Time.Advance(TimeSpan.FromSeconds(int.Parse(rest, CultureInfo.InvariantCulture)));
                break;
            case "passwords":
                Directory.Passwords++;
                _set.Review();
                break;
            case "shutdown":
                foreach (Connection connection in _connections) connection.Stop(StopReason.Shutdown);
                break;
            default:
                throw new FormatException($"given what? {text}");
        }
        return ValueTask.CompletedTask;
    }

    public MemoryChannel Connect(ReadSplit serverReads) => Connect(serverReads, 1024 * 1024);

    public MemoryChannel Connect(ReadSplit serverReads, int window)
    {
        (MemoryChannel client, MemoryChannel server) = MemoryChannel.Pair(serverReads, window);
        _server ??= new(new("smtp", Role, Tls), Options, new(Transport, Directory, Identity, Time, Log) { Rates = _rates });
        Connection connection = new(server, new("s1"), Time);
        _set.Add(connection);
        _connections.Add(connection);
        _sessions.Add(ServeAsync(connection));
        return client;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (Connection connection in _connections) connection.Abort();
        await Task.WhenAll(_sessions).WaitAsync(TimeSpan.FromSeconds(60));
        await _set.DisposeAsync();
        Assert.Equal(0, Transport.OpenIntakes);
    }

    /// <summary>Lets the clock run until the server has given a connection up.</summary>
    public async ValueTask PassTimeAsync(int connection)
    {
        while (_connections[connection - 1].Stopped == StopReason.None && !_sessions[connection - 1].IsCompleted)
        {
            Time.Advance(TimeSpan.FromSeconds(5));
            await Task.Yield();
        }
    }

    /// <summary>Lets the clock run until a session is over: for a peer that takes nothing any more, not even a goodbye.</summary>
    public async ValueTask PassTimeToTheEndAsync(int connection)
    {
        while (!_sessions[connection - 1].IsCompleted)
        {
            Time.Advance(TimeSpan.FromSeconds(5));
            await Task.Yield();
        }
    }

    private async Task ServeAsync(Connection connection)
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        await using (connection)
        {
            // What the listener does for implicit TLS.
            if (Tls == TlsMode.Implicit) await connection.StartTlsAsync(Identity!, CancellationToken.None);
            try { await _server!.ServeAsync(connection, CancellationToken.None); }
            finally { _set.Remove(connection); }
        }
    }

    private void SetLimit(string[] words)
    {
        int value = int.Parse(words[1], CultureInfo.InvariantCulture);
        if (words[0] == "size") Transport.MaxMessageSize = value;
        else
        {
            Options = words[0] switch
            {
                "recipients" => Options with { MaxRecipients = value },
                "refused" => Options with { MaxRefusedRecipients = value },
                "transactions" => Options with { MaxTransactions = value },
                "errors" => Options with { MaxErrors = value },
                "idle" => Options with { MaxIdleCommands = value },
                "line" => Options with { MaxCommandLine = value },
                "auth-line" => Options with { MaxAuthLine = value },
                "text-line" => Options with { MaxTextLine = value },
                "messages-in-time" => Options with { MessageRate = new(value, TimeSpan.FromMinutes(1)) },
                "recipients-in-time" => Options with { RecipientRate = new(value, TimeSpan.FromMinutes(1)) },
                "errors-in-time" => Options with { ErrorRate = new(value, TimeSpan.FromMinutes(1)) },
                "tarpit-after" => Options with { TarpitAfter = value, Tarpit = TimeSpan.FromSeconds(1) },
                "logins" => Options with { MaxAuthAttempts = value },
                _ => throw new FormatException($"limit what? {words[0]}"),
            };
        }
    }

    private SmtpOptions SwitchOn(string name) => name switch
    {
        "auth-on-mx" => Options with { AuthOnMx = true },
        "broken-auth-line" => Options with { BrokenAuthLine = true },
        "binary" => Options with { BinaryMime = true },
        "future" => Options with { FutureRelease = TimeSpan.FromDays(1) },
        "deliver-by" => Options with { ShortestDeliverBy = TimeSpan.FromSeconds(30) },
        "early-talk-check" => Options with { ForbidEarlyTalk = true },
        "xclient" => Options with { XClientNetworks = [IPNetwork.Parse("192.0.2.0/24")] },
        "xforward" => Options with { XForwardNetworks = [IPNetwork.Parse("192.0.2.0/24")] },
        "relay-from-198" => Options with { TrustedNetworks = [IPNetwork.Parse("198.51.100.0/24")] },
        "limits" => Options with { AnnounceLimits = true },
        "early-sender-refusal" => Options with { DelaySenderRefusal = false },
        _ => throw new FormatException($"switch what on? {name}"),
    };

    private static string Escape(byte[] content)
    {
        StringBuilder text = new();
        foreach (byte b in content)
        {
            text.Append(b switch
            {
                (byte)'\r' => "\\r",
                (byte)'\n' => "\\n",
                (byte)'\\' => "\\\\",
                0 => "\\0",
                >= 32 and < 127 => ((char)b).ToString(),
                _ => $"\\x{b:X2}",
            });
        }
        return text.ToString();
    }

    private static string Describe(Envelope envelope)
    {
        StringBuilder text = new();
        text.Append(CultureInfo.InvariantCulture, $"<{envelope.From}>");
        foreach (EnvelopeRecipient to in envelope.Recipients)
        {
            text.Append(CultureInfo.InvariantCulture, $" <{to.Address}>");
            if (to.Notify != DsnNotify.Unspecified) text.Append(CultureInfo.InvariantCulture, $" notify={to.Notify.ToString().Replace(", ", "+", StringComparison.Ordinal)}");
            if (to.OriginalRecipient is not null) text.Append(CultureInfo.InvariantCulture, $" orcpt={to.OriginalRecipient}");
        }
        if (envelope.Body != BodyType.SevenBit) text.Append(CultureInfo.InvariantCulture, $" body={envelope.Body}");
        if (envelope.SmtpUtf8) text.Append(" utf8");
        if (envelope.RequiresTls) text.Append(" requiretls");
        if (envelope.ReleaseAt is { } release) text.Append(CultureInfo.InvariantCulture, $" release={release:yyyy-MM-dd'T'HH:mm:ss}");
        if (envelope.By is { } by) text.Append(CultureInfo.InvariantCulture, $" by={by.Time:yyyy-MM-dd'T'HH:mm:ss};{(by.Return ? "R" : "N")}{(by.Trace ? "T" : "")}");
        if (envelope.Return != DsnReturn.Unspecified) text.Append(CultureInfo.InvariantCulture, $" ret={envelope.Return}");
        if (envelope.EnvelopeId is not null) text.Append(CultureInfo.InvariantCulture, $" envid={envelope.EnvelopeId}");
        if (envelope.DeclaredSize is not null) text.Append(CultureInfo.InvariantCulture, $" size={envelope.DeclaredSize}");
        text.Append(CultureInfo.InvariantCulture, $" helo={envelope.Client.Helo}");
        if (!envelope.Client.Address.Equals(IPAddress.Parse("192.0.2.10"))) text.Append(CultureInfo.InvariantCulture, $" client={envelope.Client.Name?.Verified ?? (envelope.Client.Name is null ? "" : "unknown")}[{envelope.Client.Address}]:{envelope.Client.Port} at {envelope.Client.LocalEndPoint}");
        if (envelope.Client.Account is not null) text.Append(CultureInfo.InvariantCulture, $" as={envelope.Client.Account}");
        return text.ToString();
    }
}
