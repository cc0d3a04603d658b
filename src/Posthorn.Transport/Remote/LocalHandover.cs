using System.Globalization;
using System.Net;
using System.Text;
using Posthorn.Core;
using Posthorn.Net;

namespace Posthorn.Transport.Remote;

/// <summary>Hands one message over to the running server of this machine by SMTP: what <c>sendmail</c> does.</summary>
/// <remarks>A fault of the connection comes back as a temporary reply in our own words, as from any other server.</remarks>
public sealed class LocalHandover : IAsyncDisposable
{
    private readonly SmtpClientSession _session;

    private LocalHandover(SmtpClientSession session) => _session = session;

    /// <summary>Connects and says hello.</summary>
    /// <returns>The connection, or why there is none.</returns>
    public static async ValueTask<(LocalHandover? Handover, SmtpReply Reply)> OpenAsync(ISmtpConnector connector, EndPoint server, string helo, TimeProvider time, CancellationToken cancel)
    {
        ByteChannel channel;
        try { channel = await connector.ConnectAsync(server, null, cancel); }
        catch (IOException e) { return (null, new(450, "4.4.1", $"No mail server answers at {server}: {e.Message}")); }
        SmtpClientSession session = new(new Connection(channel, new("sendmail"), time), server.ToString() ?? "the server", isLmtp: false, new());
        SmtpReply reply = await session.GreetingAsync(cancel);
        if (reply.IsPositive) reply = await session.HelloAsync(helo, cancel);
        if (reply.IsPositive) return (new(session), reply);
        await session.DisposeAsync();
        return (null, reply);
    }

    /// <summary>Begins the message.</summary>
    public ValueTask<SmtpReply> BeginAsync(string from, DsnReturn wanted, string? envelopeId, bool needsUtf8, CancellationToken cancel)
    {
        StringBuilder command = new($"MAIL FROM:<{from}>");
        if (_session.Features.EightBitMime) command.Append(" BODY=8BITMIME");
        if (needsUtf8 && _session.Features.SmtpUtf8) command.Append(" SMTPUTF8");
        if (_session.Features.Dsn && wanted != DsnReturn.Unspecified) command.Append(wanted == DsnReturn.Full ? " RET=FULL" : " RET=HDRS");
        if (_session.Features.Dsn && envelopeId is not null) command.Append(" ENVID=").Append(Xtext.Encode(envelopeId));
        return _session.CommandAsync(command.ToString(), cancel);
    }

    /// <summary>Adds a recipient, as it is written: the server completes bare names.</summary>
    public ValueTask<SmtpReply> AddAsync(string recipient, DsnNotify notify, CancellationToken cancel)
    {
        string words = _session.Features.Dsn ? DsnWords.Notify(notify) : "";
        return _session.CommandAsync(string.Create(CultureInfo.InvariantCulture, $"RCPT TO:<{recipient}>{(words.Length > 0 ? " NOTIFY=" : "")}{words}"), cancel);
    }

    /// <summary>Sends the content, as it comes: lines end with LF or CRLF.</summary>
    public async ValueTask<SmtpReply> SendAsync(IAsyncEnumerable<ReadOnlyMemory<byte>> content, CancellationToken cancel)
    {
        SmtpReply start = await _session.CommandAsync("DATA", cancel, intermediate: 354);
        if (start.Code != 354) return start.IsPositive ? _session.Broken("4.5.0", $"The server answered DATA with {start.Code}") : start;
        DataWriter writer = new(_session.Connection.Output);
        await foreach (ReadOnlyMemory<byte> piece in content.WithCancellation(cancel))
        {
            writer.Write(piece.Span);
            if (!_session.Connection.Output.IsLarge) continue;
            _session.Connection.SetDeadline(_session.Timeouts.DataBlock);
            if (await _session.FlushAsync(cancel) is { } lost) return lost;
        }
        writer.Finish();
        return await _session.FlushAsync(cancel) ?? await _session.ReadAsync("the message", _session.Timeouts.DataEnd, cancel);
    }

    /// <summary>Gives the message up.</summary>
    public ValueTask<SmtpReply> ResetAsync(CancellationToken cancel) => _session.CommandAsync("RSET", cancel);

    /// <summary>Says goodbye.</summary>
    public ValueTask QuitAsync(CancellationToken cancel) => _session.QuitAsync(cancel);

    public ValueTask DisposeAsync() => _session.DisposeAsync();
}
