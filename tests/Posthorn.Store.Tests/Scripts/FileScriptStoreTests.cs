using System.Text;
using Microsoft.Extensions.Time.Testing;
using Posthorn.Core;
using Posthorn.Journal.Volume;
using Posthorn.Store.Scripts;
using Posthorn.Testing;

namespace Posthorn.Store.Tests.Scripts;

public sealed class FileScriptStoreTests : IDisposable
{
    private static readonly CancellationToken Cancel = TestContext.Current.CancellationToken;

    private readonly TemporaryFolder _folder = new();
    private readonly FakeTimeProvider _time = new(DateTimeOffset.UtcNow);
    private readonly MailAccount _ann;
    private readonly FileScriptStore _store;

    public FileScriptStoreTests()
    {
        EmailAddress.TryParse("ann@example.org", out EmailAddress address);
        _ann = new() { Address = address, MailRoot = $"{_folder.Path}/ann", Home = $"{_folder.Path}/ann/home" };
        _store = Store(new());
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task A_new_account_has_no_scripts_and_none_is_active()
    {
        Assert.Empty(await _store.ListAsync(_ann, Cancel));
        Assert.Equal(RefusalKind.NoSuchScript, (await _store.ActiveAsync(_ann, Cancel)).Refusal.Kind);
        Assert.Equal(RefusalKind.NoSuchScript, (await _store.GetAsync(_ann, Name("x"), Cancel)).Refusal.Kind);
        Assert.True((await _store.ActivateAsync(_ann, null, Cancel)).IsOk);
        Assert.Equal(RefusalKind.NoSuchScript, (await _store.ActivateAsync(_ann, Name("x"), Cancel)).Refusal.Kind);
        Assert.Equal(RefusalKind.NoSuchScript, (await _store.DeleteAsync(_ann, Name("x"), Cancel)).Refusal.Kind);
        Assert.Equal(RefusalKind.NoSuchScript, (await _store.RenameAsync(_ann, Name("x"), Name("y"), Cancel)).Refusal.Kind);
    }

    [Fact]
    public async Task Files_lie_where_Pigeonhole_has_them()
    {
        await PutAsync("main", "keep;");
        await PutAsync("été", "discard;");
        Assert.True((await _store.ActivateAsync(_ann, Name("main"), Cancel)).IsOk);
        Assert.Equal("keep;", File.ReadAllText($"{_ann.Home}/sieve/main.sieve"));
        Assert.Equal("discard;", File.ReadAllText($"{_ann.Home}/sieve/été.sieve"));
        Assert.Equal("sieve/main.sieve", new FileInfo($"{_ann.Home}/.dovecot.sieve").LinkTarget);
        Assert.Equal([".dovecot.sieve", "main.sieve", "sieve", "été.sieve"], Directory.EnumerateFileSystemEntries(_ann.Home, "*", SearchOption.AllDirectories).Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal));
        Assert.Equal([new(Name("main"), 5, true), new(Name("été"), 8, false)], await _store.ListAsync(_ann, Cancel));
    }

    [Fact]
    public async Task The_active_script_stays_active_when_it_is_replaced_or_renamed_and_cannot_be_deleted()
    {
        await PutAsync("main", "keep;");
        await _store.ActivateAsync(_ann, Name("main"), Cancel);
        await PutAsync("main", "stop;");
        Assert.Equal("stop;", await ActiveAsync());
        Assert.True((await _store.RenameAsync(_ann, Name("main"), Name("other"), Cancel)).IsOk);
        Assert.Equal("stop;", await ActiveAsync());
        Assert.Equal([new(Name("other"), 5, true)], await _store.ListAsync(_ann, Cancel));
        Assert.Equal(Name("other"), (await _store.ActiveAsync(_ann, Cancel)).Value.Name);
        Assert.Equal(RefusalKind.InUse, (await _store.DeleteAsync(_ann, Name("other"), Cancel)).Refusal.Kind);
        Assert.True((await _store.ActivateAsync(_ann, null, Cancel)).IsOk);
        Assert.True((await _store.DeleteAsync(_ann, Name("other"), Cancel)).IsOk);
        Assert.Empty(await _store.ListAsync(_ann, Cancel));
    }

    [Fact]
    public async Task A_name_that_is_taken_is_not_renamed_over()
    {
        await PutAsync("a", "keep;");
        await PutAsync("b", "stop;");
        Assert.Equal(RefusalKind.AlreadyExists, (await _store.RenameAsync(_ann, Name("a"), Name("b"), Cancel)).Refusal.Kind);
        Assert.Equal("stop;", Text((await _store.GetAsync(_ann, Name("b"), Cancel)).Value));
    }

    [Fact]
    public async Task An_absolute_link_of_an_adopted_home_counts()
    {
        Adopt("sieve/rules.sieve", "keep;");
        File.CreateSymbolicLink($"{_ann.Home}/.dovecot.sieve", $"{_ann.Home}/sieve/rules.sieve");
        Assert.Equal([new(Name("rules"), 5, true)], await _store.ListAsync(_ann, Cancel));
        Assert.Equal("keep;", await ActiveAsync());
    }

    [Fact]
    public async Task A_link_to_elsewhere_runs_and_is_no_script_of_the_list()
    {
        string elsewhere = _folder.Write("shared/all.sieve", "discard;");
        Adopt("sieve/all.sieve", "keep;");
        File.CreateSymbolicLink($"{_ann.Home}/.dovecot.sieve", elsewhere);
        Assert.Equal("discard;", await ActiveAsync());
        Assert.Equal([new(Name("all"), 5, false)], await _store.ListAsync(_ann, Cancel));
        Assert.Null((await _store.ActiveAsync(_ann, Cancel)).Value.Name);
    }

    [Fact]
    public async Task A_dead_link_is_no_active_script()
    {
        Directory.CreateDirectory(_ann.Home);
        File.CreateSymbolicLink($"{_ann.Home}/.dovecot.sieve", "sieve/gone.sieve");
        Assert.Equal(RefusalKind.NoSuchScript, (await _store.ActiveAsync(_ann, Cancel)).Refusal.Kind);
    }

    [Fact]
    public async Task A_plain_file_runs_and_is_kept_when_another_script_becomes_active()
    {
        Adopt(".dovecot.sieve", "# by hand");
        Assert.Equal("# by hand", await ActiveAsync());
        await PutAsync("new", "keep;");
        Assert.True((await _store.ActivateAsync(_ann, Name("new"), Cancel)).IsOk);
        Assert.Equal("keep;", await ActiveAsync());
        Assert.Equal("# by hand", Text((await _store.GetAsync(_ann, Name("dovecot.orig"), Cancel)).Value));
    }

    [Fact]
    public async Task A_change_by_an_editor_is_seen_at_once()
    {
        Adopt("sieve/a.sieve", "keep;");
        await _store.ActivateAsync(_ann, Name("a"), Cancel);
        Assert.Equal("keep;", await ActiveAsync());
        File.WriteAllText($"{_ann.Home}/sieve/a.sieve", "stop;"); // same length, same file, nearly the same time
        Assert.Equal("stop;", await ActiveAsync());
    }

    [Fact]
    public async Task An_unchanged_script_is_not_read_again()
    {
        Adopt("sieve/a.sieve", "keep;");
        await _store.ActivateAsync(_ann, Name("a"), Cancel);
        _time.Advance(TimeSpan.FromMinutes(1));
        StoredScript first = (await _store.ActiveAsync(_ann, Cancel)).Value;
        StoredScript second = (await _store.ActiveAsync(_ann, Cancel)).Value;
        Assert.True(first.Content.Equals(second.Content)); // the same memory
    }

    [Theory]
    [InlineData("")]
    [InlineData("a/b")]
    [InlineData("a\nb")]
    [InlineData("a\u0085b")]
    [InlineData("a\u2028b")]
    public void Names_that_cannot_be(string name) => Assert.False(ScriptName.TryCreate(name, out _));

    [Fact]
    public async Task The_longest_name_fits_and_one_more_does_not()
    {
        string longest = new('é', ScriptName.MaxOctets / 2);
        await PutAsync(longest, "keep;");
        Assert.Equal(longest, Assert.Single(await _store.ListAsync(_ann, Cancel)).Name.Value);
        Assert.False(ScriptName.TryCreate(longest + "éé", out _));
    }

    [Fact]
    public async Task Limits_are_told_apart()
    {
        FileScriptStore store = Store(new() { ScriptOctets = 10, Scripts = 2, TotalOctets = 15 });
        Assert.Equal(RefusalKind.TooBig, (await store.PutAsync(_ann, Name("a"), new byte[11], Cancel)).Refusal.Kind);
        Assert.True((await store.PutAsync(_ann, Name("a"), new byte[10], Cancel)).IsOk);
        Assert.Equal(RefusalKind.OverQuota, (await store.PutAsync(_ann, Name("b"), new byte[6], Cancel)).Refusal.Kind);
        Assert.True((await store.PutAsync(_ann, Name("a"), new byte[10], Cancel)).IsOk); // in place of itself
        Assert.True((await store.PutAsync(_ann, Name("b"), new byte[5], Cancel)).IsOk);
        Assert.Equal(RefusalKind.Limit, (await store.PutAsync(_ann, Name("c"), new byte[1], Cancel)).Refusal.Kind);
        Assert.Equal(RefusalKind.Limit, (await store.HasRoomAsync(_ann, Name("c"), 1, Cancel)).Refusal.Kind);
        Assert.True((await store.HasRoomAsync(_ann, Name("b"), 1, Cancel)).IsOk);
    }

    [Fact]
    public async Task A_file_above_the_limit_is_not_read_into_memory()
    {
        Adopt("sieve/big.sieve", new string('#', 11));
        Assert.Equal(RefusalKind.TooBig, (await Store(new() { ScriptOctets = 10 }).GetAsync(_ann, Name("big"), Cancel)).Refusal.Kind);
    }

    private FileScriptStore Store(ScriptLimits limits) => new(limits, new LinuxVolume(), _time);

    private void Adopt(string path, string text) => _folder.Write($"ann/home/{path}", text);

    private async Task PutAsync(string name, string text) => Assert.True((await _store.PutAsync(_ann, Name(name), Encoding.UTF8.GetBytes(text), Cancel)).IsOk);

    private async Task<string> ActiveAsync() => Text((await _store.ActiveAsync(_ann, Cancel)).Value);

    private static string Text(StoredScript script) => Encoding.UTF8.GetString(script.Content.Span);

    private static ScriptName Name(string text)
    {
        Assert.True(ScriptName.TryCreate(text, out ScriptName name));
        return name;
    }
}
