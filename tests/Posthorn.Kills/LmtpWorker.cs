namespace Posthorn.Kills;

/// <summary>Delivers to both accounts by LMTP, which answers for each of them.</summary>
internal sealed class LmtpWorker(Load load, int number)
{
    private readonly Random _random = load.RandomFor(number);

    public async Task WorkAsync()
    {
        await using RawClient wire = await RawClient.ConnectAsync(load.Port("lmtp"));
        await wire.ReplyAsync();
        await wire.CommandAsync("LHLO load.elsewhere.example");
        IReadOnlyList<AccountLedger> to = load.Ledger.Accounts;
        for (int left = _random.Next(1, 40); left > 0 && !load.IsEnding; left--)
        {
            (long id, byte[] bytes) = load.Ledger.NewLetter(load.Seed, to[0].Account.Address);
            foreach (AccountLedger account in to) account.Expect(id);
            bool wholeSent = false;
            try
            {
                await wire.SendAsync("MAIL FROM:<kill@elsewhere.example>\r\n" + string.Concat(to.Select(a => $"RCPT TO:<{a.Account.Address}>\r\n")) + "DATA\r\n");
                for (int i = 0; i < to.Count + 2; i++)
                    if ((await wire.ReplyAsync()) is not ['2' or '3', ..]) throw new IOException("The server is gone.");
                wholeSent = true;
                await wire.SendAsync(Letter.Transparent(bytes));
                foreach (AccountLedger account in to)
                {
                    string reply = await wire.ReplyAsync();
                    if (reply.Length == 0) throw new IOException("The server is gone.");
                    if (reply[0] == '2') account.Acknowledge(id);
                    else account.Withdraw(id);
                    load.Ledger.Count(reply[0] == '2' ? 1 : 0, reply[0] == '2' ? 0 : 1);
                }
            }
            finally
            {
                if (!wholeSent) foreach (AccountLedger account in to) account.Withdraw(id);
            }
        }
    }
}
