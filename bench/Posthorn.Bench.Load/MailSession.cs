using System.Diagnostics;
using System.Text;

namespace Posthorn.Bench.Load;

/// <summary>SMTP or LMTP, one message after another.</summary>
internal sealed class MailSession : Wire
{
    private enum Wait { Banner, Hello, Mail, Rcpt, Data, Final, Quit }

    private static readonly byte[] Dot = ".\r\n"u8.ToArray();
    private static readonly byte[] Quit = "QUIT\r\n"u8.ToArray();
    private static readonly byte[] Data = "DATA\r\n"u8.ToArray();
    private readonly LoadPlan _plan;
    private readonly Counter _counter;
    private readonly byte[] _hello;
    private readonly byte[] _mail = "MAIL FROM:<load@sender.example>\r\n"u8.ToArray();
    private readonly byte[] _body;
    private Wait _wait;
    private int _number;
    private long _begun;

    internal MailSession(LoadPlan plan, Counter counter)
        : base(plan.Port)
    {
        (_plan, _counter) = (plan, counter);
        _hello = Encoding.ASCII.GetBytes(plan.Kind == LoadKind.Lmtp ? "LHLO client.example\r\n" : "EHLO client.example\r\n");
        _body = [.. plan.Message.With(0), .. Dot];
        _begun = Stopwatch.GetTimestamp();
        _number = counter.Next();
    }

    protected override void Line(ReadOnlySpan<byte> line)
    {
        if (line.Length < 3) throw new IOException($"not a reply: {Encoding.ASCII.GetString(line)}");
        if (line.Length > 3 && line[3] == '-') return;
        byte expected = _wait switch { Wait.Data => (byte)'3', _ => (byte)'2' };
        if (line[0] != expected) throw new IOException($"refused at {_wait}: {Encoding.ASCII.GetString(line)}");
        switch (_wait)
        {
            case Wait.Banner:
                Say(_hello, Wait.Hello);
                break;
            case Wait.Hello:
                NextMessage();
                break;
            case Wait.Mail when _plan.Pipelined:
                _wait = Wait.Rcpt;
                break;
            case Wait.Mail:
                Say(Recipient(), Wait.Rcpt);
                break;
            case Wait.Rcpt when _plan.Pipelined:
                _wait = Wait.Data;
                break;
            case Wait.Rcpt:
                Say(Data, Wait.Data);
                break;
            case Wait.Data:
                LoadMessage.WriteNumber(_body.AsSpan(_plan.Message.NumberAt), _number);
                Say(_body, Wait.Final);
                break;
            case Wait.Final:
                Accepted();
                break;
            case Wait.Quit:
                Reconnect();
                break;
            default:
                throw new UnreachableException();
        }
    }

    private byte[] Recipient() => Encoding.ASCII.GetBytes($"RCPT TO:<{_plan.UserOf(_number)}>\r\n");

    private void Accepted()
    {
        _counter.Finish(_number, _begun);
        _number = _counter.Next();
        if (_plan.Kept && _number >= 0)
        {
            _begun = Stopwatch.GetTimestamp();
            NextMessage();
        }
        else
        {
            Say(Quit, Wait.Quit);
        }
    }

    private void NextMessage() => Say(_plan.Pipelined ? [.. _mail, .. Recipient(), .. Data] : _mail, Wait.Mail);

    private void Reconnect()
    {
        Close(done: _number < 0);
        if (_number < 0) return;
        _begun = Stopwatch.GetTimestamp();
        _wait = Wait.Banner;
        Begin();
    }

    private void Say(byte[] what, Wait next)
    {
        _wait = next;
        Send(what);
    }
}
