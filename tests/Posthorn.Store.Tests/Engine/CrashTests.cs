using System.Globalization;
using Posthorn.Core;
using Posthorn.Store.Contract;
using Posthorn.Testing.Volumes;
using static Posthorn.Store.Contract.StoreFixture;

namespace Posthorn.Store.Tests.Engine;

/// <summary>Generated histories with the power going at an arbitrary write, sync or rename; what clients were told must hold afterwards.</summary>
public sealed class CrashTests
{
    // More for a night: POSTHORN_CRASH_HISTORIES=10000.
    private static int Histories => int.TryParse(Environment.GetEnvironmentVariable("POSTHORN_CRASH_HISTORIES"), CultureInfo.InvariantCulture, out int count) ? count : 25;

    [Theory]
    [InlineData(CatalogueFate.Kept)]
    [InlineData(CatalogueFate.RolledBack)]
    [InlineData(CatalogueFate.Lost)]
    public async Task What_was_told_holds_after_a_power_cut(CatalogueFate fate)
    {
        int first = int.TryParse(Environment.GetEnvironmentVariable("POSTHORN_CRASH_SEED"), CultureInfo.InvariantCulture, out int seed) ? seed : 1;
        for (int i = 0; i < Histories; i++)
        {
            try
            {
                await RunAsync(first + i, fate);
            }
            catch (Exception problem) when (problem is not OperationCanceledException)
            {
                throw new InvalidOperationException($"Seed {first + i}, catalogue {fate}: {problem.Message}", problem);
            }
        }
    }

    private static async Task RunAsync(int seed, CatalogueFate fate)
    {
        await using CrashWorld world = new(seed, fate);
        try
        {
            await RunAsync(world);
        }
        catch (Exception problem) when (problem is not OperationCanceledException)
        {
            throw new InvalidOperationException($"{problem.Message}\n{string.Join("\n", world.Log)}", problem);
        }
    }

    private static async Task RunAsync(CrashWorld world)
    {
        await world.StartAsync();
        await world.VerifyAsync();
        for (int round = 0; round < 4; round++)
        {
            world.Volume.CutAt = world.Volume.Operations + 1 + world.Random.Next(120);
            try
            {
                for (int step = 0; step < 40; step++)
                {
                    world.Forget();
                    await StepAsync(world);
                }
            }
            catch (PowerCut)
            {
                // As planned.
            }

            await world.CrashAsync();
            await StartAgainAsync(world);
            await world.VerifyAsync();
        }
    }

    // The power may go while the server comes up, too.
    private static async Task StartAgainAsync(CrashWorld world)
    {
        for (int attempt = 0; ; attempt++)
        {
            try
            {
                if (attempt < 2 && world.Random.Next(3) == 0) world.Volume.CutAt = 1 + world.Random.Next(60);
                await world.StartAsync();
                world.Volume.CutAt = null;
                return;
            }
            catch (PowerCut)
            {
                await world.CrashAsync();
            }
        }
    }

    private static async Task StepAsync(CrashWorld world)
    {
        Random random = world.Random;
        string account = CrashWorld.Names[random.Next(2)];
        IMailStore store = world.Stores[account];
        Dictionary<string, Told> boxes = world.Accounts[account];
        Told box = boxes.Values.ElementAt(random.Next(boxes.Count));
        int kind = random.Next(14);
        world.Log.Add($"{account} {box.Name} {kind}");
        switch (kind)
        {
            case 0 or 1 or 2:
                await DeliverAsync(world);
                return;
            case 3 or 4:
                await AppendAsync(world, account, box, 1 + random.Next(3));
                return;
            case 5:
                await PlaceAsync(world, account, box, move: false);
                return;
            case 6 or 7:
                await PlaceAsync(world, account, box, move: true);
                return;
            case 8:
                await ExpungeAsync(world, account, box);
                return;
            case 9:
                await CreateAsync(world, account);
                return;
            case 10:
                await RenameAsync(world, account, box);
                return;
            case 11:
                if (box.Name != "INBOX" && random.Next(3) == 0) await DeleteAsync(world, account, box);
                return;
            case 12:
                Must(await store.ChangeFlagsAsync(box.Id, Some(world, box), new((FlagOperation)random.Next(3), (SystemFlags)random.Next(32) & ~SystemFlags.Deleted, Keywords("k" + random.Next(4))), null, Cancel));
                return;
            default:
                if (random.Next(3) == 0) await world.CheckpointAsync();
                return;
        }
    }

    private static Uid[] Some(CrashWorld world, Told box) => [.. box.Messages.Keys.Where(_ => world.Random.Next(3) == 0).Select(uid => new Uid(uid))];

    private static async Task DeliverAsync(CrashWorld world)
    {
        List<(string Account, LocalDelivery Delivery)> targets = [];
        string text = world.NextText();
        for (int i = 0; i <= world.Random.Next(3); i++)
        {
            string account = CrashWorld.Names[world.Random.Next(2)];
            Told box = world.Accounts[account].Values.ElementAt(world.Random.Next(world.Accounts[account].Count));
            string prefix = $"X-Copy: {i}\r\n";
            targets.Add((account, new(CrashWorld.Account(account), Name(box.Name), SystemFlags.None, KeywordSet.Empty, System.Text.Encoding.ASCII.GetBytes(prefix))));
            world.MayCome.Add(prefix + text);
        }

        await using IMessageSink sink = await world.Server.SinkAsync(text);
        DeliveryReceipt receipt = await world.Server.DeliverAsync(sink, [.. targets.Select(target => target.Delivery)], null, Cancel);
        for (int i = 0; i < targets.Count; i++)
        {
            StoredMessage stored = Must(receipt.Outcomes[i]);
            Told box = world.Accounts[targets[i].Account].Values.Single(told => told.Id == stored.Mailbox);
            world.Log.Add($"  delivered to {targets[i].Account} {box.Name} {stored.Uid}");
            Note(box, stored.Uid, $"X-Copy: {i}\r\n" + text);
        }
    }

    private static async Task AppendAsync(CrashWorld world, string account, Told box, int count)
    {
        string[] texts = [.. Enumerable.Range(0, count).Select(_ => world.NextText())];
        world.MayCome.AddRange(texts);
        AppendReceipt receipt = await world.Stores[account].MustAppendAsync(world.Server, box.Name, texts);
        for (int i = 0; i < count; i++) Note(box, receipt.Messages[i].Uid, texts[i]);
    }

    private static async Task PlaceAsync(CrashWorld world, string account, Told box, bool move)
    {
        Uid[] uids = Some(world, box);
        Dictionary<string, Told> boxes = world.Accounts[account];
        Told target = boxes.Values.ElementAt(world.Random.Next(boxes.Count));
        foreach (Uid uid in uids)
        {
            world.MayCome.Add(box.Messages[uid.Value]);
            if (move) world.MayBeGone.Add((account, box.Id, uid.Value));
        }

        IMailStore store = world.Stores[account];
        Placement placed = Must(move ? await store.MoveAsync(box.Id, uids, Name(target.Name), Cancel) : await store.CopyAsync(box.Id, uids, Name(target.Name), Cancel));
        Assert.Equal(uids, placed.Sources);
        for (int i = 0; i < placed.Sources.Count; i++)
        {
            string text = box.Messages[placed.Sources[i].Value];
            if (move) box.Messages.Remove(placed.Sources[i].Value);
            world.Log.Add($"  {placed.Sources[i]} to {target.Name} {placed.Targets[i]}");
            Note(target, placed.Targets[i], text);
        }
    }

    private static async Task ExpungeAsync(CrashWorld world, string account, Told box)
    {
        Uid[] uids = Some(world, box);
        IMailStore store = world.Stores[account];
        Must(await store.ChangeFlagsAsync(box.Id, uids, new(FlagOperation.Add, SystemFlags.Deleted, KeywordSet.Empty), null, Cancel));
        foreach (Uid uid in uids) world.MayBeGone.Add((account, box.Id, uid.Value));
        IReadOnlyList<Uid> gone = Must(await store.ExpungeAsync(box.Id, uids, Cancel));
        Assert.Equal(uids, gone);
        foreach (Uid uid in gone) box.Messages.Remove(uid.Value);
    }

    private static async Task CreateAsync(CrashWorld world, string account)
    {
        string name = "Box" + world.Random.Next(6).ToString(CultureInfo.InvariantCulture) + (world.Random.Next(2) == 0 ? ".Sub" : "");
        world.MayExist.Add((account, name));
        world.Log.Add($"create {name}");
        Result<MailboxInfo> made = await world.Stores[account].CreateAsync(Name(name), SpecialUse.None, Cancel);
        if (world.Accounts[account].ContainsKey(name))
        {
            Refused(RefusalKind.AlreadyExists, made);
            return;
        }

        await using IMailbox open = await world.Stores[account].MustSelectAsync(name, readOnly: true);
        world.Accounts[account].Add(name, new(Must(made).Id!.Value, open.Current.Validity) { Name = name });
    }

    private static async Task RenameAsync(CrashWorld world, string account, Told box)
    {
        Dictionary<string, Told> boxes = world.Accounts[account];
        string name = "Box" + world.Random.Next(6).ToString(CultureInfo.InvariantCulture) + (world.Random.Next(2) == 0 ? ".Ren" : "");
        (string From, string Target)[] renamed = box.Name == "INBOX" ? [] : [.. boxes.Keys.Where(key => key == box.Name || key.StartsWith(box.Name + ".", StringComparison.Ordinal)).Select(key => (key, name + key[box.Name.Length..]))];
        foreach ((string _, string target) in renamed) world.MayExist.Add((account, target));
        if (box.Name == "INBOX")
        {
            world.MayExist.Add((account, name));
            foreach ((uint uid, string text) in box.Messages)
            {
                world.MayBeGone.Add((account, box.Id, uid));
                world.MayCome.Add(text);
            }
        }

        world.Log.Add($"rename to {name}");
        Result<Done> done = await world.Stores[account].RenameAsync(Name(box.Name), Name(name), Cancel);
        if (!done.IsOk) return;
        if (box.Name == "INBOX")
        {
            await using IMailbox open = await world.Stores[account].MustSelectAsync(name, readOnly: true);
            Told made = new(open.Info.Id!.Value, open.Current.Validity) { Name = name };
            uint uid = 0;
            foreach (string text in box.Messages.Values) Note(made, new(++uid), text);
            box.Messages.Clear();
            boxes.Add(name, made);
            return;
        }

        Told[] moving = [.. renamed.Select(pair => boxes[pair.From])];
        foreach ((string from, string _) in renamed) boxes.Remove(from);
        for (int i = 0; i < moving.Length; i++)
        {
            moving[i].Name = renamed[i].Target;
            boxes.Add(renamed[i].Target, moving[i]);
        }
    }

    private static async Task DeleteAsync(CrashWorld world, string account, Told box)
    {
        world.MayVanish.Add(box.Id);
        world.Log.Add($"delete {box.Id}");
        Must(await world.Stores[account].DeleteAsync(Name(box.Name), Cancel));
        world.Accounts[account].Remove(box.Name);
    }

    private static void Note(Told box, Uid uid, string text)
    {
        Assert.True(uid.Value > box.LastUid, $"{box.Name}: UID {uid} after {box.LastUid}");
        box.LastUid = uid.Value;
        box.Messages.Add(uid.Value, text);
    }
}
