using System.Net;
using Microsoft.Extensions.Logging.Abstractions;
using Posthorn.Core;
using Posthorn.Net;
using Posthorn.Testing;
using Posthorn.Transport.Milter;
using Posthorn.Transport.Policy;
using Posthorn.Transport.Remote;
using Posthorn.Transport.Tests.Fakes;

namespace Posthorn.Transport.Tests.Milter;

/// <summary>A transport whose sessions are shown to scripted filters.</summary>
internal sealed class MilterRig : ISmtpConnector, IAsyncDisposable
{
    public const string Mail = "From: eve@example.net\nSubject: one\n folded\nX-Old: a\nX-Old: b\n\ntext\nmore\n";

    private readonly ScriptedMilter[] _filters;
    private SessionPolicy? _policy;
    private Func<MilterOptions, MilterOptions>? _change;

    public MilterRig(Func<MilterOptions, MilterOptions>? change, params ScriptedMilter[] filters) : this(TimeProvider.System, change, filters) { }

    public MilterRig(TimeProvider time, Func<MilterOptions, MilterOptions>? change, params ScriptedMilter[] filters)
    {
        _filters = filters;
        Pool = new(this, time);
        Services = new()
        {
            Hostname = "mail.example.org", Stores = Rig.Stores, Pool = Pool, Time = time, Log = NullLogger.Instance,
            MaxHeaderSize = 20_000, MaxMessageSize = 300_000, IsLocal = domain => domain.Ascii == "example.org", Connections = _ => 3,
        };
        Change(change ?? (options => options));
    }

    /// <summary>Other settings, for sessions that begin from now on.</summary>
    public void Change(Func<MilterOptions, MilterOptions> change)
    {
        _change = _change is { } before ? options => change(before(options)) : change;
        MilterSource[] sources = [.. _filters.Select((_, i) => new MilterSource(_change(new() { Name = $"f{i}", EndPoint = new IPEndPoint(IPAddress.Loopback, 1000 + i), Listeners = ["smtp", "lmtp"] }), Services))];
        Rig.Transport.Checks = new(sources, new(null));
    }

    public TransportRig Rig { get; } = new();
    public MilterPool Pool { get; }
    public MilterServices Services { get; }
    public ClientContext Client { get; set; } = TransportRig.Stranger with { Port = 2525, LocalEndPoint = new IPEndPoint(IPAddress.Parse("192.0.2.1"), 25), Name = new("client.example.net", "client.example.net", false) };

    /// <summary>Says where no filter is to be reached.</summary>
    public bool IsDown { get; set; }

    public int Dialled { get; private set; }

    public ValueTask<ByteChannel> ConnectAsync(EndPoint endPoint, IPAddress? bind, CancellationToken cancel)
    {
        Dialled++;
        return IsDown ? throw new IOException("Connection refused") : new(_filters[((IPEndPoint)endPoint).Port - 1000].Connect());
    }

    /// <summary>A session up to HELO; what was refused.</summary>
    public async Task<SmtpReply?> OpenAsync(bool delays = false)
    {
        if (_policy is not null) await _policy.DisposeAsync();
        _policy = new(Rig.Transport, Rig.Transport.OpenChecks(Client), delays);
        return await _policy.ConnectAsync(default) ?? await _policy.HeloAsync(Client, default);
    }

    public SessionPolicy Policy => _policy!;

    /// <summary>A transaction in the open session, up to its last reply.</summary>
    public Task<SmtpReply> SendAsync(string mail = Mail, string to = "ann@example.org", string from = "eve@example.net") => SendAsync(Policy, mail, to, from);

    public async Task<SmtpReply> SendAsync(SessionPolicy policy, string mail = Mail, string to = "ann@example.org", string from = "eve@example.net")
    {
        Envelope envelope = Rig.Envelope(Client, from);
        SmtpReply reply = await policy.SenderAsync(envelope, default);
        if (reply.IsPositive)
        {
            foreach (string address in to.Split(' '))
            {
                EnvelopeRecipient recipient = new(EmailAddress.Parse(address), DsnNotify.Unspecified, null);
                reply = await policy.RecipientAsync(envelope, recipient, default);
                if (reply.IsPositive) envelope.Recipients.Add(recipient);
            }
            if (envelope.Recipients.Count > 0) reply = await policy.DataAsync(envelope, default) ?? (await Rig.SendAsync(envelope, mail)).Overall;
        }
        await policy.EndAsync(default);
        return reply;
    }

    /// <summary>Opens a session, sends one message, closes it.</summary>
    public async Task<SmtpReply> SendOneAsync(string mail = Mail, string to = "ann@example.org", string from = "eve@example.net")
    {
        SmtpReply? refusal = await OpenAsync();
        SmtpReply reply = refusal ?? await SendAsync(mail, to, from);
        await CloseAsync();
        return reply;
    }

    public async Task CloseAsync()
    {
        if (_policy is not null) await _policy.DisposeAsync();
        _policy = null;
    }

    /// <summary>Closes the session and all connections to filters, which then have heard everything.</summary>
    public async Task EndAsync()
    {
        await CloseAsync();
        await Pool.DisposeAsync();
        foreach (ScriptedMilter filter in _filters) await filter.SettledAsync();
    }

    /// <summary>The only message of an account, without our own lines.</summary>
    public async Task<string> OnlyAsync(MailAccount? account = null)
    {
        string mail = Assert.Single(await Rig.MailAsync(account ?? Rig.Ann)).ReplaceLineEndings("\n");
        int end = mail.IndexOf('\n', mail.IndexOf(";\n", mail.IndexOf("Received: ", StringComparison.Ordinal), StringComparison.Ordinal) + 2);
        return mail[(end + 1)..];
    }

    public async ValueTask DisposeAsync()
    {
        await CloseAsync();
        await Pool.DisposeAsync();
        foreach (ScriptedMilter filter in _filters) await filter.DisposeAsync();
        Rig.Dispose();
    }
}
