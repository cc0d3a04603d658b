using System.Diagnostics;
using System.Globalization;
using Posthorn.Core;
using Posthorn.Journal.Volume;
using Posthorn.Store.Contract;
using Posthorn.Testing.Volumes;
using Posthorn.Transport;
using Posthorn.Transport.Queue;
using static Posthorn.Store.Contract.StoreFixture;

namespace Posthorn.Store.Tests.Engine;

/// <summary>Generated histories with the power going at an arbitrary write, sync or rename; what clients were told must hold afterwards.</summary>
public sealed class CrashTests(ITestOutputHelper output)
{
    /// <summary>Histories of one run. 150: less than a minute.</summary>
    private static int Histories => Setting("POSTHORN_CRASH_HISTORIES", 150);

    private static int FirstSeed => Setting("POSTHORN_SEED", 1);

    [Fact]
    public async Task What_was_told_holds_after_power_cuts()
    {
        output.WriteLine($"seeds {FirstSeed} to {FirstSeed + Histories - 1}; POSTHORN_SEED={FirstSeed} POSTHORN_CRASH_HISTORIES=1 plays one again");
        for (int seed = FirstSeed; seed < FirstSeed + Histories; seed++) await RunAsync(seed, null);
    }

    [Theory]
    [InlineData(CatalogueFate.Kept)]
    [InlineData(CatalogueFate.RolledBack)]
    [InlineData(CatalogueFate.Lost)]
    [InlineData(CatalogueFate.Torn)]
    public async Task What_was_told_holds_after_power_cuts_that_treat_all_catalogues_alike(CatalogueFate fate)
    {
        for (int seed = FirstSeed; seed < FirstSeed + Histories / 5; seed++) await RunAsync(seed, fate);
    }

    [Fact]
    public async Task What_was_told_of_replacements_holds_after_power_cuts()
    {
        for (int seed = FirstSeed; seed < FirstSeed + Histories / 5; seed++) await RunAsync(seed, null, replaces: true);
    }

    /// <summary>Files get CRLF in one run and LF in the next, and records of either are replayed by the other.</summary>
    [Fact]
    public async Task What_was_told_holds_after_power_cuts_between_runs_that_end_lines_otherwise()
    {
        for (int seed = FirstSeed; seed < FirstSeed + Histories / 3; seed++) await RunAsync(seed, null, replaces: seed % 3 == 0, mixes: true);
    }

    /// <summary>Histories of rare kinds that failed once, each found in many thousands.</summary>
    [Theory]
    [InlineData(754880744)] // what was taken out of sight before the crash came back, as a second name of the same file
    [InlineData(20054)] // a mailbox is made on replay whose name another one has on disk already
    [InlineData(41105)] // mail goes through a mailbox that a later record removes, and the catalogue is lost
    [InlineData(60214)] // two folders of one mailbox, and the one that was made anew was taken for it
    [InlineData(91394)] // a delivery to two accounts is held for one of them, the other moves its copy on, and its catalogue is lost
    [InlineData(110191)] // a copy is lost whose source was moved on and then removed
    [InlineData(91787)] // a folder that a crash left under two names keeps its old one, which another mailbox gets
    [InlineData(32503, true)] // the same, and the power goes once more meanwhile
    public async Task Seeds_that_failed_once_hold(int seed, bool replaces = false) => await RunAsync(seed, null, replaces);

    /// <summary>A copy that the disk let neither be linked nor synced came back with the right length and other bytes.</summary>
    [Fact]
    public async Task A_seed_that_failed_once_with_its_catalogues_kept_holds() => await RunAsync(110709, CatalogueFate.Kept);

    [Theory]
    [InlineData(4)]
    [InlineData(7)]
    [InlineData(11)]
    public async Task A_seed_plays_the_same_history_again(int seed)
    {
        List<string>[] logs = [[], []];
        foreach (List<string> log in logs)
        {
            await using CrashWorld world = new(seed, null);
            await RunAsync(world);
            log.AddRange(world.Log.Select(line => line.Replace(world.CatalogueDirectory, "", StringComparison.Ordinal)));
        }

        Assert.Equal(logs[0], logs[1]);
    }

    /// <summary>By hand: <c>POSTHORN_CRASH_HOURS=8</c>. It says how far it is on standard error, and ends at the first seed that fails.</summary>
    [Fact]
    public async Task For_hours()
    {
        if (!double.TryParse(Environment.GetEnvironmentVariable("POSTHORN_CRASH_HOURS"), CultureInfo.InvariantCulture, out double hours)) Assert.Skip("Set POSTHORN_CRASH_HOURS to run the simulation for so long.");
        Stopwatch clock = Stopwatch.StartNew();
        TimeSpan told = TimeSpan.Zero;
        int seed = Setting("POSTHORN_SEED", (int)(DateTimeOffset.UtcNow.ToUnixTimeSeconds() % 1_000_000) * 1000);
        for (int count = 1; clock.Elapsed.TotalHours < hours; count++, seed++)
        {
            await RunAsync(seed, null, replaces: seed % 4 == 1, mixes: seed % 4 == 2); // all kinds in turn
            if (clock.Elapsed - told < TimeSpan.FromSeconds(30)) continue;
            told = clock.Elapsed;
            await Console.Error.WriteLineAsync($"{clock.Elapsed:hh\\:mm\\:ss} of {hours} h: {count} histories, {count * Rounds} power cuts, last seed {seed}");
        }
    }

    private const int Rounds = 4;

    private static int Setting(string name, int normal) => int.TryParse(Environment.GetEnvironmentVariable(name), CultureInfo.InvariantCulture, out int value) ? value : normal;

    private static async Task RunAsync(int seed, CatalogueFate? fate, bool replaces = false, bool mixes = false)
    {
        await using CrashWorld world = new(seed, fate) { Replaces = replaces, MixesLineEnds = mixes };
        try
        {
            await RunAsync(world);
        }
        catch (Exception problem) when (problem is not OperationCanceledException)
        {
            throw new InvalidOperationException($"POSTHORN_SEED={seed}, catalogues {fate?.ToString() ?? "mixed"}: {problem.Message}\n{string.Join("\n", world.Log)}", problem);
        }
    }

    private static async Task RunAsync(CrashWorld world)
    {
        await world.StartAsync();
        await world.VerifyAsync();
        for (int round = 0; round < Rounds; round++)
        {
            bool faulty = world.Random.Next(3) == 0;
            world.Volume.CutAt = faulty ? null : world.Volume.Operations + 1 + world.Random.Next(120);
            try
            {
                for (int step = 0; step < 40; step++)
                {
                    world.Forget();
                    world.Time.Advance(TimeSpan.FromSeconds(3));
                    if (faulty && step == 10) world.BreakDisk();
                    await StepAsync(world);
                }
            }
            catch (PowerCut)
            {
                // As planned.
            }
            catch (Exception problem) when (world.IsDiskBroken && problem is Xunit.Sdk.XunitException or IOException)
            {
                // Refused, for now or for good: what it may have done it may do later.
                world.Log.Add($"  refused: {problem.Message.Split('\n')[0]}");
            }

            if (faulty && world.Random.Next(2) == 0)
            {
                // The disk works again, and nobody needs to start anything anew.
                world.MendDisk();
                world.Time.Advance(TimeSpan.FromMinutes(1));
                if (world.Random.Next(2) == 0) await world.CheckpointAsync(); // does what was put off; it may come later
                else world.RememberUnsure();
                await world.VerifyAsync();
            }

            await world.CrashAsync();
            await StartAgainAsync(world);
            await world.VerifyAsync();
        }

        await world.VerifyStoreAsync();
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
        int kind = random.Next(20);
        world.Log.Add($"{account} {box.Name} {kind}");
        switch (kind)
        {
            case 0 or 1 or 2:
                await DeliverAsync(world);
                return;
            case 3 or 8 when world.Replaces:
                await ReplaceAsync(world, account, box);
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
            case 13 or 14:
                await ConnectAsync(world, account, box);
                return;
            case 15 or 16:
                await QueueAsync(world);
                return;
            case 17 or 18:
                Foreign(world, account, box);
                return;
            default:
                if (random.Next(12) == 0 && !world.IsDiskBroken) await world.RestartAsync();
                else if (random.Next(2) == 0) await world.CheckpointAsync();
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
            world.Log.Add($"  delivered to {targets[i].Account} {box.Name} {stored.Uid}: {text[..Math.Min(text.Length, 90)].ReplaceLineEndings(" ")}");
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

    private static async Task ReplaceAsync(CrashWorld world, string account, Told box)
    {
        if (box.Messages.Count == 0) return;
        uint old = box.Messages.Keys.ElementAt(world.Random.Next(box.Messages.Count));
        string into = CrashWorld.Names[world.Random.Next(2)];
        Told target = world.Accounts[into].Values.ElementAt(world.Random.Next(world.Accounts[into].Count));
        string text = world.NextText();
        world.MayCome.Add(text);
        world.MayBeGone.Add((account, box.Id, old));
        await using IMessageSink sink = await world.Server.SinkAsync(text);
        NewMessage message = new(sink, SystemFlags.None, KeywordSet.Empty, world.Time.GetUtcNow());
        AppendReceipt receipt = Must(await world.Server.ReplaceAsync(new(CrashWorld.Account(account), box.Id, new(old), CrashWorld.Account(into), Name(target.Name), message), Cancel));
        world.Log.Add($"  {old} replaced by {into} {target.Name} {receipt.Messages[0].Uid}");
        box.Messages.Remove(old);
        Note(target, receipt.Messages[0].Uid, text);
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
        if (!done.IsOk && world.IsDiskBroken) Must(done); // it may come true later
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

    // A client selects a mailbox, keeps what it sees, and is connected until the power goes.
    private static async Task ConnectAsync(CrashWorld world, string account, Told box)
    {
        await using IMailbox open = await world.Stores[account].MustSelectAsync(box.Name, readOnly: true);
        ClientView? client = world.Clients.Find(client => client.Account == account && client.Mailbox == box.Id);
        if (client is null) world.Clients.Add(client = new() { Account = account, Mailbox = box.Id });
        client.Take(open.Current);
    }

    // A message enters the queue, or another server gives its last word on a recipient.
    private static async Task QueueAsync(CrashWorld world)
    {
        KeyValuePair<string, HashSet<int>>[] waiting = [.. world.Waiting.Where(message => message.Value.Count > 0)];
        if (waiting.Length == 0 || world.Random.Next(3) == 0)
        {
            string text = world.NextText();
            string id = world.NextNumber().ToString("D11", CultureInfo.InvariantCulture);
            QueueMessage message = new()
            {
                Id = new(id), Arrived = world.Time.GetUtcNow(), From = ReversePath.Of(CrashWorld.Account("ann").Address), Origin = "ann", Size = text.Length,
                Recipients = [.. Enumerable.Range(0, 1 + world.Random.Next(3)).Select(i => new EnvelopeRecipient(EmailAddress.Parse($"far{i}@example.com"), DsnNotify.Unspecified, null))],
            };
            world.Unsure.Add(id);
            world.Log.Add($"  {id} enters the queue for {message.Recipients.Count}");
            await using IMessageSink sink = await world.Server.SinkAsync(text);
            await world.Server.DeliverAsync(sink, [], world.Queue.Attach(message), Cancel);
            world.Waiting.Add(id, [.. Enumerable.Range(0, message.Recipients.Count)]);
            return;
        }

        (string known, HashSet<int> recipients) = waiting[world.Random.Next(waiting.Length)];
        int recipient = recipients.First();
        world.Unsure.Add(known);
        world.Log.Add($"  last word on {known}/{recipient}");
        await world.Queue.AnswerAsync(new(new(known), [new(recipient, RecipientState.Delivered, new(250, "2.0.0", "ok"), "mx")]), Cancel);
        recipients.Remove(recipient);
        world.Unsure.Remove(known);
    }

    // Another program delivers, removes, or marks as read.
    private static void Foreign(CrashWorld world, string account, Told box)
    {
        if (world.IsDiskBroken) return; // for them, too
        if (box.Name == "INBOX") return; // renaming it moves what came in unseen, and then nobody could say where that is
        string folder = $"/data/mail/{account}/.{box.Name}";
        int kind = world.Random.Next(3);
        if (kind == 0)
        {
            string text = world.NextText();
            string name = $"{folder}/new/17000.F{world.NextNumber()}.theirs";
            world.Log.Add($"  foreign delivery to {name}");
            string draft = name.Replace("/new/", "/tmp/", StringComparison.Ordinal);
            using (IVolumeFile file = world.Volume.Open(draft, VolumeOpen.CreateNew))
            {
                file.Write(0, System.Text.Encoding.Latin1.GetBytes(text));
                file.SyncData();
            }

            world.MayCome.Add(text);
            world.Volume.Rename(draft, name);
            world.Volume.SyncDirectory(folder + "/new");
            world.Volume.SyncDirectory(folder);
            world.Volume.SyncDirectory($"/data/mail/{account}"); // as journals of file systems do with what is above
            world.MayCome.Remove(text);
            world.Foreign.Add((account, box.Id, text));
            return;
        }

        VolumeEntry[] files = [.. world.Volume.List(folder + "/cur", times: false).OrderBy(entry => entry.Name, StringComparer.Ordinal)];
        if (files.Length == 0) return;
        string path = $"{folder}/cur/{files[world.Random.Next(files.Length)].Name}";
        if (kind == 1)
        {
            string letters = path[(path.LastIndexOf(',') + 1)..];
            string changed = path[..(path.LastIndexOf(',') + 1)] + (letters.Contains('S', StringComparison.Ordinal) ? letters.Replace("S", "", StringComparison.Ordinal) : string.Concat((letters + "S").Order()));
            world.Log.Add($"  foreign rename to {changed}");
            world.Volume.Rename(path, changed);
        }
        else
        {
            string text = TextOf(world.Volume, path);
            KeyValuePair<uint, string>[] matches = [.. box.Messages.Where(message => message.Value == text)];
            if (matches.Length != 1) return;
            world.Log.Add($"  foreign removal of {path}, UID {matches[0].Key}");
            world.ForeignGone.Add((account, box.Id, matches[0].Key));
            box.Messages.Remove(matches[0].Key);
            world.Volume.Unlink(path);
        }
    }

    private static string TextOf(CrashVolume volume, string path)
    {
        using IVolumeFile file = volume.Open(path, VolumeOpen.Read);
        byte[] bytes = new byte[file.Length];
        file.Read(0, bytes);
        return System.Text.Encoding.Latin1.GetString(bytes).ReplaceLineEndings("\r\n"); // as clients see it
    }

    private static void Note(Told box, Uid uid, string text)
    {
        Assert.True(uid.Value > box.LastUid, $"{box.Name}: UID {uid} after {box.LastUid}");
        box.LastUid = uid.Value;
        box.Messages.Add(uid.Value, text);
    }
}
