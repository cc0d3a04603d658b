namespace Posthorn.Directory.Tests.Aliases;

/// <summary>What Postfix's virtual(5) and cleanup(8) do, case by case.</summary>
public sealed class ExpansionTests
{
    private const string Users = "ann:{PLAIN}a\nbob:{PLAIN}b\ncarl@other.example:{PLAIN}c\n";

    [Theory]
    [InlineData("", "ann@example.org", "=ann@example.org")]
    [InlineData("", "ANN@Example.ORG", "=ann@example.org")]
    [InlineData("", "ann+x@example.org", "=ann@example.org/x")]
    [InlineData("", "nobody@example.org", "Unknown")]
    [InlineData("", "ann@elsewhere.example", "NotOurs")]
    // a full address, in any case
    [InlineData("info@example.org ann", "INFO@example.org", "=ann@example.org")]
    [InlineData("Info@Example.org Ann@Example.ORG", "info@example.org", "=ann@example.org")]
    // several targets, parted by commas or blanks, over several lines
    [InlineData("team@example.org ann, bob,carl@other.example x@far.example", "team@example.org", "=ann@example.org =bob@example.org =carl@other.example >x@far.example")]
    [InlineData("team@example.org\n # a comment between\n\n  ann,\n\tbob", "team@example.org", "=ann@example.org =bob@example.org")]
    // a bare name stands for the file's domain only
    [InlineData("info ann", "info@example.org", "=ann@example.org")]
    [InlineData("info ann", "info@other.example", "Unknown")]
    // order: full, full without extension, bare, bare without extension, domain
    [InlineData("x+y@example.org a@far.example\nx@example.org b@far.example\nx+y c@far.example\nx d@far.example\n@example.org e@far.example", "x+y@example.org", ">a@far.example")]
    [InlineData("x@example.org b@far.example\nx+y c@far.example\nx d@far.example\n@example.org e@far.example", "x+y@example.org", ">b+y@far.example")]
    [InlineData("x+y c@far.example\nx d@far.example\n@example.org e@far.example", "x+y@example.org", ">c@far.example")]
    [InlineData("x d@far.example\n@example.org e@far.example", "x+y@example.org", ">d+y@far.example")]
    [InlineData("@example.org e@far.example", "x+y@example.org", ">e@far.example")]
    // the extension goes on to every target
    [InlineData("team@example.org ann, b@far.example", "team+q@example.org", "=ann@example.org/q >b+q@far.example")]
    // a catch-all takes mailboxes too, unless they name themselves
    [InlineData("@example.org bob@example.org", "ann@example.org", "=bob@example.org")]
    [InlineData("@example.org bob@example.org\nann@example.org ann@example.org", "ann@example.org", "=ann@example.org")]
    [InlineData("@example.org bob@example.org", "bob@example.org", "=bob@example.org")]
    // a whole domain to another keeps the name
    [InlineData("@other.example @example.org", "ann@other.example", "=ann@example.org")]
    [InlineData("@other.example @example.org", "ann+z@other.example", "=ann@example.org/z")]
    [InlineData("@other.example @far.example", "who+z@other.example", ">who+z@far.example")]
    // recursion
    [InlineData("a b\nb c\nc ann", "a@example.org", "=ann@example.org")]
    [InlineData("a b, c\nb d\nc d\nd ann", "a@example.org", "=ann@example.org")]
    // an alias of a remote name is not looked up again, nor used for relaying
    [InlineData("a b@far.example\nb@far.example ann", "a@example.org", ">b@far.example")]
    [InlineData("b@far.example ann", "b@far.example", "NotOurs")]
    // an address may name itself to keep a copy
    [InlineData("ann ann, copy@far.example", "ann@example.org", "=ann@example.org >copy@far.example")]
    [InlineData("ann ann, copy@far.example", "ann+k@example.org", "=ann@example.org/k >copy+k@far.example")]
    // circles
    [InlineData("a b\nb a", "a@example.org", "Loop")]
    [InlineData("a b\nb c\nc b", "a@example.org", "Loop")]
    [InlineData("a a+x", "a@example.org", "Loop")]
    // dead names among living ones are left out
    [InlineData("team ann, ghost", "team@example.org", "=ann@example.org")]
    [InlineData("team ghost", "team@example.org", "Unknown")]
    // none twice
    [InlineData("team ann, ANN@example.org, ann", "team@example.org", "=ann@example.org")]
    [InlineData("team x@far.example, X@FAR.example", "team@example.org", ">x@far.example")]
    // quoted local parts
    [InlineData("\"a b\"@example.org ann", "\"a b\"@example.org", "=ann@example.org")]
    [InlineData("q \"c d\"@far.example", "q@example.org", ">\"c d\"@far.example")]
    // a line that declares a domain in Postfix means nothing here
    [InlineData("example.org anything\ninfo ann", "info@example.org", "=ann@example.org")]
    public void Resolves_as_postfix_does(string aliases, string recipient, string expected)
    {
        using World world = new(Users, aliases);
        Assert.Equal(expected, world.Route(recipient));
    }

    [Theory]
    [InlineData(1000, "Recipients")]
    [InlineData(1001, "TooMany")]
    public void Expansion_is_bounded(int targets, string expected)
    {
        using World world = new(Users, "all " + string.Join(", ", Enumerable.Range(0, targets).Select(static i => $"u{i}@far.example")));
        Assert.Equal(expected, world.Directory.Resolve(Core.EmailAddress.Parse("all@example.org")).GetType().Name);
    }

    [Theory]
    [InlineData(100, "=ann@example.org")]
    [InlineData(101, "Loop")]
    public void Depth_is_bounded(int steps, string expected)
    {
        using World world = new(Users, string.Join('\n', Enumerable.Range(1, steps).Select(i => $"s{i} {(i == steps ? "ann" : $"s{i + 1}")}")));
        Assert.Equal(expected, world.Route("s1@example.org"));
    }

    [Fact]
    public void A_global_file_speaks_for_the_default_domain()
    {
        using World world = new(Users, "info ann\n");
        world.Options = world.Options with { Aliases = [world.Virtual], Domains = [.. world.Options.Domains.Select(static d => d with { Aliases = [] })] };
        Assert.Equal("=ann@example.org", world.Route("info@example.org"));
    }

    [Fact]
    public void Every_mistake_is_told_with_its_line()
    {
        using World world = new(Users, """
             begins with a blank
            root: ann
            lonely
            pipe |/bin/cat
            bad@exa_mple..org ann
            ok ann, /var/mail/x
            info ann
            info bob
            far@far.example ann
            dead ghost
            loop1 loop2
            loop2 loop1
            "open ann
            @example.org bob
            """);
        Assert.Equal(
            ["Error virtual:1", "Error virtual:2", "Error virtual:3", "Error virtual:4", "Error virtual:5", "Error virtual:6", "Warning virtual:8",
                "Warning virtual:9", "Error virtual:11", "Error virtual:12", "Error virtual:13", "Warning virtual:14"],
            world.ProblemTexts.OrderBy(static p => int.Parse(p.Split(':')[1], System.Globalization.CultureInfo.InvariantCulture)));
        // The rest works; the catch-all takes ann too, as line 14 warns.
        Assert.Equal("=bob@example.org", world.Route("ok@example.org"));
    }

    [Fact]
    public void A_dead_target_is_told_where_no_catch_all_takes_it()
    {
        using World world = new(Users, "dead ghost\n");
        Assert.Equal(["Error virtual:1"], world.ProblemTexts);
        Assert.Contains("ghost@example.org does not exist", world.Directory.Problems[0].Text, StringComparison.Ordinal);
    }

    /// <summary>Such a line leaves an account without mail, unless it leads back to it.</summary>
    [Fact]
    public void An_alias_on_the_address_of_an_account_is_told()
    {
        using World world = new(Users, "ann@example.org bob, ann\nbob far@far.example\n");
        Assert.Equal(["Warning virtual:2"], world.ProblemTexts);
        Assert.Equal("'bob' takes all mail of the account bob@example.org, which gets none; for a copy add bob@example.org to the targets", world.Directory.Problems[0].Text);
    }
}
