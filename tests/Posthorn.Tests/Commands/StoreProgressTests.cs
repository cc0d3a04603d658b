using Posthorn.Commands;
using Posthorn.Core;

namespace Posthorn.Tests.Commands;

public sealed class StoreProgressTests
{
    private static MailAccount Account(string name) => new() { Address = EmailAddress.Parse(name + "@example.org"), MailRoot = "/mail/" + name, Home = "/home/" + name };

    [Fact]
    public async Task It_is_told_account_by_account_and_hundred_by_hundred()
    {
        MailAccount ann = Account("ann"), bob = Account("bob"), carl = Account("carl");
        Dictionary<MailAccount, int[]> steps = new() { [ann] = [.. Enumerable.Repeat(1, 250)], [bob] = [], [carl] = [90, 30, 500, 5] };
        List<(string, long, int)> told = [];
        await StoreProgress.TellAsync([ann, bob, carl], step => told.Add((step.Account.Address.LocalPart, step.Messages, step.Accounts)), (account, count) =>
        {
            foreach (int some in steps[account]) count(some);
            return Task.CompletedTask;
        });
        Assert.Equal([("ann", 0, 0), ("ann", 100, 0), ("ann", 200, 0), ("ann", 250, 1), ("bob", 0, 1), ("bob", 0, 2), ("carl", 0, 2), ("carl", 120, 2), ("carl", 620, 2), ("carl", 625, 3)], told);
    }
}
