using System.Buffers.Binary;
using System.Globalization;
using System.Text.RegularExpressions;
using CsCheck;
using Posthorn.Core;
using Posthorn.Store.Dovecot;

namespace Posthorn.Store.Tests.Dovecot;

/// <summary>Dovecot's index files, as Dovecot 2.3.19 wrote them (<c>corpus</c>), as we write them, and damaged.</summary>
public sealed partial class IndexTests
{
    private static byte[]? File(string folder, string name)
    {
        string path = Path.Combine(AppContext.BaseDirectory, "Dovecot", "corpus", folder, name);
        return System.IO.File.Exists(path) ? System.IO.File.ReadAllBytes(path) : null;
    }

    private static FolderIndex Read(string folder) => FolderIndex.Read(name => File(folder, name))!;

    [Fact]
    public void An_index_and_its_log_say_what_Dovecot_told_its_client()
    {
        FolderIndex read = Read("indexed");
        Assert.True(read.IsWhole);
        Assert.Empty(read.Problems);
        IndexState state = read.State!;
        Assert.Equal((1795712995u, 61u, 135ul), (state.Validity, state.NextUid, state.Highest));
        string[] lines = System.IO.File.ReadAllLines(Path.Combine(AppContext.BaseDirectory, "Dovecot", "corpus", "indexed", "expected.txt"));
        Assert.Equal(lines.Length, state.Messages.Count);
        foreach ((string line, IndexMessage message) in lines.Zip(state.Messages))
        {
            Match match = FetchLine().Match(line);
            Assert.Equal(match.Groups[1].Value, message.Uid.ToString(CultureInfo.InvariantCulture));
            string[] flags = match.Groups[2].Value.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            IEnumerable<string> found = state.KeywordsOf(message).Select(keyword => keyword.Name);
            if ((message.SystemFlags & SystemFlags.Seen) != 0) found = found.Append(@"\Seen");
            if ((message.SystemFlags & SystemFlags.Flagged) != 0) found = found.Append(@"\Flagged");
            Assert.Equal(flags.Where(flag => flag != @"\Recent").Order(StringComparer.Ordinal), found.Order(StringComparer.Ordinal));
        }
    }

    // Names that all point to one long text, more keywords than anybody has, and all of them for every message: memory for what the file's few octets ask for.
    [Fact]
    public void A_file_that_somebody_made_up_costs_no_more_than_it_may()
    {
        IndexState state = new() { Id = 7, Validity = 1, NextUid = 2, LogSequence = 2, Highest = 1 };
        for (int i = 0; i < 10_000; i++) state.Keywords.Add(i == 9_999 ? new string('x', 1 << 20) : "");
        (byte[] index, byte[] log) = IndexWriter.Write(state, 1_700_000_000);
        int names = index.AsSpan().IndexOf("keywords"u8) + 8;
        int list = (names + 7) / 8 * 8 + 4, far = BinaryPrimitives.ReadInt32LittleEndian(index.AsSpan(list + 8 * 9_999 + 4));
        for (int i = 0; i < 10_000; i++) BinaryPrimitives.WriteInt32LittleEndian(index.AsSpan(list + 8 * i + 4), far);
        long before = GC.GetAllocatedBytesForCurrentThread();
        FolderIndex read = FolderIndex.Read(name => name == IndexFile.FileName ? index : name == IndexLog.FileName ? log : null)!;
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 100 << 20);
        Assert.Equal(10_000, read.State!.Keywords.Count);
        Assert.All(read.State.Keywords, name => Assert.Equal(1024, name.Length));
    }

    [Theory]
    [InlineData(0, 17_000)]
    [InlineData(2_200, 2_000)]
    public void A_log_that_gives_more_keywords_than_anybody_has_is_left_aside(int messages, int keywords)
    {
        (byte[] index, byte[] log) = IndexWriter.Write(new() { Id = 7, Validity = 1, LogSequence = 2, Highest = 1 }, 1_700_000_000);
        List<byte> bytes = [.. log];
        byte[] uids = new byte[8 * messages];
        for (int i = 0; i < messages; i++) BinaryPrimitives.WriteInt32LittleEndian(uids.AsSpan(8 * i), i + 1);
        if (messages > 0) Add(0x2, uids);
        for (int i = 0; i < keywords; i++)
            Add(0x400, [0, 0, 8, 0, .. System.Text.Encoding.ASCII.GetBytes(i.ToString("x8", CultureInfo.InvariantCulture)), 1, 0, 0, 0, 255, 255, 255, 255]);
        FolderIndex read = FolderIndex.Read(name => name == IndexFile.FileName ? index : name == IndexLog.FileName ? bytes.ToArray() : null)!;
        Assert.False(read.IsWhole);
        Assert.NotEmpty(read.Problems);
        Assert.InRange(read.State!.Keywords.Count, 1, IndexState.MostKeywords + 1);

        // As Dovecot writes it: the size in units of four, seven bits in each octet.
        void Add(uint kind, byte[] body)
        {
            uint size = (uint)(body.Length + 8) >> 2;
            Span<byte> head = stackalloc byte[8];
            for (int i = 0; i < 4; i++) head[i] = (byte)(0x80 | (size >> (7 * (3 - i)) & 0x7f));
            BinaryPrimitives.WriteUInt32LittleEndian(head[4..], kind | 0x10000000);
            bytes.AddRange(head);
            bytes.AddRange(body);
        }
    }

    [Fact]
    public void A_log_without_an_index_is_enough()
    {
        FolderIndex read = Read("log-only");
        Assert.True(read.IsWhole);
        IndexState state = read.State!;
        Assert.Equal((1795712661u, 13u, 57ul, 11), (state.Validity, state.NextUid, state.Highest, state.Messages.Count));
        Assert.Null(state.Find(3));
        SortedDictionary<int, string> letters = new(Enumerable.Range(0, 26).ToDictionary(i => i, i => i < 6 ? $"kw{i * 2 + 1}" : $"key{i - 6}"));
        IEnumerable<string> Names(int from, int without) => Enumerable.Range(from, 35 - from).Where(i => i != without).Select(i => $"key{i}").Order(StringComparer.OrdinalIgnoreCase);
        Assert.Equal(Names(20, 30), state.IndexOnly(state.Find(2)!, letters).Select(keyword => keyword.Name));
        Assert.Equal(Names(20, -1), state.IndexOnly(state.Find(4)!, letters).Select(keyword => keyword.Name));
        Assert.Equal(36, state.KeywordsOf(state.Find(4)!).Count);
        Assert.Empty(state.IndexOnly(state.Find(8)!, letters));
    }

    [Fact]
    public void What_was_written_is_read_again() =>
        Gen.Select(Gen.UInt[1, 1000].Array[0, 60], Gen.Int[0, 70], Gen.ULong[1, 1ul << 60], Gen.Int[0, 1 << 30]).Sample((uids, keywords, highest, seed) =>
        {
            Random random = new(seed);
            IndexState state = new() { Id = 77, Validity = 5, NextUid = 2000, FirstRecent = 12, LogSequence = 3, Highest = highest };
            for (int i = 0; i < keywords; i++) state.Keywords.Add($"keyword-{i}");
            foreach (uint uid in uids.Distinct().Order())
            {
                IndexMessage message = new(uid) { Flags = (byte)random.Next(32), ModSeq = highest };
                for (int i = 0; i < keywords; i++)
                    if (random.Next(3) == 0) (message.Keywords ??= []).Add(i);
                Assert.True(state.Append(message));
            }

            (byte[] index, byte[] log) = IndexWriter.Write(state, 1_800_000_000);
            FolderIndex read = FolderIndex.Read(name => name == IndexFile.FileName ? index : name == IndexLog.FileName ? log : null)!;
            Assert.Empty(read.Problems);
            Assert.True(read.IsWhole);
            IndexState back = read.State!;
            Assert.Equal((state.Id, state.Validity, state.NextUid, state.FirstRecent, state.Highest), (back.Id, back.Validity, back.NextUid, back.FirstRecent, back.Highest));
            Assert.Equal(state.Keywords, back.Keywords);
            Assert.Equal(Describe(state), Describe(back));
        });

    [Fact]
    public void Damage_is_never_an_error_and_never_more_than_was_there()
    {
        byte[] index = File("indexed", IndexFile.FileName)!, log = File("indexed", IndexLog.FileName)!, alone = File("log-only", IndexLog.FileName)!;
        Gen.Select(Gen.Int[0, 5], Gen.Int[0, 1 << 30], Gen.Int[1, 12]).Sample((what, seed, count) =>
        {
            Random random = new(seed);
            byte[] damagedIndex = [.. index], damagedLog = [.. what % 2 == 0 ? log : alone];
            if (what < 2) damagedLog = damagedLog[..random.Next(damagedLog.Length)];
            else if (what < 4) Scatter(damagedLog, random, count);
            else Scatter(damagedIndex, random, count);
            FolderIndex? read = FolderIndex.Read(name => name == IndexFile.FileName && what % 2 == 0 ? damagedIndex : name == IndexLog.FileName ? damagedLog : null);
            if (read?.State is not { } state) return;
            Assert.True(state.Messages.Count <= 4096);
            Assert.True(state.Messages.Zip(state.Messages.Skip(1)).All(pair => pair.First.Uid < pair.Second.Uid));
            foreach (IndexMessage message in state.Messages) _ = state.KeywordsOf(message);
            if (!read.IsWhole) Assert.NotEmpty(read.Problems);
        }, iter: 20_000);
    }

    [Fact]
    public void Every_length_of_a_log_is_a_state_that_once_was()
    {
        byte[] alone = File("log-only", IndexLog.FileName)!;
        ulong highest = 0;
        for (int length = 0; length <= alone.Length; length++)
        {
            FolderIndex read = FolderIndex.Read(name => name == IndexLog.FileName ? alone[..length] : null)!;
            if (read.State is not { } state) continue;
            Assert.True(state.Highest >= highest, $"MODSEQ fell at {length}");
            highest = state.Highest;
        }

        Assert.Equal(57ul, highest);
    }

    [Fact]
    public void Other_versions_and_strangers_are_left_aside_with_the_reason()
    {
        byte[] index = File("indexed", IndexFile.FileName)!, log = File("indexed", IndexLog.FileName)!;
        byte[] newer = [.. index];
        newer[0] = 8;
        FolderIndex read = FolderIndex.Read(name => name == IndexFile.FileName ? newer : null)!;
        Assert.Null(read.State);
        Assert.Equal(["dovecot.index has version 8, known is 7"], read.Problems);

        byte[] other = [.. log];
        other[4] ^= 1; // another index's log, which does not begin at nothing
        other[12] = 1;
        read = FolderIndex.Read(name => name == IndexFile.FileName ? index : name == IndexLog.FileName ? other : null)!;
        Assert.False(read.IsWhole);
        Assert.Equal(135ul, read.State!.Highest); // the number is still of use
        Assert.Contains("dovecot.index and dovecot.index.log do not belong together", read.Problems);
        Assert.Null(FolderIndex.Read(_ => null));
    }

    [Fact]
    public void Removed_mailboxes_are_known_from_their_log()
    {
        byte[] log = [1, 0, 0, 0, .. Enumerable.Range(1, 16).Select(i => (byte)i), 0, 0, 0, 9, 4, 0, 0, 0, .. new byte[20], 1, 0, 0];
        Assert.Equal(["0102030405060708090a0b0c0d0e0f10"], MailboxLog.Deleted(log));
    }

    private static void Scatter(byte[] bytes, Random random, int count)
    {
        for (int i = 0; i < count; i++) bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
    }

    private static IEnumerable<string> Describe(IndexState state) =>
        state.Messages.Select(message => $"{message.Uid} {message.Flags} {string.Join(',', message.Keywords ?? [])}");

    [GeneratedRegex(@"UID (\d+) FLAGS \(([^)]*)\)")]
    private static partial Regex FetchLine();
}
