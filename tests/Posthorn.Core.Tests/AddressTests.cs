namespace Posthorn.Core.Tests;

public sealed class AddressTests
{
    [Theory]
    [InlineData("Example.ORG", "example.org")]
    [InlineData("example.org.", "example.org")]
    [InlineData("bücher.example", "xn--bcher-kva.example")]
    [InlineData("XN--BCHER-KVA.example", "xn--bcher-kva.example")]
    [InlineData("_dmarc.example.org", "_dmarc.example.org")]
    [InlineData("[192.0.2.1]", "[192.0.2.1]")]
    [InlineData("[IPv6:2001:DB8::1]", "[IPv6:2001:db8::1]")]
    public void Domains_are_normalised(string text, string expected)
    {
        Assert.True(DomainName.TryCreate(text, out DomainName domain));
        Assert.Equal(expected, domain.Ascii);
    }

    [Theory]
    [InlineData("")]
    [InlineData(".")]
    [InlineData(".example.org")]
    [InlineData("example..org")]
    [InlineData("exa mple.org")]
    [InlineData("-example.org")]
    [InlineData("example-.org")]
    [InlineData("[300.0.2.1]")]
    [InlineData("[2001:db8::1]")]
    [InlineData("[192.0.2]")]
    [InlineData("example.org@x")]
    public void What_is_no_domain_is_refused(string text) => Assert.False(DomainName.TryCreate(text, out _));

    [Fact]
    public void A_label_has_at_most_63_octets_and_a_name_253()
    {
        Assert.True(DomainName.TryCreate(new string('a', 63) + ".org", out _));
        Assert.False(DomainName.TryCreate(new string('a', 64) + ".org", out _));
        string name = string.Join('.', Enumerable.Repeat(new string('a', 49), 5));
        Assert.True(DomainName.TryCreate(name + ".org", out _)); // 253
        Assert.False(DomainName.TryCreate(name + ".orgs", out _));
    }

    [Theory]
    [InlineData("ann@example.org", "ann", "ann@example.org")]
    [InlineData("\"two words\"@example.org", "two words", "\"two words\"@example.org")]
    [InlineData("\"plain\"@example.org", "plain", "plain@example.org")]
    [InlineData("\"a\\\"b\"@example.org", "a\"b", "\"a\\\"b\"@example.org")]
    [InlineData("\"eve@elsewhere\"@example.org", "eve@elsewhere", "\"eve@elsewhere\"@example.org")]
    [InlineData("jürgen@example.org", "jürgen", "jürgen@example.org")]
    public void Addresses_are_read_and_written(string text, string localPart, string written)
    {
        Assert.True(EmailAddress.TryParse(text, out EmailAddress address));
        Assert.Equal(localPart, address.LocalPart);
        Assert.Equal(written, address.ToString());
        Assert.True(EmailAddress.TryParse(address.ToString(), out EmailAddress again));
        Assert.Equal(address, again);
    }

    [Theory]
    [InlineData("")]
    [InlineData("@example.org")]
    [InlineData("ann")]
    [InlineData("ann@")]
    [InlineData(".ann@example.org")]
    [InlineData("ann..lee@example.org")]
    [InlineData("ann lee@example.org")]
    [InlineData("\"open@example.org")]
    [InlineData("an\u0000n@example.org")]
    [InlineData("\"\"@example.org")]
    public void What_is_no_address_is_refused(string text) => Assert.False(EmailAddress.TryParse(text, out _));

    [Fact]
    public void Case_does_not_part_addresses() => Assert.Equal(EmailAddress.Parse("Ann@Example.ORG"), EmailAddress.Parse("ann@example.org"));

    [Fact]
    public void The_null_path_is_no_address()
    {
        Assert.True(ReversePath.Null.IsNull);
        Assert.Equal("", ReversePath.Null.ToString());
        Assert.Throws<InvalidOperationException>(() => ReversePath.Null.Address);
    }

    [Theory]
    [InlineData("inbox", "INBOX")]
    [InlineData("Inbox.Sub", "INBOX.Sub")]
    [InlineData("Inboxes", "Inboxes")]
    [InlineData("Gr\u0075\u0308\u00dfe", "Gr\u00fc\u00dfe")]
    public void Mailbox_names_are_normalised(string text, string expected)
    {
        Assert.True(MailboxName.TryCreate(text, '.', out MailboxName name));
        Assert.Equal(expected, name.Value);
    }

    [Theory]
    [InlineData("")]
    [InlineData(".a")]
    [InlineData("a.")]
    [InlineData("a..b")]
    [InlineData("a\nb")]
    [InlineData("a\u2028b")]
    public void Odd_mailbox_names_are_refused(string text) => Assert.False(MailboxName.TryCreate(text, '.', out _));

    [Fact]
    public void A_mailbox_name_has_a_bound()
    {
        Assert.True(MailboxName.TryCreate(new string('x', MailboxName.MaxLength), '.', out _));
        Assert.False(MailboxName.TryCreate(new string('x', MailboxName.MaxLength + 1), '.', out _));
    }

    // ICU, not invariant globalization: else NFKC does nothing, and with it SASLprep and mailbox names.
    [Fact]
    public void Unicode_normalisation_is_there() => Assert.Equal("1", "\u2460".Normalize(System.Text.NormalizationForm.FormKC));
}
