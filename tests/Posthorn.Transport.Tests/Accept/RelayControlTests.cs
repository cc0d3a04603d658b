using System.Net;
using CsCheck;
using Posthorn.Core;
using Posthorn.Transport.Tests.Fakes;

namespace Posthorn.Transport.Tests.Accept;

/// <summary>DESIGN invariant 5: never an open relay.</summary>
public sealed class RelayControlTests
{
    [Theory]
    [InlineData("ann@example.org", "250 2.1.5")]
    [InlineData("ANN@Example.ORG", "250 2.1.5")]
    [InlineData("ann@example.org.", "250 2.1.5")]
    [InlineData("ann+x@example.org", "250 2.1.5")]
    [InlineData("ann@[192.0.2.1]", "250 2.1.5")]
    [InlineData("nobody@example.org", "550 5.1.1")]
    [InlineData("victim@example.com", "554 5.7.1")]
    [InlineData("victim@example.com.", "554 5.7.1")]
    [InlineData("victim@sub.example.org", "554 5.7.1")]
    [InlineData("victim@[203.0.113.9]", "554 5.7.1")]
    [InlineData("ann@[IPv6:2001:db8::1]", "554 5.7.1")]
    // Other routes hidden in a local part of ours are just local parts that nobody has.
    [InlineData("victim%example.com@example.org", "550 5.1.1")]
    [InlineData("example.com!victim@example.org", "550 5.1.1")]
    [InlineData("\"victim@example.com\"@example.org", "550 5.1.1")]
    [InlineData("\"victim@example.com\"@[192.0.2.1]", "550 5.1.1")]
    [InlineData("victim%example.com@[192.0.2.1]", "550 5.1.1")]
    [InlineData("\"@example.com:victim\"@example.org", "550 5.1.1")]
    [InlineData("\"victim@example.com \"@example.org", "550 5.1.1")]
    [InlineData("ann%example.org@example.com", "554 5.7.1")]
    [InlineData("\"ann@example.org\"@example.com", "554 5.7.1")]
    public async Task A_stranger_reaches_our_users_alone(string recipient, string expected)
    {
        using TransportRig rig = new();
        Assert.StartsWith(expected, (await rig.RcptAsync(TransportRig.Stranger, recipient)).ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(ListenerRole.Mx, false, false, false)]
    [InlineData(ListenerRole.Mx, true, false, true)]
    [InlineData(ListenerRole.Mx, false, true, true)]
    [InlineData(ListenerRole.Submission, false, false, false)]
    [InlineData(ListenerRole.Submission, true, false, false)]
    [InlineData(ListenerRole.Submission, false, true, true)]
    [InlineData(ListenerRole.Lmtp, false, false, false)]
    [InlineData(ListenerRole.Lmtp, true, false, false)]
    [InlineData(ListenerRole.Lmtp, true, true, false)]
    public async Task Who_may_relay(ListenerRole role, bool trusted, bool loggedIn, bool allowed)
    {
        using TransportRig rig = new();
        ClientContext client = TransportRig.Stranger with { Role = role, IsTrusted = trusted, Account = loggedIn ? rig.Ann : null };
        Assert.Equal(allowed, (await rig.RcptAsync(client, "someone@example.com")).IsPositive);
        Assert.True((await rig.RcptAsync(client, "bob@example.org")).IsPositive);
    }

    [Fact]
    public void Nothing_for_others_is_taken_from_strangers_in_any_guise()
    {
        using TransportRig rig = new();
        Gen<string> local = Gen.OneOf(
            Gen.OneOf("victim", "ann", "bob", "ann+victim", "victim%example.com", "example.com!victim", "victim@example.com", "@example.com:victim", "a@b@c", "ann@example.org", " ", "<>", "victim@example.com>"),
            Gen.String[Gen.Char[' ', '~'], 1, 20]);
        Gen<string> domain = Gen.OneOf("example.org", "EXAMPLE.ORG.", "example.com", "example.org.example.com", "xn--bcher-kva.example", "bücher.example", "[192.0.2.1]", "[203.0.113.1]", "[IPv6:::1]", "[IPv6:::ffff:192.0.2.1]", "localhost");
        Gen.Select(local, domain, Gen.OneOf(ListenerRole.Mx, ListenerRole.Submission, ListenerRole.Lmtp)).Sample((name, host, role) =>
        {
            if (!DomainName.TryCreate(host, out DomainName parsed) || !EmailAddress.TryCreate(name, parsed, out EmailAddress address)) return;
            ClientContext client = TransportRig.Stranger with { Role = role };
            SmtpReply reply = rig.Transport.AdmitRecipientAsync(rig.Envelope(client, ""), new(address, DsnNotify.Unspecified, null), default).AsTask().GetAwaiter().GetResult();
            bool ours = rig.Directory.IsLocalDomain(parsed) || parsed.Ascii == "[192.0.2.1]";
            bool known = ours && rig.Directory.FindAccount(EmailAddress.Parse($"{EmailAddress.Parse(address.QuotedLocalPart + "@example.org")}")) is not null;
            Assert.Equal(known, reply.IsPositive);
        }, iter: 5000);
    }
}
