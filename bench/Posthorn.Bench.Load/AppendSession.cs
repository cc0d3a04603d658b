using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace Posthorn.Bench.Load;

/// <summary>IMAP APPEND over one connection: one by one with synchronising literals, or many under way.</summary>
internal sealed class AppendSession : Wire
{
    private static readonly byte[] LineEnd = "\r\n"u8.ToArray();
    private readonly LoadPlan _plan;
    private readonly Counter _counter;
    private readonly byte[] _literal;
    private readonly Queue<(int Number, long Begun)> _underWay = [];
    private bool _loggedIn;
    private bool _leaving;
    private bool _sawBanner;

    internal AppendSession(LoadPlan plan, Counter counter)
        : base(plan.Port)
    {
        (_plan, _counter) = (plan, counter);
        _literal = [.. plan.Message.With(0), .. LineEnd];
    }

    protected override void Line(ReadOnlySpan<byte> line)
    {
        if (!_sawBanner)
        {
            _sawBanner = true;
            Send(Ascii($"L LOGIN {_plan.UserOf(0)} {_plan.Password}\r\n"));
        }
        else if (line.StartsWith("+ "u8) || line.SequenceEqual("+"u8))
        {
            LoadMessage.WriteNumber(_literal.AsSpan(_plan.Message.NumberAt), _underWay.Peek().Number);
            Send(_literal);
        }
        else if (!line.StartsWith("* "u8))
        {
            Tagged(line);
        }
    }

    protected override void Ended()
    {
        if (!_leaving) base.Ended();
        Close(done: true);
    }

    private void Tagged(ReadOnlySpan<byte> line)
    {
        int space = line.IndexOf((byte)' ');
        if (space < 0 || !line[(space + 1)..].StartsWith("OK"u8)) throw new IOException($"refused: {Encoding.ASCII.GetString(line)}");
        if (_leaving)
        {
            Close(done: true);
            return;
        }

        if (_loggedIn)
        {
            (int number, long begun) = _underWay.Dequeue();
            if (!int.TryParse(line[1..space], NumberStyles.None, CultureInfo.InvariantCulture, out int tag) || tag != number) throw new IOException($"not the answer to A{number}: {Encoding.ASCII.GetString(line)}");
            _counter.Finish(number, begun);
        }

        _loggedIn = true;
        if (_plan.Window > 1)
        {
            Refill();
        }
        else if (_counter.Next() is >= 0 and int next)
        {
            _underWay.Enqueue((next, Stopwatch.GetTimestamp()));
            Send(Ascii($"A{next} APPEND {_plan.Mailbox} {{{_plan.Message.Length}}}\r\n"));
        }

        if (_underWay.Count > 0) return;
        _leaving = true;
        Send(Ascii("Z LOGOUT\r\n"));
    }

    // Half a window at a time: a write for each APPEND would cost the driver more than the server.
    private void Refill()
    {
        if (_underWay.Count > _plan.Window / 2) return;
        using MemoryStream batch = new(_plan.Window * (_plan.Message.Length + 64));
        while (_underWay.Count < _plan.Window && _counter.Next() is >= 0 and int next)
        {
            batch.Write(Ascii($"A{next} APPEND {_plan.Mailbox} {{{_plan.Message.Length}+}}\r\n"));
            LoadMessage.WriteNumber(_literal.AsSpan(_plan.Message.NumberAt), next);
            batch.Write(_literal);
            _underWay.Enqueue((next, Stopwatch.GetTimestamp()));
        }

        if (batch.Length > 0) Send(batch.ToArray());
    }

    private static byte[] Ascii(string text) => Encoding.ASCII.GetBytes(text);
}
