namespace Posthorn.Directory.Tests.Aliases;

/// <summary>Aliases in other formats than virtual(5): aliases(5) with lists, and tables of patterns.</summary>
public sealed class AliasFormatTests : IDisposable
{
    private readonly World _world = new("ann:{PLAIN}a\nbob:{PLAIN}b\n");
    private readonly string _folder = System.IO.Directory.CreateTempSubdirectory("posthorn-aliases-").FullName;

    public void Dispose()
    {
        _world.Dispose();
        System.IO.Directory.Delete(_folder, recursive: true);
    }

    [Theory]
    [InlineData("info: ann", "info@example.org", "=ann@example.org")]
    [InlineData("Info: ann, bob", "INFO@example.org", "=ann@example.org =bob@example.org")]
    [InlineData("info: ann,\n  x@far.example (a note)", "info@example.org", "=ann@example.org >x@far.example")]
    [InlineData("\"info\": \\ann", "info@example.org", "=ann@example.org")]
    [InlineData("root: postmaster\npostmaster: ann", "root@example.org", "=ann@example.org")]
    [InlineData("info: ann, |/bin/cmd", "info@example.org", "=ann@example.org")]
    [InlineData("info: \"|/bin/cmd a, b\"", "info@example.org", "Unknown")]
    [InlineData("info: /var/mail/file", "info@example.org", "Unknown")]
    [InlineData("info: ann", "info@other.example", "Unknown")]
    public void Aliases_of_the_system(string text, string address, string route)
    {
        Use("aliases", text);
        Assert.Equal(route, _world.Route(address));
    }

    [Fact]
    public void Commands_and_files_are_named_and_refused()
    {
        string path = Use("aliases", "ok: ann\nprog: |/bin/cmd, ann\nfile: \"/var/mail/f\"\nbad\n");
        Assert.Equal(
        [
            $"{path}:2: '|/bin/cmd' is a command. Posthorn runs no commands for aliases: this value is not used; a Sieve script with 'pipe' or 'execute' can do such work",
            $"{path}:3: '/var/mail/f' is a file. Posthorn writes mail into accounts only: this value is not used; name an account, or a Sieve script with 'fileinto'",
            $"{path}:4: expected 'name: value, value…', found 'bad'; not used",
        ], _world.Directory.Problems.Select(static p => p.ToString()));
    }

    [Fact]
    public void Lists_are_included_watched_and_may_include_lists()
    {
        string list = Path.Combine(_folder, "list"), other = Path.Combine(_folder, "other");
        _world.Write(list, $"ann\n# nobody\n:include:{other}\n:include:{list}\n");
        _world.Write(other, "x@far.example, bob\n");
        Use("aliases", $"team: :include:{list}\n");
        Assert.Equal("=ann@example.org >x@far.example =bob@example.org", _world.Route("team@example.org"));
        _world.Write(other, "y@far.example\n");
        _world.SecondPasses();
        Assert.Equal("=ann@example.org >y@far.example", _world.Route("team@example.org"));
        File.Delete(other);
        _world.SecondPasses();
        Assert.Equal("=ann@example.org >y@far.example", _world.Route("team@example.org"));
        Assert.Contains(_world.Directory.Problems, p => p.ToString() == $"{other}: does not exist; what was last read stays in use");
    }

    [Theory]
    [InlineData("regexp", "/^(.*)-list@example\\.org$/ $1", "ann-list@example.org", "=ann@example.org")]
    [InlineData("regexp", "/^sales\\./ ann, bob", "sales.x@example.org", "=ann@example.org =bob@example.org")]
    [InlineData("regexp", "/^sales\\./ ann", "sales.x@other.example", "Unknown")]
    [InlineData("pcre", "/^(?!bob)(\\w+)\\.old@/ $1@far.example", "carl.old@example.org", ">carl@far.example")]
    [InlineData("pcre", "/^(?!bob)(\\w+)\\.old@/ $1@far.example", "bob.old@example.org", "Unknown")]
    // The whole address is asked for, never a part of it, and what a file says in full comes first.
    [InlineData("regexp", "/^info@/ ann", "info+x@example.org", "Unknown")]
    public void Patterns(string type, string text, string address, string route)
    {
        Use(type, text);
        Assert.Equal(route, _world.Route(address));
    }

    // Whoever may send to a pattern's addresses chooses what its groups hold: that must never become an address of his choice.
    [Theory]
    [InlineData("/^(.*)-list@example\\.org$/ $1", "\"victim@elsewhere.example-list\"@example.org", "Unknown")]
    [InlineData("/^(.*)-list@example\\.org$/ $1", "\"ann, victim@elsewhere.example-list\"@example.org", "Unknown")]
    [InlineData("/^list-(.*)@example\\.org$/ $1@far.example", "\"list-x, victim@elsewhere.example, y\"@example.org", "Unknown")]
    [InlineData("/^\"?list-([^\"]*)\"?@example\\.org$/ $1@far.example", "\"list-x, victim@elsewhere.example, y\"@example.org", "Unknown")]
    [InlineData("/^\"?list-([^\"]*)\"?@example\\.org$/ $1@far.example", "\"list-x victim@elsewhere.example y\"@example.org", "Unknown")]
    [InlineData("/^\"?list-([^\"]*)\"?@example\\.org$/ $1@far.example", "\"list-<victim\"@example.org", "Unknown")]
    [InlineData("/^\"?list-([^\"]*)\"?@example\\.org$/ $1@far.example", "\"list-a.b.\"@example.org", "Unknown")]
    [InlineData("/^\"?list-([^\"]*)\"?@example\\.org$/ $1@far.example", "\"list-..b\"@example.org", "Unknown")]
    [InlineData("/(.)(.*)@example\\.org$/ $2, ann", "\"victim@elsewhere.example\"@example.org", "Unknown")]
    // The name as a whole, with its quotation marks, is one piece.
    [InlineData("/^(.*)@example\\.org$/ $1@far.example", "\"a, victim@elsewhere.example\"@example.org", ">\"a, victim@elsewhere.example\"@far.example")]
    [InlineData("/^(.*)@example\\.org$/ $1@far.example", "\"a\\\", victim@elsewhere.example, \\\"b\"@example.org", ">\"a\\\", victim@elsewhere.example, \\\"b\"@far.example")]
    [InlineData("/^(.*)@example\\.org$/ x$1@far.example", "\"a, victim@elsewhere.example\"@example.org", "Unknown")]
    [InlineData("/@(.*)$/ all@new.$1", "\"a, b\"@example.org", ">all@new.example.org")]
    [InlineData("/\"(sales)[^@]*@/ $1@far.example", "\"sales dept\"@example.org", ">sales@far.example")]
    public void What_a_pattern_takes_from_an_address_is_a_piece_of_one(string text, string address, string route)
    {
        Use("pcre", text);
        Assert.Equal(route, _world.Route(address));
    }

    [Fact]
    public void A_pattern_that_thinks_too_long_is_a_temporary_failure()
    {
        Use("pcre", "/^(?=a)(a+)+\\1?b$/ ann");
        Assert.Equal("Unavailable", _world.Route(new string('a', 60) + "@example.org"));
    }

    private string Use(string type, string text)
    {
        string path = Path.Combine(_folder, "table");
        _world.Write(path, text);
        _world.Options = _world.Options with { Domains = [_world.Options.Domains[0] with { Aliases = [$"{type}:{path}"] }, _world.Options.Domains[1]] };
        return path;
    }
}
