using System.Text;
using Microsoft.Extensions.Time.Testing;
using Posthorn.Core;
using Posthorn.Journal;
using Posthorn.Journal.Format;
using Posthorn.Journal.Volume;
using Posthorn.Mime;
using Posthorn.Store.Changes;
using Posthorn.Store.Contract;
using Posthorn.Store.Engine;
using Posthorn.Testing.Volumes;
using static Posthorn.Store.Contract.StoreFixture;

namespace Posthorn.Store.Tests.Engine;

/// <summary>Files whose lines end in LF by the owner's wish: what lies on the disk, what clients see, and what becomes of both when the wish changes.</summary>
public sealed class LineEndingTests : IAsyncLifetime
{
    private static readonly MailAccount Ann = MaildirHarness.Account("/data", "ann");

    private readonly string _directory = Directory.CreateTempSubdirectory("posthorn-lf-").FullName;
    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 3, 4, 5, 6, 7, TimeSpan.Zero));
    private readonly CrashVolume _volume;
    private MaildirHarness _server = null!;
    private IMailStore _store = null!;
    private FileLineEndings _lineEnds = FileLineEndings.Lf;
    private int _boots = 1;

    public LineEndingTests() => _volume = new(_time);

    public async ValueTask InitializeAsync()
    {
        _volume.MakeDirectory("/data");
        _volume.SyncVolume("/data");
        await StartAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _store.DisposeAsync();
        await _server.DisposeAsync();
        Directory.Delete(_directory, recursive: true);
    }

    private async ValueTask StartAsync()
    {
        _server = new("/data", _volume, _time, _directory)
        {
            BootId = $"boot {_boots}",
            Change = options => options with { LineEndings = _lineEnds },
            JournalOptions = new() { Directory = "/data/journal", SegmentSize = 1 << 20, InlineLimit = 20_000, BackgroundWork = false },
        };
        await _server.StartAsync();
        _store = await _server.MustOpenAsync(Ann);
    }

    private async ValueTask CrashAsync(int seed, FileLineEndings next, bool losesCatalogue)
    {
        await _server.AbandonCatalogues();
        _volume.Crash(seed);
        if (losesCatalogue) Directory.Delete(_directory + "/accounts", recursive: true);
        _lineEnds = next;
        _boots++;
        await StartAsync();
    }

    private List<string> Files(string folder = "")
    {
        List<string> files = [];
        foreach (string part in (string[])["new", "cur"])
            files.AddRange(_volume.List($"/data/mail/ann{folder}/{part}", times: false).Select(entry => $"/data/mail/ann{folder}/{part}/{entry.Name}"));
        return [.. files.Order(StringComparer.Ordinal)];
    }

    private string Raw(string path)
    {
        using IVolumeFile file = _volume.Open(path, VolumeOpen.Read);
        byte[] bytes = new byte[file.Length];
        Assert.Equal(bytes.Length, file.Read(0, bytes));
        return Encoding.Latin1.GetString(bytes);
    }

    private static string Lf(string text) => text.Replace("\r\n", "\n", StringComparison.Ordinal);

    private static string Lines(int count, string subject) => Text(subject) + string.Concat(Enumerable.Range(0, count).Select(i => $"line {i}\r\n"));

    [Fact]
    public async Task A_file_has_LF_and_a_name_with_both_sizes_and_clients_see_CRLF()
    {
        string text = Text("one");
        await _server.MustDeliverAsync(Ann, text);
        await using IMailbox box = await _store.MustSelectAsync("INBOX");
        MailboxId inbox = box.Info.Id!.Value;
        string file = Assert.Single(Files());
        Assert.Equal(Lf(text), Raw(file));
        Assert.EndsWith($",S={Lf(text).Length},W={text.Length}", file, StringComparison.Ordinal);
        Assert.Equal(text.Length, box.Current[0].Size);
        Assert.Equal(text, await _store.ContentAsync(inbox, new(1)));
        // A copy is the same file.
        Must(await _store.CopyAsync(inbox, Uids(1), Name("Archive"), Cancel));
        string copy = Assert.Single(Files("/.Archive"));
        Assert.EndsWith($",S={Lf(text).Length},W={text.Length}", copy, StringComparison.Ordinal);
        Assert.True(_volume.TryStat(file, out VolumeStat one) && _volume.TryStat(copy, out VolumeStat two) && one.Inode == two.Inode);
        // Offsets of parts count what clients read.
        MessageSummary summary = Assert.Single(await _store.SummariesAsync(inbox, SummaryFields.Structure, new Uid(1)));
        Assert.Equal(text.Length, MimeStructure.Read(summary.Structure.Span).Length);
        QuotaState quota = await _store.QuotaAsync(Cancel);
        Assert.Equal(2 * text.Length, quota.UsedBytes);
    }

    [Theory]
    [InlineData("Subject: x\r\n\r\na\r\r\nb\r\n")] // of an LF nobody could tell that there were two CRs
    [InlineData("Subject: x\r\n\r\na\rb\r\n\r")]
    [InlineData("Subject: x\r\n\r\nno end")]
    [InlineData("")]
    [InlineData("\r\n")]
    [InlineData("Subject: bare\n\none\r\ntwo\n")]
    public async Task What_came_in_is_read_again(string text)
    {
        await _server.MustDeliverAsync(Ann, text);
        await using IMailbox box = await _store.MustSelectAsync("INBOX");
        string wire = Lf(text).Replace("\n", "\r\n", StringComparison.Ordinal);
        if (text.Contains("\r\r\n", StringComparison.Ordinal)) wire = text;
        Assert.Equal(wire, await _store.ContentAsync(box.Info.Id!.Value, new(1)));
        Assert.Equal(wire.Length, box.Current[0].Size);
        Assert.Equal(text.Contains("\r\r\n", StringComparison.Ordinal) ? text : Lf(text), Raw(Assert.Single(Files())));
    }

    [Fact]
    public async Task A_wish_that_changes_leaves_what_was_recorded_under_the_other()
    {
        for (int seed = 1; seed <= 24; seed++)
        {
            string subject = $"seed {seed}";
            // Inline and in a spool file, by SMTP with a header of its own and by a client.
            string[] texts = [Text(subject), Lines(4000, subject + " large"), Text(subject + " appended")];
            FileLineEndings written = _lineEnds;
            await _server.MustDeliverAsync(Ann, texts[0]);
            await _server.MustDeliverAsync(Ann, texts[1]);
            await _store.MustAppendAsync(_server, "INBOX", texts[2]);
            FileLineEndings next = seed % 3 == 0 ? written : written == FileLineEndings.Lf ? FileLineEndings.Crlf : FileLineEndings.Lf;
            if (seed % 5 == 0) await _server.Journal.CheckpointAsync(Cancel);
            await CrashAsync(seed, next, losesCatalogue: seed % 4 == 0);
            await using IMailbox box = await _store.MustSelectAsync("INBOX");
            MailboxId inbox = box.Info.Id!.Value;
            Assert.Equal(seed * 3, box.Current.Count);
            for (int i = 0; i < 3; i++)
            {
                MessageRow row = box.Current[(seed * 3) - 3 + i];
                Assert.Equal(texts[i], await _store.ContentAsync(inbox, row.Uid));
                Assert.Equal(texts[i].Length, row.Size);
                long expected = written == FileLineEndings.Lf ? Lf(texts[i]).Length : texts[i].Length;
                string name = Assert.Single(Files(), file => file.Contains($",W={texts[i].Length}", StringComparison.Ordinal) && Raw(file).ReplaceLineEndings("\r\n") == texts[i]);
                Assert.Contains($",S={expected},", name, StringComparison.Ordinal);
                Assert.Equal(expected, Raw(name).Length);
            }
        }

        await VerifyAsync();
    }

    // What the disk refuses is read from the journal, with CRLF in both cases, and written later as its record says.
    [Theory]
    [InlineData(FileLineEndings.Lf)]
    [InlineData(FileLineEndings.Crlf)]
    public async Task A_message_whose_file_is_not_there_yet_is_read_as_clients_see_it(FileLineEndings lineEnds)
    {
        await CrashAsync(1, lineEnds, losesCatalogue: false);
        _volume.Fault = (operation, path) => operation != "read" && path.StartsWith("/data/mail", StringComparison.Ordinal) ? VolumeError.ReadOnly : null;
        string[] texts = [Text("one"), Lines(5000, "two"), "Subject: bare\n\none\r\ntwo\n"];
        foreach (string text in texts) await _server.MustDeliverAsync(Ann, text);
        await using IMailbox box = await _store.MustSelectAsync("INBOX");
        MailboxId inbox = box.Info.Id!.Value;
        Assert.Empty(Files());
        await LookAsync();
        _volume.Fault = null;
        await _server.MustDeliverAsync(Ann, Text("three"));
        await _server.Journal.CheckpointAsync(Cancel);
        Assert.Equal(4, Files().Count);
        Assert.Equal(lineEnds == FileLineEndings.Lf ? 0 : 2, Files().Count(file => Raw(file).Contains("\r\n", StringComparison.Ordinal) && !Raw(file).Contains("bare", StringComparison.Ordinal) && !Raw(file).Contains("three", StringComparison.Ordinal)));
        await LookAsync();

        async Task LookAsync()
        {
            for (uint uid = 1; uid <= 3; uid++)
            {
                string wire = texts[uid - 1].ReplaceLineEndings("\r\n");
                Assert.Equal(wire, await _store.ContentAsync(inbox, new(uid)));
                Assert.Equal(wire.Length, box.Current[(int)uid - 1].Size);
            }
        }
    }

    [Fact]
    public async Task A_lost_catalogue_is_made_anew_with_the_same_sizes_and_all_verifies()
    {
        string[] texts = [Text("one"), Lines(3000, "two")];
        foreach (string text in texts) await _server.MustDeliverAsync(Ann, text);
        await SettleAsync();
        await _server.Journal.CheckpointAsync(Cancel);
        await CrashAsync(3, FileLineEndings.Crlf, losesCatalogue: true);
        await using (IMailbox box = await _store.MustSelectAsync("INBOX"))
        {
            Assert.Equal(texts.Select(text => (long)text.Length), box.Current.Rows().Select(row => row.Size));
            for (uint uid = 1; uid <= 2; uid++) Assert.Equal(texts[uid - 1], await _store.ContentAsync(box.Info.Id!.Value, new(uid)));
        }

        await VerifyAsync();

        async Task SettleAsync()
        {
            await using IMailbox box = await _store.MustSelectAsync("INBOX");
            Assert.Equal(2, box.Current.Count);
        }
    }

    // The file of a large message is made from its record piece by piece.
    [Fact]
    public async Task Converting_a_large_message_takes_no_memory_of_its_size()
    {
        string text = Lines(2_000_000, "large"); // 25 MB
        await using IMessageSink sink = await _server.SinkAsync(text);
        JournalContent content = ((JournalSink)sink).Content;
        await content.CompleteAsync(Cancel);
        Assert.False(content.TryGetMemory(out _));
        Change.Store store = new(default, default, default, 0)
        {
            Flags = default, Keywords = KeywordSet.Empty, Internal = 0, Zone = 0, Prefix = "X-Own: 1\r\n"u8.ToArray(), Offset = 0, Length = content.Length,
            LfOctets = Lf("X-Own: 1\r\n" + text).Length,
        };
        using MessageBytes bytes = new(content, store);
        byte[] buffer = new byte[64 * 1024], pair = new byte[2];
        uint expected = Crc32C.Compute(Encoding.Latin1.GetBytes(Lf("X-Own: 1\r\n" + text)));
        _ = bytes.FileChecksum();
        long before = GC.GetAllocatedBytesForCurrentThread();
        long length = 0;
        for (; bytes.ReadFile(length, buffer) is > 0 and int got; length += got) { }
        uint sum = bytes.FileChecksum();
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);
        Assert.Equal((store.Octets, expected), (length, sum));
        // However little is asked for at a time.
        uint small = 0;
        for (long at = 0; bytes.ReadFile(at, pair) is > 0 and int got; at += got) small = Crc32C.Append(small, pair.AsSpan(0, got));
        Assert.Equal(expected, small);
    }

    [Fact]
    public void Pieces_of_any_size_give_the_same_file()
    {
        Random random = new(7);
        for (int round = 0; round < 3000; round++)
        {
            char[] kinds = ['\r', '\n', 'a', 'b'];
            string text = string.Concat(Enumerable.Range(0, random.Next(40)).Select(_ => random.Next(3) == 0 ? "\r\n" : kinds[random.Next(4)].ToString()));
            byte[] raw = Encoding.Latin1.GetBytes(text);
            long wire = raw.Length;
            for (int i = 0; i < raw.Length; i++)
                if (raw[i] == '\n' && (i == 0 || raw[i - 1] != '\r')) wire++;
            byte[] crlf = LineEnds.ToCrlf(raw, wire);
            long? length = LineEnds.LengthWithLf(raw);
            Assert.Equal(text.Contains("\r\r\n", StringComparison.Ordinal), length is null);
            byte[] lf = [.. raw];
            int made = LineEnds.ToLf(lf);
            Assert.Equal(Lf(text), Encoding.Latin1.GetString(lf, 0, made));
            if (length is null) continue;
            Assert.Equal(length, made);
            // What is made of the file is what would have been made of the message.
            Assert.Equal(crlf, ReadBack(lf[..made], wire, random));
            Assert.Equal(crlf, ReadBack(raw, wire, random));
        }
    }

    private static byte[] ReadBack(byte[] lying, long wire, Random random)
    {
        CrlfContent content = new(new Lying(lying, random), wire);
        byte[] read = new byte[wire];
        for (int at = 0; at < read.Length;)
        {
            if (random.Next(8) == 0) Assert.Equal(1, content.Read(random.Next(read.Length), new byte[1])); // to and fro
            at += content.Read(at, read.AsSpan(at, Math.Min(1 + random.Next(5), read.Length - at)));
        }

        Assert.Equal(0, content.Read(read.Length, new byte[1]));
        return read;
    }

    /// <summary>Gives out as little as it likes.</summary>
    private sealed class Lying(byte[] bytes, Random random) : IMessageContent
    {
        public long Length => bytes.Length;

        public int Read(long offset, Span<byte> into)
        {
            int count = (int)Math.Min(Math.Min(into.Length, 1 + random.Next(7)), bytes.Length - offset);
            if (count <= 0) return 0;
            bytes.AsSpan((int)offset, count).CopyTo(into);
            return count;
        }

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }

    private async Task VerifyAsync()
    {
        await _store.DisposeAsync();
        await _server.DisposeAsync();
        StoreVerifier verifier = new(new() { AccountsDirectory = _directory + "/accounts", LineEndings = FileLineEndings.Crlf }, _volume);
        Assert.Empty(verifier.Verify(Ann, readMail: true, null, Cancel).Differences.Select(difference => difference.ToString()));
        await StartAsync();
    }
}
