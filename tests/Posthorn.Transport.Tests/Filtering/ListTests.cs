using Posthorn.Transport.Filtering;

namespace Posthorn.Transport.Tests.Filtering;

/// <summary>Lists outside scripts (RFC 6134): the administrator's files and the account's address books.</summary>
public sealed class ListTests
{
    private const string Friends = "tag:example.org,2024:friends";

    private static string From(string address) => $"From: {address}\nTo: ann@example.org\nSubject: x\n\nText\n";

    private static SieveRig Rig() => new(rig => SieveRig.Plain with { Lists = new Dictionary<string, string> { [Friends] = rig.Write("friends.txt", "# of all\n\nbob@example.org\nBest Friend <eve@example.net>\n") } });

    [Fact]
    public async Task Senders_are_looked_for_on_lists_and_in_address_books()
    {
        using SieveRig rig = Rig();
        rig.Write(Path.Combine(rig.Ann.Home, "sieve/lists/default.txt"), "MUM@example.com\n");
        rig.Write(Path.Combine(rig.Ann.Home, "sieve/lists/club.txt"), "");
        await rig.ScriptAsync(rig.Ann, $$"""
            require ["extlists", "fileinto", "mailbox", "envelope", "variables"];
            if not valid_ext_list ["{{Friends}}", ":addrbook:default", ":AddrBook:%44efault", ":addrbook:club"] { discard; stop; }
            if anyof (valid_ext_list "tag:example.org,2024:other", valid_ext_list ":addrbook:none", valid_ext_list ":addrbook:..%2Fx") { discard; stop; }
            if address :list "from" ["{{Friends}}", ":addrbook:default"] { fileinto :create "Known.${0}"; }
            """);
        foreach (string sender in (string[])["Eve@EXAMPLE.net", "mum@example.com", "nobody@example.com"]) await rig.SendAsync(From(sender));
        Assert.Single(await rig.MailAsync("Known.eve@example.net"));
        Assert.Single(await rig.MailAsync("Known.MUM@example.com"));
        Assert.Single(await rig.MailAsync());
    }

    [Fact]
    public async Task A_change_of_a_list_counts_for_the_next_message_and_a_list_that_is_gone_is_an_error()
    {
        using SieveRig rig = Rig();
        await rig.ScriptAsync(rig.Ann, $$"""require ["extlists", "fileinto", "mailbox"]; if header :list "subject" "{{Friends}}" { fileinto :create "Hit"; }""");
        await rig.SendAsync(From("x@example.com"));
        rig.Write("friends.txt", "x\n");
        await rig.SendAsync(From("x@example.com"));
        Assert.Single(await rig.MailAsync("Hit"));
        File.Delete(rig.PathOf("friends.txt"));
        await rig.SendAsync(From("x@example.com"));
        Assert.Equal(2, (await rig.MailAsync()).Count);
        Assert.Contains("there is no list", rig.OwnerLog, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_list_that_is_too_large_is_an_error_and_the_message_is_kept()
    {
        using SieveRig rig = Rig();
        rig.Write("friends.txt", new string('x', (int)ListFiles.MaxList + 1));
        await rig.ScriptAsync(rig.Ann, $$"""require "extlists"; if address :list "from" "{{Friends}}" { discard; }""");
        await rig.SendAsync(From("x@example.com"));
        Assert.Single(await rig.MailAsync());
        Assert.Contains("is larger than", rig.OwnerLog, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Redirect_goes_to_all_of_a_list_within_the_bound_of_redirects()
    {
        using SieveRig rig = Rig();
        rig.Write("friends.txt", "a@far.example\nB <b@far.example>\n");
        await rig.ScriptAsync(rig.Ann, $$"""require "extlists"; redirect :list "{{Friends}}";""");
        await rig.SendAsync(From("x@example.com"));
        Assert.Equal(["a@far.example", "b@far.example"], rig.Queued.SelectMany(q => q.Message.Recipients).Select(r => r.Address.ToString()).Order());
        rig.Write("friends.txt", string.Concat(Enumerable.Range(0, 5).Select(i => $"u{i}@far.example\n")));
        await rig.SendAsync(From("x@example.com"));
        Assert.Single(await rig.MailAsync());
        Assert.Contains("redirect actions exceeds", rig.OwnerLog, StringComparison.Ordinal);
    }
}
