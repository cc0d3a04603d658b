using System.Globalization;
using System.Text;

namespace Posthorn.Kills;

/// <summary>Sends by SMTP, to one account or both, and to the other server.</summary>
internal sealed class SmtpWorker(Load load, int number, bool relays)
{
    private readonly Random _random = load.RandomFor(number);

    /// <summary>One connection with some messages.</summary>
    public async Task WorkAsync()
    {
        await using RawClient wire = await RawClient.ConnectAsync(load.Port("smtp"));
        await ExpectAsync(wire, "220");
        await wire.SendAsync("EHLO load.elsewhere.example\r\n");
        await ExpectAsync(wire, "250");
        for (int left = _random.Next(1, 20); left > 0 && !load.IsEnding; left--)
        {
            if (relays) await RelayAsync(wire);
            else await DeliverAsync(wire);
        }
    }

    private async Task DeliverAsync(RawClient wire)
    {
        IReadOnlyList<AccountLedger> all = load.Ledger.Accounts;
        IReadOnlyList<AccountLedger> to = _random.Next(3) == 0 ? all : [all[_random.Next(all.Count)]];
        (long id, byte[] bytes) = load.Ledger.NewLetter(load.Seed, to[0].Account.Address);
        foreach (AccountLedger account in to) account.Expect(id);
        await SendAsync(wire, bytes, [.. to.Select(a => a.Account.Address)],
            () => { foreach (AccountLedger account in to) account.Acknowledge(id); },
            () => { foreach (AccountLedger account in to) account.Withdraw(id); });
    }

    private async Task RelayAsync(RawClient wire)
    {
        string[] to = _random.Next(3) == 0 ? ["a@sink.example", "b@other.example", "c@sink.example"] : ["a@sink.example"];
        (long id, byte[] bytes) = load.Ledger.NewLetter(load.Seed, to[0]);
        load.Sink.Expect(id, to);
        await SendAsync(wire, bytes, to, () => load.Sink.Acknowledge(id, to), () => load.Sink.Withdraw(id, to));
        await Task.Delay(_random.Next(40)); // the other server is this program too, and the queue is not what is measured
    }

    private async Task SendAsync(RawClient wire, byte[] letter, string[] to, Action acknowledge, Action withdraw)
    {
        bool wholeSent = false, answered = false;
        try
        {
            StringBuilder head = new("MAIL FROM:<kill@elsewhere.example>\r\n");
            foreach (string recipient in to) head.Append(CultureInfo.InvariantCulture, $"RCPT TO:<{recipient}>\r\n");
            bool chunked = _random.Next(5) == 0;
            head.Append(chunked ? string.Create(CultureInfo.InvariantCulture, $"BDAT {letter.Length} LAST\r\n") : "DATA\r\n");
            await wire.SendAsync(head.ToString());
            byte[] body = chunked ? letter : Letter.Transparent(letter);
            if (!chunked)
            {
                for (int i = 0; i <= to.Length; i++) await ExpectAsync(wire, "250");
                await ExpectAsync(wire, "354");
            }
            int half = body.Length / 2;
            await wire.SendAsync(body.AsMemory(0, half));
            wholeSent = true;
            await wire.SendAsync(body.AsMemory(half));
            if (chunked) for (int i = 0; i <= to.Length; i++) await ExpectAsync(wire, "250");
            string reply = await wire.ReplyAsync();
            if (reply.Length == 0) throw new IOException("The server is gone.");
            answered = true;
            if (reply[0] == '2') acknowledge();
            else withdraw();
            load.Ledger.Count(reply[0] == '2' ? to.Length : 0, reply[0] == '2' ? 0 : to.Length);
        }
        finally
        {
            if (!wholeSent && !answered) withdraw();
        }
    }

    private static async Task ExpectAsync(RawClient wire, string code)
    {
        string reply = await wire.ReplyAsync();
        if (!reply.StartsWith(code, StringComparison.Ordinal)) throw new IOException(reply.Length == 0 ? "The server is gone." : reply);
    }
}
