using Posthorn.Core;
using Posthorn.Store;

namespace Posthorn.Transport.Tests.Filtering;

/// <summary>What scripts keep, file, change and throw away.</summary>
public sealed class StoringTests
{
    private const string Hello = "From: eve@example.net\nTo: ann@example.org\nSubject: hello\nMessage-ID: <1@example.net>\n\nText\n";

    [Fact]
    public async Task Without_a_script_mail_is_kept()
    {
        using SieveRig rig = new();
        Assert.True((await rig.SendAsync(Hello)).Overall.IsPositive);
        Assert.Single(await rig.MailAsync());
    }

    [Fact]
    public async Task Fileinto_files_with_flags_and_a_copy_stays()
    {
        using SieveRig rig = new();
        await rig.ScriptAsync(rig.Ann, """require ["fileinto", "copy", "imap4flags"]; fileinto :copy :flags ["\\Seen", "$Work"] "Archive"; keep :flags "\\Flagged";""");
        await rig.SendAsync(Hello);
        Assert.EndsWith("Text\r\n", Assert.Single(await rig.MailAsync("Archive")), StringComparison.Ordinal);
        Assert.Equal((SystemFlags.Seen, "$Work"), await FlagsAsync(rig, "Archive"));
        Assert.Equal((SystemFlags.Flagged, ""), await FlagsAsync(rig, "INBOX"));
    }

    [Fact]
    public async Task A_missing_mailbox_means_the_inbox_and_a_note_unless_it_is_to_be_made()
    {
        using SieveRig rig = new();
        await rig.ScriptAsync(rig.Ann, """require "fileinto"; fileinto "Nowhere";""");
        await rig.SendAsync(Hello);
        Assert.Single(await rig.MailAsync());
        Assert.Contains("the mailbox \"Nowhere\" does not exist", rig.OwnerLog, StringComparison.Ordinal);
        await rig.ScriptAsync(rig.Ann, """require ["fileinto", "mailbox"]; fileinto :create "Now.Here";""");
        await rig.SendAsync(Hello);
        Assert.Single(await rig.MailAsync());
        Assert.Single(await rig.MailAsync("Now.Here"));
    }

    // RFC 8579 section 4.1: the new mailbox gets the use; section 4: of several the one that is named.
    [Fact]
    public async Task A_mailbox_made_for_a_special_use_has_it()
    {
        using SieveRig rig = new();
        await rig.ScriptAsync(rig.Ann, """require ["fileinto", "mailbox", "special-use"]; fileinto :create :specialuse "\\Important" "Now"; fileinto :create :specialuse "\\Unheard" "Odd";""");
        await rig.SendAsync(Hello);
        await using IMailStore store = (await rig.Rig.Stores.OpenAsync(rig.Ann, default)).Value;
        Dictionary<string, SpecialUse> uses = (await store.ListAsync(default)).ToDictionary(box => box.Name.ToString(), box => box.Use);
        Assert.Equal((SpecialUse.Important, SpecialUse.None), (uses["Now"], uses["Odd"]));
        await store.CreateAsync(MailboxName.TryCreate("Another", '.', out MailboxName other) ? other : default, SpecialUse.Important, default);
        await rig.SendAsync(Hello);
        Assert.Equal((2, 0), ((await rig.MailAsync("Now")).Count, (await rig.MailAsync("Another")).Count));
    }

    [Fact]
    public async Task Special_use_and_mailbox_id_lead_to_the_mailbox()
    {
        using SieveRig rig = new();
        await using IMailStore store = (await rig.Rig.Stores.OpenAsync(rig.Ann, default)).Value;
        string id = (await store.ListAsync(default)).Single(box => box.Use == SpecialUse.Archive).Id!.Value.Value;
        await rig.ScriptAsync(rig.Ann, $$"""
            require ["fileinto", "special-use", "mailboxid", "mailbox", "copy"];
            if not specialuse_exists "\\Junk" { discard; stop; }
            if mailboxidexists "nothing" { discard; stop; }
            if not mailboxexists "Archive" { discard; stop; }
            if mailboxexists "Nowhere" { discard; stop; }
            fileinto :copy :specialuse "\\Junk" "Spam";
            fileinto :mailboxid "{{id}}" "Elsewhere";
            """);
        await rig.SendAsync(Hello);
        Assert.Single(await rig.MailAsync("Junk"));
        Assert.Single(await rig.MailAsync("Archive"));
        Assert.Empty(await rig.MailAsync());
    }

    [Fact]
    public async Task Discard_leaves_nothing_and_is_a_positive_reply()
    {
        using SieveRig rig = new();
        await rig.ScriptAsync(rig.Ann, "discard;");
        Assert.True((await rig.SendAsync(Hello)).Overall.IsPositive);
        Assert.Empty(await rig.MailAsync());
        Assert.Empty(rig.Queued);
    }

    [Fact]
    public async Task An_edited_header_is_what_is_stored()
    {
        using SieveRig rig = new();
        await rig.ScriptAsync(rig.Ann, """require ["editheader", "fileinto", "copy"]; fileinto :copy "Archive"; deleteheader "Subject"; addheader "X-Sorted" "yes";""");
        await rig.SendAsync(Hello);
        string edited = Assert.Single(await rig.MailAsync());
        Assert.StartsWith("Return-Path: <eve@example.net>\r\nDelivered-To: ann@example.org\r\nX-Sorted: yes\r\nReceived:", edited, StringComparison.Ordinal);
        Assert.DoesNotContain("Subject:", edited, StringComparison.Ordinal);
        Assert.EndsWith("\r\n\r\nText\r\n", edited, StringComparison.Ordinal);
        Assert.Contains("Subject: hello", Assert.Single(await rig.MailAsync("Archive")), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_replaced_message_is_what_is_stored()
    {
        using SieveRig rig = new();
        await rig.ScriptAsync(rig.Ann, """require ["replace"]; replace :subject "gone" "Nothing to see";""");
        await rig.SendAsync(Hello);
        string stored = Assert.Single(await rig.MailAsync());
        Assert.Contains("Nothing to see", stored, StringComparison.Ordinal);
        Assert.DoesNotContain("\r\nText\r\n", stored, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_body_is_looked_into()
    {
        using SieveRig rig = new();
        await rig.ScriptAsync(rig.Ann, """require ["body", "fileinto"]; if body :contains "needle" { fileinto "Archive"; }""");
        await rig.SendAsync(Hello);
        await rig.SendAsync(Hello.Replace("Text", string.Concat(Enumerable.Repeat("hay hay hay hay\n", 5000)) + "needle", StringComparison.Ordinal));
        Assert.Single(await rig.MailAsync());
        Assert.Single(await rig.MailAsync("Archive"));
    }

    [Fact]
    public async Task Administrators_scripts_run_around_the_owners_and_includes_are_found()
    {
        using SieveRig rig = new(r => SieveRig.Plain with
        {
            Before = [r.Write("admin/before.sieve", """require ["fileinto", "mailbox"]; if header :is "X-Spam" "yes" { fileinto "Junk"; }""")],
            After = [r.Write("admin/after.sieve", """require ["fileinto"]; if header :contains "Subject" "late" { fileinto "Archive"; }""")],
            Default = r.Write("admin/default.sieve", "discard;"),
            GlobalFolder = Path.GetDirectoryName(r.Write("admin/global/common.sieve", """require "imap4flags"; addflag "common";""")),
        });
        await rig.SendAsync(Hello);
        Assert.Empty(await rig.MailAsync()); // the default script
        await rig.ScriptAsync(rig.Ann, """require "imap4flags"; addflag "mine";""", "part", activate: false);
        await rig.ScriptAsync(rig.Ann, """require ["include", "imap4flags"]; include :global "common"; include :personal "part"; include :personal :optional "none"; keep;""");
        await rig.SendAsync(Hello);
        Assert.Equal((SystemFlags.None, "common mine"), await FlagsAsync(rig, "INBOX"));
        await rig.SendAsync("X-Spam: yes\n" + Hello);
        Assert.Single(await rig.MailAsync("Junk"));
        await rig.SendAsync(Hello.Replace("hello", "late", StringComparison.Ordinal));
        Assert.Single(await rig.MailAsync("Archive"));
        Assert.Single(await rig.MailAsync());
    }

    [Fact]
    public async Task A_script_that_fails_keeps_the_message_and_says_so_to_its_owner()
    {
        using SieveRig rig = new();
        await rig.ScriptAsync(rig.Ann, """
            require ["fileinto", "variables", "include"];
            fileinto "Archive";
            include "missing";
            """);
        Assert.True((await rig.SendAsync(Hello)).Overall.IsPositive);
        Assert.Single(await rig.MailAsync());
        Assert.Empty(await rig.MailAsync("Archive"));
        Assert.Contains("error in line 3", rig.OwnerLog, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_script_that_does_not_compile_counts_as_empty_and_is_complained_of_once()
    {
        using SieveRig rig = new(r => SieveRig.Plain with { After = [r.Write("after.sieve", """require ["fileinto"]; fileinto "Archive";""")] });
        await rig.ScriptAsync(rig.Ann, "keep; nonsense");
        await rig.SendAsync(Hello);
        string first = rig.OwnerLog;
        Assert.Contains("the script main does not run: 1:", first, StringComparison.Ordinal);
        await rig.SendAsync(Hello);
        Assert.Equal(2, (await rig.MailAsync("Archive")).Count);
        Assert.Equal(first, rig.OwnerLog);
    }

    [Fact]
    public async Task The_owners_log_is_bounded()
    {
        using SieveRig rig = new(_ => SieveRig.Plain with { OwnerLogSize = 500 });
        await rig.ScriptAsync(rig.Ann, """require "fileinto"; fileinto "Nowhere";""");
        for (int i = 0; i < 30; i++) await rig.SendAsync(Hello);
        Assert.InRange(rig.OwnerLog.Length, 1, 700);
        Assert.InRange(new FileInfo($"{rig.Ann.Home}/.dovecot.sieve.log.0").Length, 500, 700);
        Assert.Equal(30, (await rig.MailAsync()).Count);
    }

    [Fact]
    public async Task Equal_scripts_are_compiled_once()
    {
        using SieveRig rig = new();
        await rig.ScriptAsync(rig.Ann, "keep;");
        await rig.ScriptAsync(rig.Bob, "keep;");
        for (int i = 0; i < 3; i++) await rig.SendAsync(Hello, "ann@example.org", "bob@example.org");
        Assert.Equal(1, rig.Services.Library.Cache.Compiled);
        await rig.ScriptAsync(rig.Bob, "discard;");
        await rig.SendAsync(Hello, "bob@example.org");
        Assert.Equal(2, rig.Services.Library.Cache.Compiled);
    }

    [Fact]
    public async Task The_envelope_and_the_client_are_seen()
    {
        using SieveRig rig = new();
        await rig.ScriptAsync(rig.Ann, """
            require ["envelope", "subaddress", "environment", "fileinto"];
            if not envelope :is "from" "eve@example.net" { discard; stop; }
            if not envelope :detail :is "to" "lists" { discard; stop; }
            if not environment :is "remote-ip" "198.51.100.7" { discard; stop; }
            if not environment :is "location" "MDA" { discard; stop; }
            if not environment :is "phase" "during" { discard; stop; }
            """);
        await rig.SendAsync(Hello, "ann+lists@example.org");
        Assert.Single(await rig.MailAsync());
    }

    private static async Task<(SystemFlags, string)> FlagsAsync(SieveRig rig, string mailbox)
    {
        await using IMailStore store = (await rig.Rig.Stores.OpenAsync(rig.Ann, default)).Value;
        _ = MailboxName.TryCreate(mailbox, '.', out MailboxName name);
        await using IMailbox box = (await store.OpenMailboxAsync(name, true, default)).Value;
        MessageRow row = box.Current[^1];
        return (row.Flags, string.Join(' ', row.Keywords.Select(keyword => keyword.Name)));
    }
}
