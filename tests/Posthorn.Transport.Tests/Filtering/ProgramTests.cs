using Posthorn.Sieve;
using Posthorn.Transport.Filtering;

namespace Posthorn.Transport.Tests.Filtering;

/// <summary>Programs that scripts run: only the administrator's, and within bounds.</summary>
public sealed class ProgramTests
{
    private const string Hello = "From: eve@example.net\nTo: ann@example.org\nSubject: hello\n\nText\n";

    [Fact]
    public async Task A_program_gets_the_message_arguments_and_nothing_of_our_environment()
    {
        using SieveRig rig = Rig();
        Program(rig, "learn", "cat > \"$HOME/learnt\"; printf '%s|%s|%s' \"$1\" \"$SENDER\" \"$(env | wc -l)\" > \"$HOME/args\"");
        await rig.ScriptAsync(rig.Ann, """require ["vnd.dovecot.pipe", "copy"]; pipe :copy "learn" ["a b; rm -rf $HOME"];""");
        await rig.SendAsync(Hello);
        Assert.EndsWith("\r\n\r\nText\r\n", await File.ReadAllTextAsync(rig.Ann.Home + "/learnt"), StringComparison.Ordinal);
        string[] args = (await File.ReadAllTextAsync(rig.Ann.Home + "/args")).Split('|');
        Assert.Equal(("a b; rm -rf $HOME", "eve@example.net"), (args[0], args[1]));
        Assert.InRange(int.Parse(args[2], System.Globalization.CultureInfo.InvariantCulture), 7, 12);
        Assert.Single(await rig.MailAsync());
    }

    [Fact]
    public async Task A_pipe_that_fails_keeps_the_message_and_one_that_works_consumes_it()
    {
        using SieveRig rig = Rig();
        Program(rig, "good", "cat > /dev/null");
        Program(rig, "bad", "echo no use >&2; exit 3");
        await rig.ScriptAsync(rig.Ann, """require "vnd.dovecot.pipe"; pipe "good";""");
        await rig.SendAsync(Hello);
        Assert.Empty(await rig.MailAsync());
        await rig.ScriptAsync(rig.Ann, """require "vnd.dovecot.pipe"; pipe "bad";""");
        await rig.SendAsync(Hello);
        Assert.Single(await rig.MailAsync());
        Assert.Contains("ended with status 3: no use", rig.OwnerLog, StringComparison.Ordinal);
        await rig.ScriptAsync(rig.Ann, """require "vnd.dovecot.pipe"; pipe "missing";""");
        await rig.SendAsync(Hello);
        Assert.Equal(2, (await rig.MailAsync()).Count);
    }

    [Fact]
    public async Task A_filter_changes_the_message_and_execute_tells()
    {
        using SieveRig rig = Rig();
        Program(rig, "shout", "sed 's/Text/TEXT/'");
        Program(rig, "say", "printf hidden");
        await rig.ScriptAsync(rig.Ann, """
            require ["vnd.dovecot.filter", "vnd.dovecot.execute", "variables", "editheader"];
            filter "shout";
            execute :output "word" "say";
            addheader "X-Word" "${word}";
            """);
        await rig.SendAsync(Hello);
        string stored = Assert.Single(await rig.MailAsync());
        Assert.EndsWith("\r\n\r\nTEXT\r\n", stored, StringComparison.Ordinal);
        Assert.Contains("X-Word: hidden\r\n", stored, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Time_memory_and_output_are_bounded()
    {
        using SieveRig rig = Rig(options => options with { ProgramTime = TimeSpan.FromSeconds(1), ProgramMemory = 64 << 20, Language = options.Language with { Limits = options.Language.Limits with { MaxEditedSize = 100_000 } } });
        Program(rig, "slow", "exec sleep 300");
        Program(rig, "much", "head -c 200000 /dev/zero");
        Program(rig, "fat", "exec head -c 200000000 /dev/zero | tail -c 150000000 > /dev/null");
        foreach (string name in (string[])["slow", "much", "fat"])
        {
            await rig.ScriptAsync(rig.Ann, $$"""require ["vnd.dovecot.filter", "fileinto"]; if filter "{{name}}" { fileinto "Junk"; }""");
            await rig.SendAsync(Hello);
        }
        Assert.Equal(3, (await rig.MailAsync()).Count);
        Assert.Empty(await rig.MailAsync("Junk"));
    }

    [Fact]
    public void Without_a_folder_scripts_cannot_require_programs()
    {
        Assert.False(SieveCompiler.Compile("require \"vnd.dovecot.pipe\";", "x", SieveRig.Plain.Language).IsOk);
    }

    private static SieveRig Rig(Func<SieveOptions, SieveOptions>? change = null) => new(rig =>
    {
        System.IO.Directory.CreateDirectory(rig.PathOf("programs"));
        SieveOptions options = SieveRig.Plain with
        {
            ProgramFolder = rig.PathOf("programs"),
            Language = SieveRig.Plain.Language with { Disabled = new HashSet<string>(SieveSettings.DefaultDisabled.Where(name => !name.StartsWith("vnd.dovecot.", StringComparison.Ordinal))) },
        };
        return change?.Invoke(options) ?? options;
    });

    private static void Program(SieveRig rig, string name, string body)
    {
        string path = rig.Write($"programs/{name}", "#!/bin/sh\n" + body + "\n");
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }
}
