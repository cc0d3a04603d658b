using Microsoft.Extensions.Logging.Abstractions;
using Posthorn.Core;
using Posthorn.Directory.Lookups;
using Posthorn.Testing;
using Posthorn.Transport.Policy;
using Posthorn.Transport.Policy.Rules;
using Posthorn.Transport.Tests.Fakes;
using Posthorn.Transport.Tests.Policy;

namespace Posthorn.Transport.Tests.Accept;

/// <summary>Tables that say which logins may send under which addresses, beside what the directory says.</summary>
public sealed class SenderRightsTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly LookupTables _tables;
    private readonly TransportRig _rig;

    public SenderRightsTests()
    {
        string path = _folder.Write("logins", "office@example.org ann, bob@example.org\n@partner.example bob@example.org\nlist+x@example.org nobody\n");
        Dictionary<string, LookupSource> sources = new() { ["logins"] = new(LookupType.Hash, path), ["gone"] = new(LookupType.Hash, Path.Combine(_folder.Path, "nowhere", "gone")) };
        _tables = new(new() { Tables = sources }, TimeProvider.System, NullLogger.Instance);
        _rig = new(new() { Hostname = "mail.example.org", SenderLogins = ["logins"] }, tables: _tables);
    }

    public void Dispose()
    {
        _rig.Dispose();
        _folder.Dispose();
    }

    [Theory]
    [InlineData("ann", "office@example.org", 250)]
    [InlineData("bob", "office@example.org", 250)]
    [InlineData("bob", "office+x@example.org", 250)]
    [InlineData("ann", "x@partner.example", 553)]
    [InlineData("bob", "x@partner.example", 250)]
    [InlineData("ann", "list+x@example.org", 553)]
    [InlineData("ann", "bob@example.org", 553)]
    [InlineData("ann", "", 250)]
    public async Task Tables_add_to_what_the_directory_allows(string login, string from, int code)
    {
        ClientContext client = _rig.User with { Account = login == "ann" ? _rig.Ann : _rig.Bob };
        Assert.Equal(code, (await _rig.Transport.AdmitSenderAsync(_rig.Envelope(client, from), default)).Code);
        if (from.Length == 0) return;
        // The field that people see is held to the same.
        AcceptOutcome outcome = await _rig.SendAsync(_rig.Envelope(client, client.Account!.Address.ToString(), "ann@example.org"), $"From: {from}\n\nx\n");
        Assert.Equal(code == 250, outcome.Overall.IsPositive);
    }

    [Fact]
    public async Task A_table_that_cannot_be_read_makes_the_user_wait()
    {
        _rig.Transport.Options = _rig.Options with { SenderLogins = ["gone"] };
        Assert.Equal(451, (await _rig.Transport.AdmitSenderAsync(_rig.Envelope(_rig.User, "office@example.org"), default)).Code);
        Assert.Equal(250, (await _rig.Transport.AdmitSenderAsync(_rig.Envelope(_rig.User, "ann@example.org"), default)).Code);
        Assert.Equal(451, (await _rig.SendAsync(_rig.Envelope(_rig.User, "ann@example.org", "ann@example.org"), "From: office@example.org\n\nx\n")).Overall.Code);
    }

    [Theory]
    [InlineData(false, "office@example.org", 554)]
    [InlineData(false, "x@partner.example", 554)]
    [InlineData(false, "ann@example.org", 554)]
    [InlineData(false, "x@far.example", 250)]
    [InlineData(true, "office@example.org", 250)]
    public async Task Rules_know_whose_addresses_they_are(bool loggedIn, string from, int code)
    {
        Rule rule = RuleText.Read("stage=sender; listeners=smtp,submission; login-mismatch=true; action=REJECT", 1);
        _rig.Transport.Checks = new([new RuleSet([rule], new(_rig.Directory, null) { Tables = _tables, SenderLogins = ["logins"] })], new(null));
        ClientContext client = loggedIn ? _rig.User : TransportRig.Stranger;
        await using SessionPolicy policy = new(_rig.Transport, _rig.Transport.OpenChecks(client), delays: false);
        Assert.Equal(code, (await policy.SenderAsync(_rig.Envelope(client, from), default)).Code);
    }
}
