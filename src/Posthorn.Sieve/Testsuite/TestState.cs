using System.Globalization;
using System.Text;
using Posthorn.Core;
using Posthorn.Sieve.Language;
using Posthorn.Sieve.Matching;
using Posthorn.Sieve.Running;

namespace Posthorn.Sieve.Testsuite;

/// <summary>The world of one test file: message, envelope, settings, scripts, result, mail store and sent mail.</summary>
internal sealed class TestState
{
    private const string DefaultMessage =
        "From: sender@example.com\r\nTo: recipient@example.org\r\nSubject: Frop!\r\n\r\nFrop!\r\n";

    private readonly ISieveTestWorld _world;
    private readonly SieveMessageParser _parser;
    private readonly TextWriter _output;
    private readonly TestSettings _settings = new();
    private readonly TestStore _store = new();
    private readonly Dictionary<string, SieveScript> _binaries = [];
    private readonly Dictionary<string, SieveCompilation?> _included = [];
    private readonly HashSet<SieveAction> _executed = new(ReferenceEqualityComparer.Instance);
    private SieveScript? _script;
    private bool _hasRun;

    public TestState(ISieveTestWorld world, SieveMessageParser parser, TimeProvider time, TextWriter output, string file)
    {
        _world = world;
        _parser = parser;
        _output = output;
        Directory = world.DirectoryOf(file);
        Context = new() { Envelope = new(), Time = time, Parser = parser, HostName = "testsuite.example.com", Postmaster = "postmaster@example.com", DeliveryId = "test" };
        Message = parser(Encoding.UTF8.GetBytes(DefaultMessage));
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

    public void SetMessage(ReadOnlyMemory<byte> octets, SieveEnvelope? envelope = null)
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

    private void ResetEnvelope() => Context = Context with { Envelope = SieveEnvelope.Guess(Message) with { Auth = "tester" } };

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
        return compiled.Script is { } script && CheckIncludes(script, []) ? script : null;
    }

    private bool CheckIncludes(SieveScript script, HashSet<(bool, string)> seen)
    {
        bool good = true;
        foreach ((SieveQuestion.Include include, bool optional) in IncludeScan.Find(script.Tree))
        {
            if (!seen.Add((include.IsGlobal, include.Name))) continue;
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
            else good &= CheckIncludes(compiled.Script, seen);
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
        }
        else ResetResult(keepMail: true);
        bool good = false;
        bool outer = InScript;
        InScript = true;
        try
        {
            SieveInterpreter.Attempt(x, scripts, out SieveError? error);
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
    }

    public IReadOnlyList<SieveAction> Actions => _hasRun ? Main.Result.Finish() : Main.Result.Actions;

    public bool Execute()
    {
        Errors.Clear();
        foreach (SieveAction action in Actions)
        {
            if (_executed.Contains(action)) continue;
            if (!Execute(action)) return false;
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
                _store.Sent.Add(new(redirect.Sender, [redirect.Address], redirect.Image.ToBytes()));
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

    private bool StoreInto(SieveTarget target, ReadOnlyMemory<byte> octets)
    {
        if (_store.TryStore(target, octets)) return true;
        Errors.Add($"failed to store into mailbox '{target.Mailbox}': there is no such mailbox");
        return false;
    }

    private bool RunPipe(SieveAction.Pipe pipe)
    {
        (bool IsOk, ReadOnlyMemory<byte> Output)? result =
            _settings.PipeDirectory is { } directory ? _world.Run(directory, pipe.Program, pipe.Arguments, pipe.Image.ToBytes(), _settings.ProgramTimeout) : null;
        if (result is { IsOk: true } || pipe.MayFail) return true;
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
        SieveQuestion.ListExists list => new SieveAnswer.Truth(_settings.Lists.ContainsKey(list.List)),
        SieveQuestion.ListContains list => new SieveAnswer.Text(Members(list.List)?.FirstOrDefault(m => m.Equals(list.Value, StringComparison.OrdinalIgnoreCase))),
        SieveQuestion.ListMembers list => new SieveAnswer.Texts(Members(list.List)),
        SieveQuestion.WasSeen => new SieveAnswer.Truth(false),
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

    private SieveAnswer.Output RunProgram(SieveQuestion.Run run)
    {
        string? directory = run.IsFilter ? _settings.FilterDirectory : _settings.ExecuteDirectory;
        ReadOnlyMemory<byte> input = run.Input.Octets;
        (bool IsOk, ReadOnlyMemory<byte> Output)? result = directory is null ? null : _world.Run(directory, run.Program, run.Arguments, input, _settings.ProgramTimeout);
        if (result is { } done) return new(done.IsOk, done.Output);
        throw new SieveRunException($"there is no program \"{run.Program}\"");
    }
}
