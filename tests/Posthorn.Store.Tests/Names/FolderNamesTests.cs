using CsCheck;
using Posthorn.Core;
using Posthorn.Store.Maildir;

namespace Posthorn.Store.Tests.Names;

public sealed class FolderNamesTests
{
    [Theory]
    [InlineData("Grüße", "Gr&APwA3w-e")]
    [InlineData("a&b", "a&-b")]
    [InlineData("日本語", "&ZeVnLIqe-")]
    [InlineData("~peter/mail/台北/日本語", "~peter/mail/&U,BTFw-/&ZeVnLIqe-")] // RFC 3501 section 5.1.3
    [InlineData("😀", "&2D3eAA-")]
    public void Modified_utf7_is_as_in_the_standard(string text, string encoded)
    {
        Assert.Equal(encoded, ModifiedUtf7.Encode(text));
        Assert.True(ModifiedUtf7.TryDecode(encoded, out string decoded));
        Assert.Equal(text, decoded);
    }

    [Theory]
    [InlineData("a&b")]
    [InlineData("&AGE-")] // an ASCII letter in base64
    [InlineData("&AP-")] // bits left over
    [InlineData("&2D0-")] // half a pair
    [InlineData("ü")]
    public void What_is_not_modified_utf7_is_refused(string encoded) => Assert.False(ModifiedUtf7.TryDecode(encoded, out _));

    [Theory]
    [InlineData('.')]
    [InlineData('/')]
    public void Every_name_comes_back_from_its_directory(char separator) =>
        Gen.String[Gen.Char["ab.&/-INBOX~ äß日\u00a0,+"], 1, 20].Sample(text =>
        {
            if (!MailboxName.TryCreate(text, separator, out MailboxName name)) return;
            FolderNames names = new(separator);
            Assert.True(names.TryDirectory(name, out string directory));
            Assert.DoesNotContain('/', directory);
            if (name.IsInbox)
            {
                Assert.Empty(directory);
                return;
            }

            Assert.True(names.TryMailbox(directory, out MailboxName back));
            Assert.Equal(name, back);
        });

    [Fact]
    public void A_name_that_no_directory_can_have_is_refused()
    {
        Assert.True(MailboxName.TryCreate(new string('ä', 200), '.', out MailboxName name));
        Assert.False(new FolderNames('.').TryDirectory(name, out _));
    }
}
