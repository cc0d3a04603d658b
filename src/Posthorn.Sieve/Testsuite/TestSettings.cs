using System.Globalization;
using Posthorn.Core;
using Posthorn.Sieve.Language;
using Posthorn.Sieve.Running;

namespace Posthorn.Sieve.Testsuite;

/// <summary>Settings by the names that Pigeonhole 2.4 gives them, read into ours. Names that mean nothing here are passed over.</summary>
internal sealed class TestSettings
{
    private readonly Dictionary<string, string> _pending = new(StringComparer.Ordinal);

    public EmailAddress? UserEmail { get; private set; }

    public Dictionary<string, string> Environment { get; private set; } = [];

    /// <summary>The external lists by full name, with their files.</summary>
    public Dictionary<string, string?> Lists { get; private set; } = [];

    public string? PipeDirectory { get; private set; }

    public string? FilterDirectory { get; private set; }

    public string? ExecuteDirectory { get; private set; }

    /// <summary>The line end of what execute gives to programs; null leaves it.</summary>
    public string? ExecuteLineEnd { get; private set; }

    public TimeSpan ProgramTimeout { get; private set; } = TimeSpan.FromSeconds(10);

    /// <summary>How often the settings were made effective.</summary>
    public int Generation { get; private set; }

    public void Set(string name, string? value)
    {
        if (value is null)
        {
            name = Current(name);
            _pending.Remove(name);
            foreach (string key in _pending.Keys.Where(k => k.StartsWith(name + "/", StringComparison.Ordinal)).ToList()) _pending.Remove(key);
        }
        else _pending[Current(name)] = value;
    }

    // Names of Pigeonhole 0.5 that 2.4 spells otherwise.
    private static string Current(string name) => name switch
    {
        "sieve_spamtest_max_value" or "sieve_virustest_max_value" => name.Replace("_max_value", "_score_max_value", StringComparison.Ordinal),
        "sieve_spamtest_max_header" or "sieve_virustest_max_header" => name.Replace("_max_header", "_score_max_header", StringComparison.Ordinal),
        "sieve_env_display_name" => "sieve_environment/display_name",
        _ when name.IndexOf("_text_value", StringComparison.Ordinal) is > 0 and int at && name.Length > at + 11 && char.IsAsciiDigit(name[at + 11]) => $"{name[..(at + 11)]}/{name[(at + 11)..]}",
        _ => name,
    };

    public string? ScriptDictionary(string place) =>
        Text($"sieve_script/{place}/sieve_script_driver") == "dict" ? Text($"sieve_script/{place}/sieve_script_dict/dict/file/path") : null;

    private string? Text(string name) => _pending.GetValueOrDefault(name) is { Length: > 0 } value ? value : null;

    public SieveSettings Build()
    {
        Generation++;
        UserEmail = Text("sieve_user_email") is { } owner ? Addresses.Read(owner) ?? throw Bad("sieve_user_email") : null;
        Environment = new() { ["location"] = "MS", ["vnd.dovecot.username"] = "tester" };
        foreach ((string key, string value) in _pending)
            if (key.StartsWith("sieve_environment/", StringComparison.Ordinal))
                Environment["vnd.dovecot.config." + key["sieve_environment/".Length..].ToLowerInvariant().Replace('_', '-')] = value;
        Lists = [];
        foreach (string name in Entries("sieve_extlists_list"))
            Lists[SieveExternalList.Normalize(Text($"sieve_extlists_list/{name}/name") ?? name)] = Text($"sieve_extlists_list/{name}/dict/file/path");
        PipeDirectory = Text("sieve_pipe_bin_dir");
        FilterDirectory = Text("sieve_filter_bin_dir");
        ExecuteDirectory = Text("sieve_execute_bin_dir");
        ExecuteLineEnd = Text("sieve_execute_input_eol") switch { null => null, "crlf" => "\r\n", "lf" => "\n", _ => throw Bad("sieve_execute_input_eol") };
        ProgramTimeout = Text("sieve_pipe_exec_timeout") is { } timeout ? Duration(timeout) : TimeSpan.FromSeconds(10);
        return new()
        {
            Limits = Limits(),
            Disabled = new HashSet<string>(),
            MailboxSeparator = '.',
            RecipientDelimiter = Text("recipient_delimiter") ?? "+",
            RedirectSender = Sender("sieve_redirect_envelope_from", SieveSenderPolicy.Sender),
            NotifySender = Text("sieve_notify_mailto_envelope_from") is null ? null : Sender("sieve_notify_mailto_envelope_from", SieveSenderPolicy.Sender),
            ReportFrom = Sender("sieve_report_from", SieveSenderPolicy.Postmaster),
            VacationMinPeriod = Text("sieve_vacation_min_period") is { } min ? Duration(min) : TimeSpan.FromDays(1),
            VacationDefaultSubject = Text("sieve_vacation_default_subject") ?? "Automated reply",
            VacationSubjectTemplate = Text("sieve_vacation_default_subject_template") ?? "Auto: %{subject}",
            VacationMaxSubject = Number("sieve_vacation_max_subject_codepoints") ?? 256,
            VacationCheckRecipient = Flag("sieve_vacation_check_recipient", !Flag("sieve_vacation_dont_check_recipient", false)),
            VacationSendFromRecipient = Flag("sieve_vacation_send_from_recipient", false),
            VacationUseOriginalRecipient = Flag("sieve_vacation_use_original_recipient", false),
            VacationToHeaderIgnoreEnvelope = Flag("sieve_vacation_to_header_ignore_envelope", false),
            SpamTest = Score("sieve_spamtest", SieveScoreKind.Score),
            VirusTest = Score("sieve_virustest", SieveScoreKind.Text),
            ProtectedHeaders = Headers(),
        };
    }

    private SieveLimits Limits()
    {
        SieveLimits limits = SieveLimits.Default;
        int variable = Number("sieve_variables_max_value_size") ?? Number("sieve_variables_max_variable_size") ?? limits.MaxVariableSize;
        return limits with
        {
            MaxActions = Number("sieve_max_actions") ?? limits.MaxActions,
            MaxRedirects = Number("sieve_max_redirects") ?? limits.MaxRedirects,
            MaxNotifications = Number("sieve_notify_max_notifications") ?? limits.MaxNotifications,
            MaxIncludeDepth = Number("sieve_include_max_nesting_depth") ?? limits.MaxIncludeDepth,
            MaxIncludes = Number("sieve_include_max_includes") ?? limits.MaxIncludes,
            MaxVariableSize = variable,
            MaxHeaderSize = Math.Max(1024, Number("sieve_editheader_max_header_size") ?? limits.MaxHeaderSize),
            MaxTime = Text("sieve_max_cpu_time") is { } time ? Duration(time) : limits.MaxTime,
        };
    }

    private SieveScoreSettings Score(string prefix, SieveScoreKind kind)
    {
        Split(Text(prefix + "_status_header") ?? "", out string header, out string? pattern);
        Split(Text(prefix + "_score_max_header") ?? "", out string maxHeader, out string? maxPattern);
        Dictionary<int, string> texts = [];
        foreach (string entry in Entries(prefix + "_text_value"))
            if (int.TryParse(entry, NumberStyles.None, CultureInfo.InvariantCulture, out int value)) texts[value] = _pending[$"{prefix}_text_value/{entry}"];
        return new()
        {
            StatusHeader = header,
            StatusPattern = pattern,
            Kind = Text(prefix + "_status_type") switch
            {
                null => kind,
                "score" => SieveScoreKind.Score,
                "strlen" => SieveScoreKind.Length,
                "text" => SieveScoreKind.Text,
                _ => throw Bad(prefix + "_status_type"),
            },
            MaxValue = Text(prefix + "_score_max_value") is { } max && double.TryParse(max, NumberStyles.Float, CultureInfo.InvariantCulture, out double number) ? number : null,
            MaxHeader = maxHeader.Length > 0 ? maxHeader : null,
            MaxPattern = maxPattern,
            TextValues = texts,
        };
    }

    // "Header: pattern"
    private static void Split(string text, out string header, out string? pattern)
    {
        int colon = text.IndexOf(':', StringComparison.Ordinal);
        header = (colon < 0 ? text : text[..colon]).Trim();
        pattern = colon < 0 ? null : text[(colon + 1)..].Trim();
    }

    private Dictionary<string, SieveHeaderRule> Headers()
    {
        Dictionary<string, SieveHeaderRule> rules = [];
        foreach (string name in Entries("sieve_editheader_header"))
        {
            string prefix = $"sieve_editheader_header/{name}/";
            rules[(Text(prefix + "name") ?? name).ToLowerInvariant()] = new(Flag(prefix + "forbid_add", false), Flag(prefix + "forbid_delete", false));
        }
        // As Pigeonhole 0.5 wrote it: lists of names.
        foreach ((string key, bool add, bool delete) in ((string, bool, bool)[])[("protected", true, true), ("forbid_add", true, false), ("forbid_delete", false, true)])
            foreach (string name in (Text("sieve_editheader_" + key) ?? "").ToLowerInvariant().Split(' ', StringSplitOptions.RemoveEmptyEntries))
                rules[name] = new(add || rules.GetValueOrDefault(name)?.ForbidAdd == true, delete || rules.GetValueOrDefault(name)?.ForbidDelete == true);
        return rules;
    }

    // The entries of a list: those that it names, and those that have settings.
    private List<string> Entries(string list)
    {
        List<string> names = [.. (Text(list) ?? "").Split(' ', StringSplitOptions.RemoveEmptyEntries)];
        foreach (string key in _pending.Keys)
            if (key.StartsWith(list + "/", StringComparison.Ordinal) && key[(list.Length + 1)..].Split('/')[0] is { Length: > 0 } name && !names.Contains(name)) names.Add(name);
        return names;
    }

    private SieveSender Sender(string name, SieveSenderPolicy fallback) => Text(name)?.Trim() switch
    {
        null => new(fallback),
        "sender" => new(SieveSenderPolicy.Sender),
        "recipient" => new(SieveSenderPolicy.Recipient),
        "orig_recipient" => new(SieveSenderPolicy.OriginalRecipient),
        "user_email" => new(UserEmail is null ? SieveSenderPolicy.Recipient : SieveSenderPolicy.Owner),
        "postmaster" => new(SieveSenderPolicy.Postmaster),
        ['<', .. { } address, '>'] => new(SieveSenderPolicy.Fixed, address),
        _ => throw Bad(name),
    };

    private bool Flag(string name, bool fallback) => Text(name)?.ToLowerInvariant() switch
    {
        null => fallback,
        "yes" or "true" or "y" or "1" => true,
        "no" or "false" or "n" or "0" => false,
        _ => throw Bad(name),
    };

    private int? Number(string name)
    {
        if (Text(name) is not { } text) return null;
        string digits = text.TrimEnd('B', 'b');
        int factor = digits.Length > 0 ? char.ToUpperInvariant(digits[^1]) switch { 'K' => 1024, 'M' => 1024 * 1024, _ => 1 } : 1;
        if (factor > 1) digits = digits[..^1];
        return int.TryParse(digits.Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out int value) ? value * factor : throw Bad(name);
    }

    private static TimeSpan Duration(string text)
    {
        string digits = text.TrimEnd("abcdefghijklmnopqrstuvwxyz ".ToCharArray());
        string unit = text[digits.Length..].Trim();
        if (!double.TryParse(digits, NumberStyles.Float, CultureInfo.InvariantCulture, out double value)) throw new SieveRunException($"\"{text}\" is no period of time");
        return unit switch
        {
            "ms" or "msecs" => TimeSpan.FromMilliseconds(value),
            "m" or "min" or "mins" => TimeSpan.FromMinutes(value),
            "h" or "hour" or "hours" => TimeSpan.FromHours(value),
            "d" or "day" or "days" => TimeSpan.FromDays(value),
            "w" or "week" or "weeks" => TimeSpan.FromDays(7 * value),
            _ => TimeSpan.FromSeconds(value),
        };
    }

    private static SieveRunException Bad(string name) => new($"the setting {name} has a value that it cannot have");
}
