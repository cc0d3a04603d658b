using System.Text;

namespace Posthorn.Mime.Tests;

/// <summary>Where a part ends whose last line is the closing line of a multipart within it (RFC 2046 section 5.1.1).</summary>
public sealed class NestedEndTests
{
    [Fact]
    public void The_line_end_after_an_inner_closing_line_belongs_to_the_outer_boundary()
    {
        const string Inner = "Content-Type: multipart/alternative; boundary=C\r\n\r\n--C\r\n\r\nplain\r\n--C--";
        byte[] message = Encoding.ASCII.GetBytes($"Content-Type: multipart/mixed; boundary=B\r\n\r\n--B\r\nContent-Type: message/rfc822\r\n\r\n{Inner}\r\n--B\r\n\r\nlast\r\n--B--\r\n");
        MimeStructure structure = MimeStructure.Parse(message, MimeLimits.Default);
        Assert.True(structure.Root.TryChild(1, out MimePart forwarded));
        Assert.Equal(Inner, Encoding.ASCII.GetString(forwarded.Body(message)));
        Assert.True(structure.Root.TryChild(2, out MimePart last));
        Assert.Equal("last", Encoding.ASCII.GetString(last.Body(message)));
    }
}
