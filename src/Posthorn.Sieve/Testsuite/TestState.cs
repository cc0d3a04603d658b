using System.Globalization;
using System.Text;
using Posthorn.Core;
using Posthorn.Sieve.Language;
using Posthorn.Sieve.Matching;
using Posthorn.Sieve.Messages;
using Posthorn.Sieve.Running;
using Posthorn.Sieve.Syntax;

namespace Posthorn.Sieve.Testsuite;

/// <summary>The world of one test file: message, envelope, settings, scripts, result, mail store and sent mail.</summary>
internal sealed class TestState
{
    private const string DefaultMessage =
        "From: sender@example.com\r\nTo: recipient@example.org\r\nSubject: Frop!\r\n\r\nFrop!\r\n";

    private const string User = "tester";

    private readonly ISieveTestWorld _world;
    private readonly SieveMessageParser _parser;
    private readonly TextWriter _output;
    private readonly TestSettings _settings = new();
    private readonly TestStore _store = new();
    private readonly Dictionary<string, SieveScript> _binaries = [];
    private readonly Dictionary<string, SieveCompilation?> _included = [];
    private readonly HashSet<SieveAction> _executed = new(ReferenceEqualityComparer.Instance);
    private ISieveMessage _given;
    private SieveScript? _script;
    private bool _hasRun;
    private readonly bool _countsFailure;

    public TestState(ISieveTestWorld world, SieveMessageParser parser, TimeProvider time, TextWriter output, string file, bool countsFailure)
    {
        _world = world;
        _countsFailure = countsFailure;
        _parser = parser;
        _output = output;
        Directory = world.DirectoryOf(file);
        Context = new() { Envelope = new(), Time = time, Parser = parser, HostName = "testsuite.example.com", Postmaster = "postmaster@example.com", DeliveryId = "test" };
        Message = _given = parser(Encoding.UTF8.GetBytes(DefaultMessage));
        Reload(null);
        ResetEnvelope();
    }

    public string Directory { get; }

    public int Count { get; private set; }

    public int Failures { get; private set; }

    public ISieveMessage Message { get; private set; }

    public SieveContext Context { get; private set; }

    public SieveSettings Settings { get; private set; } = SieveSettings.Default;

    /// <summary>The errors of the last compilation, run or execution.</summary>
    public List<string> Errors { get; } = [];

    /// <summary>The run of the test file itself.</summary>
    public Execution Main { get; set; } = null!;

    /// <summary>A script that is tested is running, not the test file.</summary>
    public bool InScript { get; private set; }

    public TestStore Store => _store;

    public void Abort(string why)
    {
        Count++;
        Failures++;
        _output.WriteLine($"XX: Test CASE FAILED: {why}");
    }

    public void Begin() => Count++;

    public void Unbegin() => Count--;

    public void End(string name, string? failure)
    {
        if (failure is not null) Failures++;
        string verdict = failure is null ? "SUCCEEDED" : $"FAILED: {failure}";
        _output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{Count,2}: Test '{name}' {verdict}"));
    }

    public void Print(string text) => _output.WriteLine(text);

    public string? Variable(string name) => name.Equals("tst.path", StringComparison.OrdinalIgnoreCase) ? Directory : null;

    public void SetMessage(ReadOnlyMemory<byte> octets)
    {
        Message = _given = _parser(octets);
        ResetEnvelope();
        Apply();
    }

    /// <summary>Looks at a message that was stored or sent, until the result is reset.</summary>
    public void LoadMessage(ReadOnlyMemory<byte> octets, SieveEnvelope? envelope)
    {
        Message = _parser(octets);
        if (envelope is null) ResetEnvelope();
        else Context = Context with { Envelope = envelope };
        Apply();
    }

    public void SetEnvelope(SieveEnvelope envelope)
    {
        Context = Context with { Envelope = envelope };
        if (Main is not null) Main.Context = Context;
    }

    private void Apply()
    {
        if (Main is null) return;
        Main.Context = Context;
        Main.View = new(Message, _parser, Settings.Limits);
    }

    private void ResetEnvelope() => Context = Context with { Envelope = SieveEnvelope.Guess(Message) with { Auth = User } };

    public void Configure(string name, string? value) => _settings.Set(name, value);

    /// <summary>Makes the settings effective; false for an extension that is none.</summary>
    public bool Reload(string? extension)
    {
        if (extension is not null && !Extensions.IsKnown(extension)) return false;
        Settings = _settings.Build();
        Context = Context with { Owner = _settings.UserEmail, Environment = _settings.Environment };
        if (Main is null) return true;
        Main.Settings = Settings;
        Main.Context = Context;
        return true;
    }

    // Scripts.

    public bool Compile(string path)
    {
        Errors.Clear();
        if (CompileFile(path) is not { } script) return false;
        _script = script;
        return true;
    }

    private SieveScript? CompileFile(string path)
    {
        if (_world.Read(_world.Resolve(Directory, path)) is not { } source)
        {
            Errors.Add($"the script {path} cannot be read");
            return null;
        }
        SieveCompilation compiled = SieveCompiler.Compile(source.Span, path, Settings);
        Errors.AddRange(compiled.Errors.Select(e => e.Message));
        // What a script includes must be there and right as well; Pigeonhole looks at that when it compiles.
        SieveTree tree = compiled.Script?.Tree ?? SieveCompiler.Parse(source.Span, Settings.Limits).Tree;
        if (CheckIncludes(tree) && compiled.Script is { } script) return script;
        if (_countsFailure) Errors.Add($"the script {path} cannot be compiled");
        return null;
    }

    private bool CheckIncludes(SieveTree tree) => CheckIncludes(tree, [], []);

    private bool CheckIncludes(SieveTree tree, HashSet<SieveQuestion.Include> seen, List<SieveQuestion.Include> path)
    {
        bool good = true;
        foreach ((SieveQuestion.Include include, bool optional) in IncludeScan.Find(tree))
        {
            // Names that are none have been found wrong already.
            if (!IncludeCommands.IsScriptName(include.Name) || include.Name.Contains("${", StringComparison.Ordinal)) continue;
            if (path.Contains(include))
            {
                Errors.Add($"the script {include.Name} includes itself");
                return false;
            }
            if (!seen.Add(include)) continue;
            if (seen.Count > Settings.Limits.MaxIncludes || path.Count >= Settings.Limits.MaxIncludeDepth)
            {
                Errors.Add(path.Count >= Settings.Limits.MaxIncludeDepth
                    ? $"includes are nested more than {Settings.Limits.MaxIncludeDepth} deep"
                    : $"more than {Settings.Limits.MaxIncludes} scripts are included");
                return false;
            }
            if (Included(include) is not { } compiled)
            {
                if (optional) continue;
                Errors.Add($"the included script {include.Name} does not exist");
                good = false;
            }
            else if (compiled.Script is null)
            {
                Errors.AddRange(compiled.Errors.Select(e => $"in the included script {include.Name}: {e.Message}"));
                good = false;
            }
            else good &= CheckIncludes(compiled.Script.Tree, seen, [.. path, include]);
        }
        return good;
    }

    public void SaveBinary(string name)
    {
        if (_script is not null) _binaries[name] = _script;
    }

    public bool LoadBinary(string name)
    {
        if (!_binaries.TryGetValue(name, out SieveScript? script)) return false;
        _script = script;
        return true;
    }

    public bool RunScript(bool append)
    {
        Errors.Clear();
        if (_script is null)
        {
            Errors.Add("no script has been compiled");
            return false;
        }
        return RunScripts([_script], append);
    }

    private bool RunScripts(IReadOnlyList<SieveScript> scripts, bool append)
    {
        SieveLimits limits = Settings.Limits;
        Execution x = new(Message, Context, Settings, Answer, new StepBudget(limits.MaxSteps, limits.MaxTime, Context.Time)) { Tests = this, Namespaces = Variable, Mails = _store.Sent.Count };
        // The test file's own header edits are part of the message.
        x.View = new(Main.View.Image.IsOriginal ? Message : _parser(Main.View.Image.ToBytes()), _parser, limits);
        if (append)
        {
            x.Result = Main.Result;
            x.Result.Owner = x;
            if (_executed.Count > 0) x.Result.MarkDone();
        }
        else ResetResult(keepMail: true);
        bool good = false;
        bool outer = InScript;
        InScript = true;
        try
        {
            SieveInterpreter.Attempt(x, scripts, out SieveError? error);
            Errors.AddRange(x.Faults);
            if (error is not null) Errors.Add(error.Message);
            good = error is null;
        }
        catch (TestFailedException failed)
        {
            Errors.Add(failed.Message);
        }
        InScript = outer;
        _hasRun = true;
        Main.Result = x.Result;
        return good;
    }

    public bool RunChain(IReadOnlyList<string> names)
    {
        Errors.Clear();
        List<SieveScript> scripts = [];
        foreach (string name in names)
        {
            if (CompileFile(name) is not { } script) return false;
            scripts.Add(script);
        }
        return RunScripts(scripts, append: false) && Execute();
    }

    // The result.

    public void ResetResult(bool keepMail = false)
    {
        Main.Result = new(Main);
        _executed.Clear();
        _hasRun = false;
        if (keepMail) return;
        _store.Sent.Clear();
        Main.Flags = [];
        // Edits and loaded messages go as well: the message is again the one that was set.
        Message = _given;
        Apply();
    }

    public IReadOnlyList<SieveAction> Actions => _hasRun ? Main.Result.Finish() : Main.Result.Actions;

    /// <summary>The actions to count: an implicit keep beside others is none of them, as Pigeonhole counts.</summary>
    public IReadOnlyList<SieveAction> CountedActions =>
        Actions is { Count: > 1 } all ? [.. all.Where(a => a is not SieveAction.Keep { IsImplicit: true })] : Actions;

    public bool Execute()
    {
        Errors.Clear();
        foreach (SieveAction action in Main.Result.Finish())
        {
            if (_executed.Contains(action)) continue;
            if (!Execute(action))
            {
                // The message is kept as it came when the result cannot be carried out.
                StoreInto(new(MailboxName.Inbox, []), Message.Read(0, Message.Root.End));
                return false;
            }
            _executed.Add(action);
            // The implicit keep is a new object each time it is asked for.
            if (action is SieveAction.Keep { IsImplicit: true } keep) Main.Result.Keep(keep.Flags);
            foreach (SieveAction now in Main.Result.Actions)
                if (action is SieveAction.Keep && now is SieveAction.Keep) _executed.Add(now);
        }
        return true;
    }

    private bool Execute(SieveAction action)
    {
        switch (action)
        {
            case SieveAction.Keep keep:
                return StoreInto(new(MailboxName.Inbox, keep.Flags), keep.Image.ToBytes());
            case SieveAction.FileInto file:
                return StoreInto(file.Target, file.Image.ToBytes());
            case SieveAction.Redirect redirect:
                Redirect(redirect);
                return true;
            case SieveAction.Reject { Notice: { } notice }:
                _store.Sent.Add(notice);
                return true;
            case SieveAction.Vacation { Reply: { } reply } vacation:
                _store.Sent.Add(reply);
                return vacation.Copy is null || StoreInto(vacation.Copy, reply.Octets);
            case SieveAction.Notify { Mail: { } mail } notify:
                _store.Sent.Add(mail);
                return notify.Copy is null || StoreInto(notify.Copy, mail.Octets);
            case SieveAction.Report report:
                _store.Sent.Add(report.Mail);
                return true;
            case SieveAction.Pipe pipe:
                return RunPipe(pipe);
            default:
                return true;
        }
    }

    // Each redirect says who sent the message on; who meets its own word again has a loop, and ends it.
    private void Redirect(SieveAction.Redirect redirect)
    {
        const string field = "X-Sieve-Redirected-From";
        string recipient = Context.Envelope.To;
        string self = Context.Owner?.ToString() ?? recipient;
        ReadOnlyMemory<byte> octets = redirect.Image.ToBytes();
        ISieveMessage message = _parser(octets);
        foreach (HeaderField one in HeaderField.Split(message.Read(0, message.Root.BodyStart), message, Settings.Limits.MaxHeaderFields))
            if (one.IsNamed(field) && (one.Text.Equals(self, StringComparison.OrdinalIgnoreCase) || one.Text.Equals(recipient, StringComparison.OrdinalIgnoreCase))) return;
        _store.Sent.Add(new(redirect.Sender, [redirect.Address], (byte[])[.. Encoding.UTF8.GetBytes($"{field}: {self}\r\n"), .. octets.Span]));
    }

    private bool StoreInto(SieveTarget target, ReadOnlyMemory<byte> octets)
    {
        string? problem = !TestStore.CanBeNamed(target.Mailbox) ? "no mailbox can have this name" : _store.TryStore(target, octets) ? null : "it does not exist";
        if (problem is not null) Errors.Add($"failed to store into mailbox '{target.Mailbox}': {problem}");
        return problem is null;
    }

    private bool RunPipe(SieveAction.Pipe pipe)
    {
        (bool IsOk, ReadOnlyMemory<byte> Output)? result =
            _settings.PipeDirectory is { } directory ? Run(directory, pipe.Program, pipe.Arguments, pipe.Image.ToBytes()) : null;
        if (result is { IsOk: true } || pipe.MayFail) return true;
        if (result is not null) Errors.Add($"the program '{pipe.Program}' failed or took too long");
        Errors.Add($"failed to pipe the message to program '{pipe.Program}'");
        return false;
    }

    // What scripts ask.

    public SieveAnswer? Answer(SieveQuestion question) => question switch
    {
        SieveQuestion.MailboxExists mailbox => new SieveAnswer.Truth(_store.Exists(mailbox.Mailbox)),
        SieveQuestion.MailboxIdExists => new SieveAnswer.Truth(false),
        SieveQuestion.SpecialUseExists => new SieveAnswer.Truth(false),
        SieveQuestion.Metadata metadata => new SieveAnswer.Text(_store.Metadata(metadata.Mailbox, metadata.Entry)),
        SieveQuestion.ExternalList list => new SieveAnswer.List(Members(list.Name) is { } members ? new(members) : null),
        SieveQuestion.WasSeen => new SieveAnswer.Truth(false),
        SieveQuestion.MaySendAs => new SieveAnswer.Truth(true),
        SieveQuestion.Include include => Included(include) is { } found
            ? new SieveAnswer.Script(found.Script, found.Script is null ? string.Join("; ", found.Errors) : null)
            : new SieveAnswer.Script(null),
        SieveQuestion.Run run => RunProgram(run),
        _ => new SieveAnswer.Unavailable("the test tool cannot answer this"),
    };

    private SieveCompilation? Included(SieveQuestion.Include include)
    {
        string key = (include.IsGlobal ? "g:" : "p:") + include.Name + _settings.Generation.ToString(CultureInfo.InvariantCulture);
        if (_included.TryGetValue(key, out SieveCompilation? known)) return known;
        string place = include.IsGlobal ? "included-global" : "included";
        ReadOnlyMemory<byte>? source;
        if (_settings.ScriptDictionary(place) is { } dictionary)
        {
            Dictionary<string, string> entries = ReadDictionary(dictionary);
            source = entries.TryGetValue("priv/sieve/name/" + include.Name, out string? id) && entries.TryGetValue("priv/sieve/data/" + id, out string? text)
                ? (ReadOnlyMemory<byte>?)SieveText.ToUtf8(text)
                : null;
        }
        else source = _world.Read(_world.Resolve(Directory, $"{place}/{include.Name}.sieve"));
        return _included[key] = source is { } found ? SieveCompiler.Compile(found.Span, include.Name, Settings) : null;
    }

    private List<string>? Members(string list)
    {
        if (!_settings.Lists.TryGetValue(list, out string? path)) return null;
        return path is null ? [] : [.. ReadDictionary(path).Keys.Select(k => k[(k.LastIndexOf('/') + 1)..])];
    }

    // Alternating lines of keys and values; \n in a value stands for a line end.
    private Dictionary<string, string> ReadDictionary(string path)
    {
        Dictionary<string, string> entries = new(StringComparer.Ordinal);
        if (_world.Read(_world.Resolve(Directory, path)) is not { } octets) return entries;
        string[] lines = SieveText.FromUtf8(octets.Span).Replace("\r\n", "\n", StringComparison.Ordinal).Split('\n');
        for (int i = 0; i + 1 < lines.Length; i += 2) entries[lines[i]] = lines[i + 1];
        return entries;
    }

    private SieveAnswer RunProgram(SieveQuestion.Run run)
    {
        string? directory = run.IsFilter ? _settings.FilterDirectory : _settings.ExecuteDirectory;
        ReadOnlyMemory<byte> input = !run.IsFilter && _settings.ExecuteLineEnd is { } end ? WithLineEnds(run.Input.Octets.Span, end) : run.Input.Octets;
        (bool IsOk, ReadOnlyMemory<byte> Output)? result = directory is null ? null : Run(directory, run.Program, run.Arguments, input);
        if (result is { } done) return new SieveAnswer.Output(done.IsOk, done.Output);
        return new SieveAnswer.Unavailable($"there is no program \"{run.Program}\"", false);
    }

    private (bool IsOk, ReadOnlyMemory<byte> Output)? Run(string directory, string program, IReadOnlyList<string> arguments, ReadOnlyMemory<byte> input) =>
        _world.Run(new(directory, program, arguments, input, _settings.ProgramTimeout)
        {
            Environment = new Dictionary<string, string>
            {
                ["SENDER"] = Context.Envelope.From,
                ["RECIPIENT"] = Context.Envelope.To,
                ["ORIG_RECIPIENT"] = Context.Envelope.OriginalTo ?? Context.Envelope.To,
                ["HOST"] = Context.HostName,
                ["HOME"] = Directory,
                ["USER"] = User,
            },
        });

    private static byte[] WithLineEnds(ReadOnlySpan<byte> text, string end)
    {
        List<byte> lines = new(text.Length + 64);
        for (int i = 0; i < text.Length; i++)
        {
            if (text[i] == '\r' && i + 1 < text.Length && text[i + 1] == '\n') continue;
            if (text[i] == '\n') lines.AddRange(Encoding.ASCII.GetBytes(end));
            else lines.Add(text[i]);
        }
        return [.. lines];
    }
}
