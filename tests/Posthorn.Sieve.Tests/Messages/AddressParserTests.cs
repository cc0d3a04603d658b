using Posthorn.Sieve.Messages;

namespace Posthorn.Sieve.Tests.Messages;

public sealed class AddressParserTests
{
    [Theory]
    [InlineData("a@b.c", "a|b.c")]
    [InlineData("A B <a@b.c>, d@e.f", "a|b.c d|e.f")]
    [InlineData("\"A, B\" <a@b.c>", "a|b.c")]
    [InlineData("group: a@b.c, d@e.f; g@h.i", "a|b.c d|e.f g|h.i")]
    [InlineData("undisclosed-recipients:;", "")]
    [InlineData("<@route.example:a@b.c>", "a|b.c")]
    [InlineData("\"quoted local\"@b.c", "quoted local|b.c")]
    [InlineData("a (comment (nested)) @b.c", "a|b.c")]
    [InlineData("local", "local|")]
    [InlineData("<>", "|")]
    [InlineData("", "")]
    public void ReadsLists(string text, string expected) =>
        Assert.Equal(expected, string.Join(' ', AddressParser.Parse(text).Where(a => a.IsValid).Select(a => $"{a.LocalPart}|{a.Domain}")));

    [Theory]
    [InlineData("a b@c")]
    [InlineData("<a@b.c")]
    [InlineData("a@@b")]
    [InlineData("a@b..c")]
    [InlineData("A <a@b> x")]
    public void MarksWhatIsNoAddress(string text) => Assert.Contains(AddressParser.Parse(text), a => !a.IsValid);

    [Theory]
    [InlineData("a@b.c", true)]
    [InlineData("A <a@b.c>", true)]
    [InlineData("a@b.c, d@e.f", false)]
    [InlineData("local", false)]
    [InlineData("<@x:a@b.c>", false)]
    [InlineData("g: a@b.c;", false)]
    [InlineData("a@b.c\r\nBcc: x@y.z", false)]
    public void OneAddressForSending(string text, bool good) => Assert.Equal(good, AddressParser.ParseOne(text) is not null);
}
