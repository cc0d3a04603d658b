using System.Collections.Frozen;
using Posthorn.Sieve;
using Posthorn.Store.Scripts;
using Posthorn.Transport.Filtering;

namespace Posthorn.Configuration;

/// <summary>Reads <c>[sieve]</c>. Scripts that it names are compiled here: one that does not run is a mistake in the configuration, told before any mail meets it.</summary>
internal static class SieveBinder
{
    private const long KiB = 1 << 10, MiB = 1 << 20;

    // What others have replaced, for old scripts.
    private static readonly string[] ElderExtensions = ["imapflags", "notify"];

    private static readonly string[] ProgramExtensions = ["vnd.dovecot.pipe", "vnd.dovecot.filter", "vnd.dovecot.execute"];

    public static SieveSection Read(ConfigReader reader, char separator, string recipientDelimiter)
    {
        string? programs = FolderAt(reader, "programs");
        ScriptLimits scripts = new()
        {
            ScriptOctets = reader.Size("script-size", MiB, KiB, 16 * MiB),
            Scripts = reader.Number("scripts", 100, 1, 10_000),
            TotalOctets = reader.Size("scripts-size", 10 * MiB, KiB, 1024 * MiB),
        };
        SieveSection section = new()
        {
            Before = reader.Paths("before"),
            After = reader.Paths("after"),
            Default = reader.OptionalPath("default"),
            Global = FolderAt(reader, "global"),
            Programs = programs,
            ProgramTime = reader.Duration("program-time", TimeSpan.FromSeconds(10), TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(5)),
            ProgramMemory = reader.Size("program-memory", 1024 * MiB, 16 * MiB, 64 * 1024 * MiB),
            Scripts = scripts,
            Language = Language(reader, programs is not null, (int)scripts.ScriptOctets, separator, recipientDelimiter),
            Lists = Lists(reader),
            UserEvents = reader.Flag("imapsieve", false),
            EventScript = EventScript(reader),
            ImapRules = reader.Sections("imap", ImapRule),
        };
        foreach (string path in section.Before) Check(reader, "before", path, section.Language);
        foreach (string path in section.After) Check(reader, "after", path, section.Language);
        if (section.Default is { } fallback) Check(reader, "default", fallback, section.Language);
        foreach (ImapScriptRule rule in section.ImapRules) Check(reader, "imap", rule.Script, section.Language);
        return section;
    }

    private static SieveSettings Language(ConfigReader reader, bool hasPrograms, int scriptSize, char separator, string recipientDelimiter)
    {
        HashSet<string> known = [.. SieveSettings.Default.Extensions, .. ProgramExtensions];
        List<string> disabled = [.. SieveSettings.DefaultDisabled.Where(name => !hasPrograms || !ProgramExtensions.Contains(name))];
        foreach (string name in reader.Texts("enable", []))
        {
            if (ElderExtensions.Contains(name)) disabled.Remove(name);
            else reader.Problem(reader.PlaceOf("enable"), $"'sieve.enable' names \"{name}\"; expected \"imapflags\" or \"notify\": all others are there unless 'sieve.disable' names them");
        }
        foreach (string name in reader.Texts("disable", []))
        {
            if (known.Contains(name)) disabled.Add(name);
            else reader.Problem(reader.PlaceOf("disable"), $"'sieve.disable' names \"{name}\", which is no extension of Sieve that this server knows{Advice(Spelling.Nearest(name, known))}");
        }
        return new()
        {
            Disabled = disabled.ToFrozenSet(),
            MailboxSeparator = separator,
            RecipientDelimiter = recipientDelimiter,
            Limits = SieveLimits.Default with
            {
                MaxScriptSize = scriptSize,
                MaxActions = reader.Number("actions", 32, 1, 1000),
                MaxRedirects = reader.Number("redirects", 4, 0, 1000),
                MaxNotifications = reader.Number("notifications", 8, 0, 1000),
                MaxTime = reader.Duration("time", TimeSpan.FromSeconds(30), TimeSpan.FromMilliseconds(100), TimeSpan.FromMinutes(5)),
            },
            VacationMinPeriod = reader.Duration("vacation-min-period", TimeSpan.FromDays(1), TimeSpan.Zero, TimeSpan.FromDays(365)),
            VacationDefaultPeriod = reader.Duration("vacation-default-period", TimeSpan.FromDays(7), TimeSpan.Zero, TimeSpan.FromDays(365)),
            VacationMaxPeriod = reader.Duration("vacation-max-period", TimeSpan.Zero, TimeSpan.Zero, TimeSpan.FromDays(3650)),
            RedirectSender = SieveLanguageBinder.Sender(reader, "redirect-sender", new(SieveSenderPolicy.Sender))!,
            NotifySender = SieveLanguageBinder.Sender(reader, "notify-sender", null),
            ReportFrom = SieveLanguageBinder.Sender(reader, "report-from", new(SieveSenderPolicy.Postmaster))!,
            SpamTest = SieveLanguageBinder.Score(reader, "spamtest", SieveScoreKind.Score, 10),
            VirusTest = SieveLanguageBinder.Score(reader, "virustest", SieveScoreKind.Text, 5),
            ProtectedHeaders = SieveLanguageBinder.Protected(reader),
            VacationUseOriginalRecipient = reader.Flag("vacation-use-original-recipient", false),
            DuplicateDefaultPeriod = reader.Duration("duplicate-default-period", TimeSpan.FromDays(7), TimeSpan.FromMinutes(1), TimeSpan.FromDays(365)),
            DuplicateMaxPeriod = reader.Duration("duplicate-max-period", TimeSpan.FromDays(30), TimeSpan.FromMinutes(1), TimeSpan.FromDays(365)),
        };
    }

    private static string? EventScript(ConfigReader reader)
    {
        string? name = reader.OptionalText("imapsieve-script");
        if (name is not null && !ScriptName.TryCreate(name, out _)) reader.Problem(reader.PlaceOf("imapsieve-script"), $"'sieve.imapsieve-script' is \"{name}\", which no script can be called");
        return name;
    }

    private sealed record ListEntry(string Name, string File);

    private static Dictionary<string, string> Lists(ConfigReader reader)
    {
        Dictionary<string, string> lists = [];
        foreach (ListEntry entry in reader.Sections("list", ListOf)) lists[entry.Name] = entry.File;
        return lists;
    }

    private static ListEntry? ListOf(ConfigReader reader)
    {
        string name = reader.Text("name", "");
        string? file = reader.OptionalPath("file");
        if (!SieveExternalList.IsName(name)) reader.Problem(reader.PlaceOf("name"), $"'sieve.list.name' is \"{name}\"; expected a URI such as \"tag:example.com,2024:friends\" or \":addrbook:company\"");
        else if (file is null) reader.Problem("a [[sieve.list]] needs a file, such as file = \"/etc/posthorn/friends.txt\"");
        else if (!File.Exists(file)) reader.Problem(reader.PlaceOf("file"), $"'sieve.list.file' names {file}: there is no such file");
        else return new(SieveExternalList.Normalize(name), file);
        return null;
    }

    private static ImapScriptRule? ImapRule(ConfigReader reader)
    {
        string? script = reader.OptionalPath("script");
        string mailbox = reader.Text("mailbox", "*"), from = reader.Text("from", "*");
        List<string> causes = [];
        foreach (string word in reader.Texts("causes", []))
        {
            string cause = word.ToUpperInvariant();
            if (cause is "COPY" or "APPEND" or "FLAG") causes.Add(cause);
            else reader.Problem(reader.PlaceOf("causes"), $"'sieve.imap.causes' names \"{word}\"; expected COPY (MOVE is one too), APPEND or FLAG");
        }
        if (script is null) reader.Problem("a [[sieve.imap]] needs a script, such as script = \"/etc/posthorn/learn-spam.sieve\"");
        return script is null ? null : new(script, mailbox, from, causes);
    }

    private static string? FolderAt(ConfigReader reader, string key)
    {
        string? path = reader.OptionalPath(key);
        if (path is not null && !Folder.Exists(path)) reader.Problem(reader.PlaceOf(key), $"'sieve.{key}' names {path}: there is no such folder");
        return path;
    }

    private static void Check(ConfigReader reader, string key, string path, SieveSettings language)
    {
        byte[] script;
        try
        {
            script = File.ReadAllBytes(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            reader.Problem(reader.PlaceOf(key), $"'sieve.{key}' names {path}: {(e is FileNotFoundException or DirectoryNotFoundException ? "there is no such file" : e.Message)}");
            return;
        }
        foreach (SieveDiagnostic remark in SieveCompiler.Compile(script, path, language).Diagnostics)
        {
            if (remark.Severity == SieveSeverity.Error) reader.Problem(reader.PlaceOf(key), $"'sieve.{key}': {path}:{remark}");
            else reader.Warning(reader.PlaceOf(key), $"'sieve.{key}': {path}:{remark}");
        }
    }

    private static string Advice(string? nearest) => nearest is null ? "" : $"; did you mean \"{nearest}\"?";
}
