using Posthorn.Configuration;
using Posthorn.Testing;

namespace Posthorn.Tests.Configuration;

public sealed class ConfigurationTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private ConfigurationResult Load(string text) => ConfigurationLoader.Load(_folder.Write("posthorn.toml", text));

    private const string Good = """
        hostname = "mail.example.org"
        data = "data"
        [[domain]]
        name = "example.org"
        """;

    [Fact]
    public void Defaults_are_enough_for_a_domain()
    {
        ConfigurationResult result = Load(Good);
        Assert.False(result.HasErrors, string.Join('\n', result.Problems));
        Assert.Equal("mail.example.org", result.Configuration!.Hostname.Ascii);
        Assert.Equal(Path.Combine(_folder.Path, "data"), result.Configuration.Data);
        Assert.Equal(["127.0.0.0/8", "::1/128"], result.Configuration.Network.Trusted.Select(n => n.ToString()));
        Assert.Equal(result.Configuration.Network.Trusted, result.Configuration.Network.Relay);
    }

    [Fact]
    public void All_mistakes_are_named_at_once_with_their_places()
    {
        ConfigurationResult result = Load("""
            hostnam = "x"
            data = 5
            [mail]
            locaton = "maildir:/x"
            [listen]
            smtp = [":25", "foo"]
            """);
        Assert.Null(result.Configuration);
        Assert.Contains(result.Problems, p => p.Place is { Line: 1, Column: 1 } && p.Text.Contains("did you mean 'hostname'", StringComparison.Ordinal));
        Assert.Contains(result.Problems, p => p.Place is { Line: 2, Column: 8 } && p.Text.Contains("the number 5", StringComparison.Ordinal));
        Assert.Contains(result.Problems, p => p.Place is { Line: 4, Column: 1 } && p.Text.Contains("did you mean 'mail.location'", StringComparison.Ordinal));
        Assert.Contains(result.Problems, p => p.Place is { Line: 6, Column: 16 } && p.Text.Contains("\"foo\"", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("[limits]\nmessage-size = \"1 KiB\"", "from 64 KiB to")]
    [InlineData("[limits]\nrecipients = 0", "a number from 1 to")]
    [InlineData("[network]\ntrusted = [\"192.0.2.1/99\"]", "192.0.2.1/99")]
    [InlineData("[tls]\ncertificate = \"/nonexistent.crt\"\nkey = \"/nonexistent.key\"", "there is no such file")]
    [InlineData("[tls]\ncertificate = \"/nonexistent.crt\"", "both 'certificate' and 'key'")]
    [InlineData("[listen]\nimaps = [\"127.0.0.1:993\"]", "needs TLS")]
    [InlineData("[listen]\nsmtp = [\"127.0.0.1:25\", \"127.0.0.1:25\"]", "another listener uses already")]
    [InlineData("[listen]\nlmtp = [{ unix = \"relative\" }]", "absolute path")]
    [InlineData("[auth]\nmechanisms = [\"CRAM-MD5\"]", "known are PLAIN")]
    [InlineData("[outbound]\nfirst-retry = \"soon\"", "a time such as")]
    [InlineData("[[domain]]\nname = \"other.example\"\n[mail]\nlocation = \"maildir:/srv/{localpart}\"", "would share a mailbox")]
    [InlineData("[[domain]]\nname = \"example.org\"", "named 2 times")]
    [InlineData("[mail]\nlocation = \"mbox:/x\"", "expected maildir:")]
    [InlineData("hostname = \"twice.example.org\"", "")]
    [InlineData("[listen]\nsmtp = [", "")]
    public void Each_mistake_is_refused_and_explained(string addition, string expected)
    {
        ConfigurationResult result = Load(Good + "\n" + addition);
        Assert.True(result.HasErrors);
        Assert.Contains(result.Problems, p => p.Text.Contains(expected, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("hostname = \"abc", 1, 12)]
    [InlineData("hostname = 'abc", 1, 12)]
    [InlineData("hostname = \"abc   # a word", 1, 12)]
    [InlineData("include = [\"x]", 1, 12)]
    public void A_missing_quotation_mark_is_one_mistake(string line, int number, int column)
    {
        ConfigurationResult result = Load(line + "\n" + (line.StartsWith("hostname", StringComparison.Ordinal) ? Good[(Good.IndexOf('\n', StringComparison.Ordinal) + 1)..] : Good) + """

            postmaster = "ann@example.org"
            [network]
            trusted = ["127.0.0.1", '::1']
            [outbound]
            tls = 'may'
            relay-host = "relay.example.net"
            """);
        ConfigProblem problem = Assert.Single(result.Problems, problem => !problem.IsWarning);
        Assert.Equal((number, column, "this text has no closing quote"), (problem.Place.Line, problem.Place.Column, problem.Text));
    }

    [Fact]
    public void A_key_file_that_is_not_there_is_one_mistake()
    {
        ConfigProblem problem = Assert.Single(Load(Good + "\n[tls]\ncertificate = \"nope.pem\"\nkey = \"" + _folder.Write("key.pem", "x") + "\"\n[listen]\nimaps = [\"127.0.0.1:993\"]\nsubmissions = [\"127.0.0.1:465\"]\n").Problems);
        Assert.Contains("there is no such file", problem.Text, StringComparison.Ordinal);
    }

    [Fact]
    public void A_certificate_for_another_name_is_worth_a_look()
    {
        (string certificate, string key) = TestCertificate.WritePem(TestCertificate.Shared, _folder.Path);
        string tls = $"\n[tls]\ncertificate = \"{certificate}\"\nkey = \"{key}\"\n";
        ConfigProblem problem = Assert.Single(Load(Good + tls).Problems, problem => problem.Text.Contains("is not for mail.example.org", StringComparison.Ordinal));
        Assert.True(problem.IsWarning);
        Assert.DoesNotContain(Load(Good.Replace("mail.", "mx.", StringComparison.Ordinal) + tls).Problems, problem => problem.Text.Contains("is not for", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("submission = [\":587\"]", true)]
    [InlineData("imap = [\"192.0.2.1:143\"]", true)]
    [InlineData("imap = [\"127.0.0.1:143\"]", false)]
    [InlineData("smtp = [\":25\"]", false)]
    public void A_listener_at_which_nobody_can_log_in_is_worth_a_look(string listen, bool isNamed) =>
        Assert.Equal(isNamed, Load($"{Good}\n[listen]\n{listen}\n").Problems.Any(problem => problem.IsWarning && problem.Text.Contains("nobody can log in from elsewhere", StringComparison.Ordinal)));

    /// <summary>Mistakes of form, each named once, in our words, where it stands.</summary>
    [Theory]
    [InlineData("a = mail.example.org", 5, 5, "expected a value, found 'mail.example.org'; a text stands in quotes: \"mail.example.org\"")]
    [InlineData("a = 50 MiB", 5, 5, "expected a value, found '50 MiB'; a text stands in quotes: \"50 MiB\"")]
    [InlineData("a = “x”", 5, 5, "expected a value, found '“x”'; a text stands in quotes: \"x\"")]
    [InlineData("a = \"x", 5, 5, "this text has no closing quote")]
    [InlineData("a = 'x", 5, 5, "this text has no closing quote")]
    [InlineData("a = \"\"\"x\n\n", 6, 1, "a text that begins with three quotes has no end")]
    [InlineData("a = \"C:\\dir\"", 5, 9, "a backslash in a text begins an escape such as \\n; write \\\\ for a backslash, or put the text in single quotes")]
    [InlineData("a =", 5, 4, "expected a value behind '='")]
    [InlineData("just words", 5, 1, "expected KEY = VALUE or [SECTION], found 'just words'")]
    [InlineData("a : 1", 5, 1, "expected KEY = VALUE or [SECTION], found 'a : 1'")]
    [InlineData("[listen\nsmtp = []", 5, 1, "the name of this section has no closing ']'")]
    [InlineData("a = [\":25\"\nb = 1", 6, 1, "a list before this has no closing ']'")]
    [InlineData("a = { b = 1,\n", 6, 1, "a table before this has no closing '}'")]
    [InlineData("a = [1 2]", 5, 8, "expected ',' between the items of a list")]
    [InlineData("a = \"b\" \"c\"", 5, 9, "expected the end of the line, found '\"c\"'")]
    [InlineData("name = \"x\"", 5, 1, "'domain.name' is set already in line 4")]
    public void Mistakes_of_form_are_named_once_in_plain_words(string addition, int line, int column, string expected)
    {
        ConfigurationResult result = Load(Good + "\n" + addition);
        Assert.True(result.HasErrors);
        ConfigProblem problem = Assert.Single(result.Problems, p => !p.IsWarning && !p.Text.Contains("unknown key", StringComparison.Ordinal));
        Assert.Equal((line, column, expected), (problem.Place.Line, problem.Place.Column, problem.Text));
    }

    [Fact]
    public void A_file_that_is_not_utf8_gets_one_message_with_the_place()
    {
        string path = Path.Combine(_folder.Path, "posthorn.toml");
        File.WriteAllBytes(path, [.. System.Text.Encoding.UTF8.GetBytes(Good + "\n# für "), 0xFC, (byte)'\n', 0xE9]);
        ConfigProblem problem = Assert.Single(ConfigurationLoader.Load(path).Problems);
        Assert.Equal((5, 7, "the byte 0xFC is no UTF-8 text; save the file as UTF-8"), (problem.Place.Line, problem.Place.Column, problem.Text));
        File.WriteAllText(path, Good, System.Text.Encoding.Unicode);
        Assert.Equal("the file is UTF-16; save it as UTF-8", Assert.Single(ConfigurationLoader.Load(path).Problems).Text);
        File.WriteAllText(path, Good, System.Text.Encoding.UTF8); // with a byte order mark
        Assert.False(ConfigurationLoader.Load(path).HasErrors);
    }

    [Fact]
    public void Domains_in_files_of_their_own_are_added()
    {
        _folder.Write("domains.d/second.toml", "[[domain]]\nname = \"second.example\"\n");
        ConfigurationResult result = Load(Good);
        Assert.False(result.HasErrors, string.Join('\n', result.Problems));
        Assert.Equal(["example.org", "second.example"], result.Configuration!.Domains.Select(d => d.Name.Ascii));
    }

    [Fact]
    public void A_secret_may_stand_in_a_file_or_the_environment()
    {
        _folder.Write("relay", "smarthost.example\n");
        ConfigurationResult result = Load(Good + "\n[outbound]\nrelay-host = { file = \"relay\" }\n");
        Assert.Equal("smarthost.example", Assert.IsType<Posthorn.Transport.NextHop.Host>(result.Configuration!.Outbound.Options.Relay).Name);
        result = Load(Good + "\n[outbound]\nrelay-host = { env = \"POSTHORN_NO_SUCH_VARIABLE\" }\n");
        Assert.Contains(result.Problems, p => p.Text.Contains("which is not set", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("50 MiB", 50L << 20)]
    [InlineData("10GB", 10_000_000_000)]
    [InlineData("123", 123)]
    public void Sizes_are_read_as_people_write_them(string text, long octets)
    {
        Assert.True(Units.TryParseSize(text, out long read));
        Assert.Equal(octets, read);
    }

    [Theory]
    [InlineData("5m", 300)]
    [InlineData("1h30m", 5400)]
    [InlineData("5d", 432_000)]
    public void Times_are_read_as_people_write_them(string text, int seconds)
    {
        Assert.True(Units.TryParseDuration(text, out TimeSpan read));
        Assert.Equal(TimeSpan.FromSeconds(seconds), read);
    }

    [Theory]
    [InlineData("")]
    [InlineData("5")]
    [InlineData("m5")]
    [InlineData("5 fortnights")]
    [InlineData("99999999999999999999d")]
    public void Odd_times_are_refused(string text) => Assert.False(Units.TryParseDuration(text, out _));
}
