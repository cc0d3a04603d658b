using System.Globalization;
using System.Net.Security;
using System.Text;
using Posthorn.Net;

namespace Posthorn.Testing;

/// <summary>One connection of a <see cref="ScriptedPeer"/>.</summary>
internal sealed class ScriptedSession(ScriptedPeer peer, Connection connection, int number)
{
    private const int MaxLine = 100_000;

    private readonly List<string> _to = [];
    private readonly List<byte> _chunks = [];
    private string _from = "";
    private Action? _taking;
    private bool _over;

    public async Task RunAsync(CancellationToken cancel)
    {
        if (peer.IsTlsImplicit) await StartTlsAsync(cancel);
        await AnswerAsync("CONNECT", $"220 {peer.Name} {(peer.IsLmtp ? "LMTP" : "ESMTP")} test", cancel);
        while (!_over)
        {
            InputLine line = await connection.ReadLineAsync(MaxLine, cancel);
            if (line.Status != LineStatus.Complete) return;
            string text = Encoding.UTF8.GetString(line.Bytes.Span);
            peer.Heard(text);
            await CommandAsync(text, cancel);
        }
    }

    private async Task CommandAsync(string line, CancellationToken cancel)
    {
        string verb = line.Split(' ', 2)[0].ToUpperInvariant();
        string rest = line.Contains(':', StringComparison.Ordinal) ? line[(line.IndexOf(':', StringComparison.Ordinal) + 1)..] : "";
        switch (verb)
        {
            case "EHLO" or "LHLO":
                await AnswerAsync(verb, Hello(), cancel);
                break;
            case "MAIL":
                Reset();
                _from = rest;
                await AnswerAsync(verb, "250 2.1.0 Ok", cancel);
                break;
            case "RCPT":
                if (await AnswerAsync(verb, "250 2.1.5 Ok", cancel)) _to.Add(rest);
                break;
            case "DATA":
                await DataAsync(cancel);
                break;
            case "BDAT":
                await ChunkAsync(line.Split(' '), cancel);
                break;
            case "STARTTLS":
                if (await AnswerAsync(verb, "220 2.0.0 Go on", cancel)) await StartTlsAsync(cancel);
                break;
            case "AUTH":
                await AnswerAsync(verb, "235 2.7.0 Ok", cancel);
                break;
            case "RSET":
                Reset();
                await AnswerAsync(verb, "250 2.0.0 Ok", cancel);
                break;
            case "QUIT":
                await AnswerAsync(verb, "221 2.0.0 Bye", cancel);
                _over = true;
                break;
            default:
                await AnswerAsync(verb, "250 2.0.0 Ok", cancel);
                break;
        }
    }

    private async Task DataAsync(CancellationToken cancel)
    {
        if (!await AnswerAsync("DATA", _to.Count > 0 ? "354 Go on" : "503 5.5.1 Need RCPT first", cancel)) return;
        MemoryStream content = new();
        while (true)
        {
            InputLine line = await connection.ReadLineAsync(MaxLine, cancel);
            if (line.Status != LineStatus.Complete)
            {
                _over = true;
                return;
            }
            if (line.Bytes.Span.SequenceEqual("."u8) && !line.EndsInBareLf) break;
            content.Write(line.Bytes.Span.StartsWith("."u8) ? line.Bytes.Span[1..] : line.Bytes.Span);
            content.Write(line.EndsInBareLf ? "\n"u8 : "\r\n"u8);
        }
        await EndAsync(content.ToArray(), cancel);
    }

    private async Task ChunkAsync(string[] words, CancellationToken cancel)
    {
        long left = long.Parse(words[1], CultureInfo.InvariantCulture);
        while (left > 0)
        {
            int there = (int)Math.Min(left, connection.Input.Length);
            _chunks.AddRange(connection.Input.Span[..there]);
            connection.Input.Advance(there);
            left -= there;
            if (left > 0 && !await connection.Input.FillAsync(cancel))
            {
                _over = true;
                return;
            }
        }
        if (words.Length > 2) await EndAsync([.. _chunks], cancel);
        else await AnswerAsync("BDAT", "250 2.0.0 Ok", cancel);
    }

    private async Task EndAsync(byte[] content, CancellationToken cancel)
    {
        // Taken before the client can know it, so that a test that has its answer finds the message.
        _taking = () =>
        {
            _taking = null;
            peer.Took(new(_from, [.. _to], content, number));
        };
        for (int i = 0; i < (peer.IsLmtp ? _to.Count : 1) && !_over; i++) await AnswerAsync(".", "250 2.0.0 Ok: taken", cancel);
        _taking = null;
        Reset();
    }

    private string Hello()
    {
        List<string> lines = [peer.Name, .. peer.Extensions];
        if (peer.Certificate is not null && !connection.IsSecure) lines.Add("STARTTLS");
        return string.Join('\n', lines.Select((line, i) => $"250{(i == lines.Count - 1 ? ' ' : '-')}{line}"));
    }

    private void Reset()
    {
        _to.Clear();
        _chunks.Clear();
    }

    private async Task StartTlsAsync(CancellationToken cancel) =>
        await connection.StartTlsAsync(new SslServerAuthenticationOptions { ServerCertificateContext = SslStreamCertificateContext.Create(peer.Certificate ?? TestCertificate.Shared, peer.Issuers, offline: true) }, cancel);

    // True when the answer was positive and the conversation goes on.
    private async Task<bool> AnswerAsync(string point, string usual, CancellationToken cancel)
    {
        switch (peer.Next(point))
        {
            case null:
                return await SayAsync(usual, cancel);
            case PeerAct.Say say:
                return await SayAsync(say.Reply, cancel);
            case PeerAct.SayAndClose last:
                await SayAsync(last.Reply, cancel);
                _over = true;
                return false;
            case PeerAct.Close:
                _over = true;
                return false;
            case PeerAct.Hang:
                await Task.Delay(Timeout.InfiniteTimeSpan, peer.Time, cancel);
                return false;
            case PeerAct.SayWhen gated:
                gated.Reached.TrySetResult();
                await gated.Go.WaitAsync(cancel);
                return await SayAsync(gated.Reply, cancel);
            case PeerAct.Trickle trickle:
                return await TrickleAsync(trickle, cancel);
            case PeerAct.SendRaw raw:
                _taking?.Invoke();
                connection.Output.Write(raw.Bytes.Span);
                await connection.Output.FlushAsync(cancel);
                return true;
            default:
                return false;
        }
    }

    private async Task<bool> SayAsync(string reply, CancellationToken cancel)
    {
        if (reply[0] == '2') _taking?.Invoke();
        connection.Output.Write(reply.Replace("\n", "\r\n", StringComparison.Ordinal));
        connection.Output.Write("\r\n"u8);
        await connection.Output.FlushAsync(cancel);
        return reply[0] is '2' or '3';
    }

    private async Task<bool> TrickleAsync(PeerAct.Trickle trickle, CancellationToken cancel)
    {
        if (trickle.Reply[0] == '2') _taking?.Invoke();
        foreach (byte octet in Encoding.UTF8.GetBytes(trickle.Reply.Replace("\n", "\r\n", StringComparison.Ordinal) + "\r\n"))
        {
            await Task.Delay(trickle.Pause, peer.Time, cancel);
            connection.Output.Write((ReadOnlySpan<byte>)[octet]);
            await connection.Output.FlushAsync(cancel);
        }
        return trickle.Reply[0] is '2' or '3';
    }
}
