using CsCheck;
using Posthorn.Core;
using Posthorn.Directory.Aliases;
using Posthorn.Directory.Files;

namespace Posthorn.Directory.Tests.Files;

public sealed class ParserTests
{
    private static readonly Gen<string> Text = Gen.Char["ab@.,:+-_ \t\n\r#|/\"\\<>{}=*0é\uFFFE\uD800"].Array[0, 80].Select(static c => new string(c));

    [Fact]
    public void No_text_makes_the_parsers_throw() => Text.Sample(static text =>
    {
        Assert.All(AliasParser.Parse("f", text).Problems, p => Assert.InRange(p.Line, 1, text.Count(static c => c == '\n') + 1));
        Assert.All(PasswdParser.Parse("f", text).Problems, p => Assert.InRange(p.Line, 1, text.Count(static c => c == '\n') + 1));
    });

    /// <summary>Whatever the aliases, an expansion ends, stays in its bounds and names nobody twice.</summary>
    [Fact]
    public void Every_web_of_aliases_comes_to_an_end()
    {
        using World world = new("a:{PLAIN}x\nb:{PLAIN}x\n");
        DirectoryOptions options = world.Options with { Limits = new() { MaxExpansion = 5, MaxAliasDepth = 6 } };
        Gen<string> name = Gen.Int[0, 9].Select(static i => (string[])["a", "b", "c", "d", "e", "f", "c+x", "@example.org", "@other.example", "z@far.example"]).Select(Gen.Int[0, 9], static (all, i) => all[i]);
        Gen.Select(name, name.Array[1, 4]).Array[0, 12].Sample(lines =>
        {
            string text = string.Join('\n', lines.Select(static l => $"{l.Item1} {string.Join(' ', l.Item2)}"));
            DirectorySnapshot snapshot = new SnapshotBuilder(options).Build(
                [(PasswdParser.Parse("users", "a:{PLAIN}x\nb:{PLAIN}x\n"), null)],
                [(AliasParser.Parse("virtual", text), [options.Domains[0].Name])], [], false);
            foreach (string recipient in (string[])["a", "c", "c+y", "d+q", "nobody"])
            {
                if (new Expansion(snapshot).Run(EmailAddress.Parse(recipient + "@example.org")) is not Resolution.Recipients found) continue;
                Assert.InRange(found.Targets.Count, 1, 5);
                Assert.Equal(found.Targets.Count, found.Targets.Distinct().Count());
            }
        });
    }

    [Theory]
    [InlineData("*:storage=1G", 1L << 30, null)]
    [InlineData("*:storage=1000", 1000L << 10, null)]
    [InlineData("*:bytes=1000", 1000L, null)]
    [InlineData("*:storage=10M:messages=7", 10L << 20, 7L)]
    [InlineData("*:storage=0", null, null)]
    [InlineData("Trash:storage=+10%", null, null)]
    [InlineData("*:storage=99999999T", null, null)]
    public void Quota_rules(string rule, long? bytes, long? messages)
    {
        PasswdEntry entry = Assert.Single(PasswdParser.Parse("f", $"ann:x::::::userdb_quota_rule={rule}").Entries);
        Assert.Equal((bytes, messages), (entry.QuotaBytes, entry.QuotaMessages));
    }

    [Theory]
    [InlineData("maildir:/m/{domain}/{localpart}", "/m/example.org/ann")]
    [InlineData("/m/%d/%n", "/m/example.org/ann")]
    [InlineData("maildir:/m/%Lu", "/m/ann@example.org")]
    [InlineData("maildir:~/Maildir", "/home/ann/Maildir")]
    [InlineData("maildir:%h/Maildir", "/home/ann/Maildir")]
    [InlineData("maildir:%{home}/%{user | username}", "/home/ann/ann")]
    [InlineData("/m/100%%", "/m/100%")]
    [InlineData("mbox:/m", null)]
    [InlineData("maildir:/m:LAYOUT=fs", "/m fs")]
    [InlineData("/m:LAYOUT=Maildir++", "/m")]
    [InlineData("maildir:~/Maildir:INDEX=/i/%n:CONTROL=~/c", "/home/ann/Maildir index=/i/ann control=/home/ann/c")]
    [InlineData("maildir:/m:INDEX=MEMORY", "/m")]
    [InlineData("maildir:/m:UTF-8", null)]
    [InlineData("maildir:/m:INBOX=/x", null)]
    [InlineData("maildir:/m:LAYOUT=index", null)]
    [InlineData("maildir:/m:INDEX=%z", null)]
    [InlineData("maildir:m/%n", null)]
    [InlineData("/m/%z", null)]
    [InlineData("/m/{who}", null)]
    public void Templates(string template, string? path)
    {
        MailPlace? place = MailPlace.Expand(template, EmailAddress.Parse("ann@example.org"), "/home/ann", out string error);
        Assert.Equal(path, place is null ? null
            : place.Root + (place.Layout.IsNested ? " fs" : "") + (place.Layout.IndexRoot is { } index ? " index=" + index : "") + (place.Layout.ControlRoot is { } control ? " control=" + control : ""));
        Assert.Equal(path is null, error.Length > 0);
    }

    // Dovecot 2.4 says in fields of their own what 2.3 says behind the path.
    [Fact]
    public void Fields_of_Dovecot_2_4()
    {
        PasswdTable file = PasswdParser.Parse("f", "ann:x::::::userdb_mail_driver=maildir userdb_mail_path=/m/%n userdb_mailbox_list_layout=fs userdb_mail_index_path=/i userdb_mail_control_path=/c");
        PasswdEntry entry = Assert.Single(file.Entries);
        Assert.Equal(("/m/%n", ":LAYOUT=fs:INDEX=/i:CONTROL=/c"), (entry.Mail, entry.MailOptions));
        Assert.Empty(file.Problems);
    }
}
