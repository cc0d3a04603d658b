using Microsoft.Extensions.Logging;
using Posthorn.Core;
using Posthorn.Journal.Volume;
using Posthorn.Sieve;
using Posthorn.Store.Scripts;

namespace Posthorn.Transport.Filtering;

/// <summary>The scripts that run over a delivery, in order.</summary>
public sealed record ScriptChain(IReadOnlyList<SieveScript> Scripts)
{
    /// <summary>The account has a script of its own, which cannot be compiled or read, so that it does not run.</summary>
    public bool IsOwnUnusable { get; init; }
}

/// <summary>Finds the scripts that run for an account, and those that they include; compiled, and compiled once.</summary>
public sealed class ScriptLibrary(IScriptStore store, IVolume volume, TimeProvider time, ILogger log)
{
    // The administrator's scripts; read again when they change.
    private readonly ScriptFiles _files = new(volume, time, maxScript: 16 << 20, maxTotal: 64 << 20);
    private readonly HashSet<string> _told = [];
    private readonly Lock _gate = new();

    public ScriptCache Cache { get; } = new();

    /// <summary>The chain for a delivery: the administrator's scripts around the account's own. Empty when there is none at all.</summary>
    /// <param name="account">Whose delivery.</param>
    /// <param name="options">Which scripts the administrator names, and the language.</param>
    /// <param name="complain">Told what keeps the account's own script from running, once for each text.</param>
    /// <param name="cancel">Ends it early.</param>
    public async ValueTask<ScriptChain> ChainAsync(MailAccount account, SieveOptions options, Action<string> complain, CancellationToken cancel)
    {
        Result<StoredScript> own = await store.ActiveAsync(account, cancel);
        if (own.IsOk is false && options.Before.Count == 0 && options.After.Count == 0 && options.Default is null && own.Refusal.Kind == RefusalKind.NoSuchScript) return new([]);
        List<SieveScript> chain = [];
        bool isUnusable = !own.IsOk && own.Refusal.Kind != RefusalKind.NoSuchScript;
        foreach (string path in options.Before) Add(chain, Administrators(path, options));
        if (own.IsOk)
        {
            SieveScript? owners = Owners(own.Value, options, complain);
            Add(chain, owners);
            isUnusable = owners is null;
        }
        else if (own.Refusal.Kind != RefusalKind.NoSuchScript) complain(own.Refusal.Text);
        else if (options.Default is { } fallback) Add(chain, Administrators(fallback, options));
        foreach (string path in options.After) Add(chain, Administrators(path, options));
        return new(chain) { IsOwnUnusable = isUnusable };
    }

    /// <summary>One of the administrator's scripts; null when it cannot be used, which is said in the server's log.</summary>
    public SieveScript? Administrators(string path, SieveOptions options)
    {
        Result<StoredScript> read = _files.Read(path, null);
        if (!read.TryGet(out StoredScript? script, out Refusal? refusal))
        {
            if (FirstTime(path)) log.ScriptUnusable(path, refusal.Text);
            return null;
        }
        SieveCompilation compiled = Cache.Compile(script, Path.GetFileNameWithoutExtension(path), options.Language);
        if (compiled.Script is null && FirstTime(script.Digest)) log.ScriptUnusable(path, compiled.Errors.First().ToString());
        return compiled.Script;
    }

    /// <summary>A script that another includes (RFC 6609 section 3.2).</summary>
    public async ValueTask<SieveAnswer> IncludeAsync(MailAccount account, SieveQuestion.Include include, SieveOptions options, CancellationToken cancel)
    {
        if (!ScriptName.TryCreate(include.Name, out ScriptName name)) return new SieveAnswer.Script(null);
        Result<StoredScript> read = !include.IsGlobal ? await store.GetAsync(account, name, cancel)
            : options.GlobalFolder is { } folder ? _files.Read($"{folder}/{name}.sieve", name)
            : new Refusal(RefusalKind.NoSuchScript, "");
        if (!read.TryGet(out StoredScript? script, out Refusal? refusal)) return refusal.Kind == RefusalKind.NoSuchScript ? new SieveAnswer.Script(null) : new SieveAnswer.Script(null, refusal.Text);
        SieveCompilation compiled = Cache.Compile(script, include.Name, options.Language);
        return new SieveAnswer.Script(compiled.Script, compiled.Script is null ? string.Join("; ", compiled.Errors) : null);
    }

    // A script of the account's own that cannot be compiled counts as empty: the message is kept, and the administrator's scripts run.
    private SieveScript? Owners(StoredScript script, SieveOptions options, Action<string> complain)
    {
        SieveCompilation compiled = Cache.Compile(script, script.Name is { } name ? name.Value : "active", options.Language);
        if (compiled.Script is null && FirstTime(script.Digest))
            foreach (SieveDiagnostic error in compiled.Errors) complain($"the script{(script.Name is { } named ? $" {named}" : "")} does not run: {error}");
        return compiled.Script;
    }

    private static void Add(List<SieveScript> chain, SieveScript? script)
    {
        if (script is not null) chain.Add(script);
    }

    private bool FirstTime(string what)
    {
        lock (_gate)
        {
            if (_told.Count > 10_000) _told.Clear();
            return _told.Add(what);
        }
    }
}
