using CsCheck;
using Posthorn.Core;
using Posthorn.Transport.Accept;

namespace Posthorn.Transport.Tests.Accept;

public sealed class SenderRewritingTests
{
    private static readonly DateTimeOffset Now = new(2026, 3, 4, 0, 0, 0, TimeSpan.Zero);
    private static readonly DomainName Ours = DomainName.Create("example.org");
    private readonly SenderRewriting _scheme = new(new(new byte[] { 1, 2, 3 }, Ours));

    [Fact]
    public void Every_sender_comes_back_in_any_case() =>
        Gen.Select(Gen.String[Gen.Char[' ', '~'], 1, 40], Gen.OneOf("example.com", "bücher.example", "[192.0.2.9]"), Gen.Int[0, 21]).Sample((local, domain, days) =>
        {
            Assert.True(EmailAddress.TryCreate(local, DomainName.Create(domain), out EmailAddress sender));
            EmailAddress rewritten = _scheme.Forward(ReversePath.Of(sender), Now).Address;
            Assert.Equal(Ours, rewritten.Domain);
            EmailAddress onTheWire = EmailAddress.Parse(rewritten.ToString().ToLowerInvariant());
            Assert.True(_scheme.TryReverse(onTheWire, Now.AddDays(days), out EmailAddress original) || sender.LocalPart.StartsWith("SRS", StringComparison.OrdinalIgnoreCase));
            if (!sender.LocalPart.StartsWith("SRS", StringComparison.OrdinalIgnoreCase)) Assert.Equal(sender, original);
        });

    [Fact]
    public void Too_old_and_forged_ones_are_refused()
    {
        EmailAddress rewritten = _scheme.Forward(ReversePath.Of(EmailAddress.Parse("eve@example.net")), Now).Address;
        Assert.False(_scheme.TryReverse(rewritten, Now.AddDays(22), out _));
        Assert.False(_scheme.TryReverse(rewritten, Now.AddDays(-1), out _));
        Assert.False(new SenderRewriting(new(new byte[] { 9 }, Ours)).TryReverse(rewritten, Now, out _));
        foreach (string forged in (string[])["SRS0=aaaaaaaa=aa=victim.example=a", "SRS0=", "SRS0==", "SRS0====", "SRS1=aaaaaaaa=x.example==b=c=d", "SRS1=a", "SRS1=a=b", rewritten.LocalPart.Replace("eve", "eva")])
        {
            Assert.True(EmailAddress.TryCreate(forged, Ours, out EmailAddress address));
            Assert.False(_scheme.TryReverse(address, Now, out _));
        }
    }

    [Fact]
    public void What_others_rewrote_is_wrapped_once_and_unwrapped_to_them()
    {
        ReversePath first = ReversePath.Of(EmailAddress.Parse("SRS0=hash=tt=source.example=eve@first.example"));
        ReversePath second = _scheme.Forward(first, Now);
        Assert.Matches("^SRS1=[a-z2-7]{8}=first.example==hash=tt=source.example=eve@example.org$", second.ToString());
        Assert.True(_scheme.TryReverse(second.Address, Now, out EmailAddress original));
        Assert.Equal(first.Address, original);
        ReversePath elsewhere = ReversePath.Of(EmailAddress.Parse("SRS1=theirs=first.example==hash=tt=source.example=eve@second.example"));
        Assert.Equal(second, _scheme.Forward(elsewhere, Now));
    }

    [Fact]
    public void The_null_path_and_our_own_stay()
    {
        Assert.True(_scheme.Forward(ReversePath.Null, Now).IsNull);
        Assert.Equal("ann@example.org", _scheme.Forward(ReversePath.Of(EmailAddress.Parse("ann@example.org")), Now).ToString());
    }
}
