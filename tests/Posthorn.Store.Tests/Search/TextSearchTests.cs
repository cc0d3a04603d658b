using System.Text;
using CsCheck;
using Microsoft.Extensions.Time.Testing;
using Posthorn.Core;
using Posthorn.Journal.Volume;
using Posthorn.Mime;
using Posthorn.Store.Contract;
using Posthorn.Store.Tests.Engine;
using static Posthorn.Store.Contract.StoreFixture;

namespace Posthorn.Store.Tests.Search;

/// <summary>Searches by the word index find what reading all mail finds, whatever happened to the index.</summary>
public sealed class TextSearchTests : IAsyncLifetime
{
    private readonly string _directory = Directory.CreateTempSubdirectory("posthorn-search-").FullName;
    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 3, 4, 5, 6, 7, TimeSpan.Zero));
    private readonly List<string> _texts = [];
    private MaildirHarness _server = null!;
    private IMailStore _store = null!;
    private MailboxId _inbox;

    private MailAccount Ann => MaildirHarness.Account(_directory, "ann");

    private string IndexPath => _directory + "/accounts/example.org/ann/words.db";

    public async ValueTask InitializeAsync() => await StartAsync();

    public async ValueTask DisposeAsync()
    {
        await StopAsync(kill: false);
        Directory.Delete(_directory, recursive: true);
    }

    private async ValueTask StartAsync()
    {
        _server = new(_directory, new LinuxVolume(), _time);
        await _server.StartAsync();
        _store = await _server.MustOpenAsync(Ann);
        await using IMailbox inbox = await _store.MustSelectAsync("INBOX", readOnly: true);
        _inbox = inbox.Info.Id!.Value;
    }

    private async ValueTask StopAsync(bool kill)
    {
        if (!kill) await _store.DisposeAsync();
        await _server.StopAsync(kill);
    }

    private async ValueTask RestartAsync(bool kill)
    {
        await StopAsync(kill);
        await StartAsync();
    }

    private async ValueTask AppendAsync(params string[] texts)
    {
        foreach (string[] some in texts.Chunk(50)) await _store.MustAppendAsync(_server, "INBOX", [.. some.Select(text => Encoding.Latin1.GetString(Encoding.UTF8.GetBytes(text)))]);
        _texts.AddRange(texts);
    }

    private async ValueTask<string[]> AppendManyAsync(int count)
    {
        string[] texts = [.. Enumerable.Range(0, count).Select(i => $"Subject: number{i} of many\r\nX-Code: c{i * 37 % 101}\r\n\r\nThe text of {i}, word{i % 13}.\r\n")];
        await AppendAsync(texts);
        return texts;
    }

    private ValueTask<bool> IndexAsync(bool anew = false) => _server.Stores.IndexAsync(Ann, anew, null, Cancel);

    private ValueTask<IReadOnlyList<Uid>> FindAsync(TextCriterion criterion) => _store.FindTextAsync(_inbox, [.. Enumerable.Range(1, _texts.Count).Select(uid => new Uid((uint)uid))], criterion, Cancel);

    // What is there, by reading it all.
    private IEnumerable<Uid> Expected(TextCriterion criterion, IReadOnlySet<int>? gone = null)
    {
        MessageSearch search = new(criterion, MimeLimits.Default);
        for (int i = 0; i < _texts.Count; i++)
            if (gone?.Contains(i) != true && search.Matches(Encoding.UTF8.GetBytes(_texts[i]))) yield return new((uint)i + 1);
    }

    private async ValueTask HoldsAsync(string needle, IReadOnlySet<int>? gone = null)
    {
        foreach (TextCriterion criterion in (TextCriterion[])[new(TextScope.All, "", needle), new(TextScope.Body, "", needle), new(TextScope.Header, "Subject", needle), new(TextScope.Header, "X-Code", needle), new(TextScope.Header, "from", needle), new(TextScope.Header, "CC", needle)])
            Assert.True(Expected(criterion, gone).SequenceEqual(await FindAsync(criterion)), $"{criterion}");
    }

    private static readonly Gen<string> Messages = Gen.Select(WordPieceTests.Texts, WordPieceTests.Texts, Gen.Int[0, 3]).Select((subject, body, kind) =>
    {
        string clean = subject.Replace("\r\n", " ", StringComparison.Ordinal).Replace("\0", "", StringComparison.Ordinal);
        string head = $"From: someone@example.org\r\nCc: {clean}, \"Some (one)\" <{kind}@\r\n\t example.net>\r\nSubject: {(kind == 1 ? $"=?utf-8?b?{Convert.ToBase64String(Encoding.UTF8.GetBytes(clean))}?=" : clean)}\r\nX-Code: {clean}\r\nMIME-Version: 1.0\r\n";
        return kind switch
        {
            0 => $"{head}Content-Type: text/plain; charset=utf-8\r\n\r\n{body}\r\n",
            1 => $"{head}Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n{Convert.ToBase64String(Encoding.UTF8.GetBytes(body), Base64FormattingOptions.InsertLineBreaks)}\r\n",
            2 => $"{head}Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n{body}\r\n--b\r\nContent-Type: application/octet-stream; name=\"{clean.Replace("\"", "", StringComparison.Ordinal)}\"\r\nContent-Transfer-Encoding: base64\r\n\r\naGlkZGVu\r\n--b--\r\n",
            _ => $"{head}Content-Type: message/rfc822\r\n\r\nSubject: inner {clean}\r\n\r\n{body}\r\n",
        };
    });

    [Fact]
    public async Task The_index_finds_what_reading_finds()
    {
        string[] texts = Messages.Array[120].Single(_ => true, "0000tXJFGyC2");
        await AppendAsync(texts);
        Assert.True(await IndexAsync());
        List<string> needles = ["", " ", "a", "-", "\r\n", "inner", "hidden", "INNER ", "someone@example.org"];
        Gen.Select(Gen.Int[0, texts.Length - 1], Gen.Int[0, 400], Gen.Int[1, 12]).Sample((which, start, length) =>
        {
            string text = texts[which];
            start = Math.Min(start, text.Length - 1);
            lock (needles) needles.Add(text.Substring(start, Math.Min(length, text.Length - start)));
        }, iter: 300, threads: 1);
        WordPieceTests.Texts.Sample(text => needles.Add(text), iter: 100, threads: 1);
        foreach (string needle in needles) await HoldsAsync(needle);
    }

    /// <summary>An ENVELOPE has words of its own where an address lacks a part; nobody wrote them.</summary>
    [Fact]
    public async Task What_the_envelope_says_by_itself_is_not_found()
    {
        await AppendManyAsync(30);
        await AppendAsync("Subject: s\r\nFrom: nobody\r\nCc: \"Some one\" <ann>, <@example.net>\r\n\r\ntext\r\n");
        Assert.True(await IndexAsync());
        foreach (string needle in (string[])["MISSING", "I", "domain", "mailbox", "ann", "nobody"]) await HoldsAsync(needle);
    }

    [Fact]
    public async Task Only_candidates_of_the_index_are_read()
    {
        await AppendManyAsync(200);
        Assert.True(await IndexAsync());
        // All files but those that match are out of reach: who reads them does not find what is in them, who asks the index does not care.
        foreach (string file in Directory.GetFiles(Ann.MailRoot + "/new"))
            if (!(await File.ReadAllTextAsync(file, Cancel)).Contains("word7.", StringComparison.Ordinal)) File.Delete(file);
        IReadOnlyList<Uid> found = await FindAsync(new(TextScope.Body, "", "ord7"));
        Assert.Equal(Enumerable.Range(0, 200).Where(i => i % 13 == 7).Select(i => new Uid((uint)i + 1)), found);
        Assert.Equal(found, await FindAsync(new(TextScope.All, "", "text of")));
    }

    [Fact]
    public async Task What_is_not_indexed_yet_is_read()
    {
        await AppendManyAsync(60);
        await HoldsAsync("word7");
        Assert.False(File.Exists(IndexPath));
        Assert.True(await IndexAsync());
        await AppendManyAsync(30);
        await HoldsAsync("word7");
        await HoldsAsync("number5");
        await _server.MustDeliverAsync(Ann, "Subject: late\r\n\r\nword77\r\n");
        _texts.Add("Subject: late\r\n\r\nword77\r\n");
        await HoldsAsync("word7");
    }

    [Fact]
    public async Task What_is_expunged_drops_out_and_its_number_is_not_used_again()
    {
        await AppendManyAsync(40);
        Assert.True(await IndexAsync());
        await using IMailbox box = await _store.MustSelectAsync("INBOX");
        Uid[] doomed = Uids(10, 39, 40);
        Must(await _store.ChangeFlagsAsync(_inbox, doomed, new(FlagOperation.Add, SystemFlags.Deleted, KeywordSet.Empty), null, Cancel));
        Must(await _store.ExpungeAsync(_inbox, null, Cancel));
        // A session that was not told yet still finds them.
        await HoldsAsync("number");
        await box.DisposeAsync();
        await AppendManyAsync(5);
        HashSet<int> gone = [9, 38, 39];
        await HoldsAsync("number", gone);
        Assert.True(await IndexAsync());
        await HoldsAsync("number3", gone);
        await _store.DisposeAsync();
        await _server.StopAsync(kill: false);
        using (Store.Catalogue.WordIndex index = new(IndexPath))
        {
            Assert.Equal(42, index.Count);
            Assert.Equal(42, index.Find(Store.Search.WordPiece.Of("number"), TextScope.Header)!.Contents.Count);
        }

        await StartAsync();
        await HoldsAsync("number", gone);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task After_an_unclean_end_the_index_is_compared(bool kill)
    {
        await AppendManyAsync(40);
        Assert.True(await IndexAsync());
        Must(await _store.ChangeFlagsAsync(_inbox, Uids(7), new(FlagOperation.Add, SystemFlags.Deleted, KeywordSet.Empty), null, Cancel));
        Must(await _store.ExpungeAsync(_inbox, null, Cancel));
        await RestartAsync(kill);
        HashSet<int> gone = [6];
        await HoldsAsync("number", gone);
        await AppendManyAsync(10);
        Assert.True(await IndexAsync());
        await HoldsAsync("number1", gone);
        await StopAsync(kill: false);
        using (Store.Catalogue.WordIndex index = new(IndexPath)) Assert.Equal(49, index.Count);
        await StartAsync();
    }

    // As after a power cut that took the catalogue's last changes and not the index's: numbers mean other messages.
    [Fact]
    public async Task An_index_of_other_contents_is_not_believed()
    {
        await AppendManyAsync(40);
        Assert.True(await IndexAsync());
        await StopAsync(kill: false);
        using (Store.Catalogue.WordIndex index = new(IndexPath))
        {
            List<Store.Catalogue.IndexedContent> wrong = [];
            for (long content = 20; content <= 40; content++) wrong.Add(new(content, new("other" + content), new(["other"], ["other"], [])));
            index.Add(wrong, 60);
            index.Settle("of before", 60);
        }

        await StartAsync();
        await HoldsAsync("number3");
        Assert.True(await IndexAsync());
        await HoldsAsync("number3");
        await AppendManyAsync(30);
        await HoldsAsync("number2");
        Assert.True(await IndexAsync());
        await HoldsAsync("number2");
        Assert.Empty(await FindAsync(new(TextScope.All, "", "other")));
    }

    [Fact]
    public async Task A_damaged_index_harms_nobody_and_is_made_anew()
    {
        await AppendManyAsync(150);
        Assert.True(await IndexAsync());
        await StopAsync(kill: false);
        byte[] good = await File.ReadAllBytesAsync(IndexPath, Cancel);
        for (int page = 0; page < good.Length / 4096; page += 1 + (good.Length / 4096 / 12))
        {
            byte[] bad = [.. good];
            new Random(page).NextBytes(bad.AsSpan(page * 4096, 4096));
            await File.WriteAllBytesAsync(IndexPath, bad, Cancel);
            await StartAsync();
            await AppendManyAsync(1);
            await IndexAsync();
            await HoldsAsync("word7");
            await HoldsAsync("number1");
            if (!await IndexAsync()) Assert.True(await IndexAsync());
            await HoldsAsync("word7");
            await StopAsync(kill: false);
            good = await File.ReadAllBytesAsync(IndexPath, Cancel);
        }

        await File.WriteAllBytesAsync(IndexPath, "this is no database, it is a letter to whoever reads it"u8.ToArray(), Cancel);
        await StartAsync();
        await HoldsAsync("word7");
        Assert.True(await IndexAsync(anew: true));
        await HoldsAsync("word7");
    }

    [Fact]
    public async Task A_message_with_too_many_words_is_always_read()
    {
        await AppendManyAsync(30);
        string log = string.Concat(Enumerable.Range(0, Store.Search.MessageWords.Most + 1).Select(i => $"e{i:x}\r\n"));
        await AppendAsync($"Subject: log\r\n\r\n{log}");
        Assert.True(await IndexAsync());
        await HoldsAsync("e3fff");
        await RestartAsync(kill: true);
        await HoldsAsync("e3fff");
    }

    [Fact]
    public async Task The_background_indexes_what_has_come_when_it_is_quiet()
    {
        await AppendManyAsync(30);
        using CancellationTokenSource deadline = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        deadline.CancelAfter(TimeSpan.FromSeconds(60));
        while (!IsIndexed(30))
        {
            deadline.Token.ThrowIfCancellationRequested();
            _time.Advance(TimeSpan.FromSeconds(1));
            await Task.Yield();
        }

        await HoldsAsync("word7");
    }

    private bool IsIndexed(int contents) => _server.Stores.TryUseWords(Ann.Address, index => index.Count, out long count) && count == contents;
}
