using Posthorn.Sieve;
using Posthorn.Store.Scripts;

namespace Posthorn.Transport.Filtering;

/// <summary>Compiled scripts by the digest of their text and the settings they were compiled under: equal scripts of a thousand accounts are one. Bounded; who has not run longest goes.</summary>
public sealed class ScriptCache
{
    // A compiled script takes some ten times its text; this bounds the cache to about 200 MiB at worst, and to a few MiB in common.
    private const long MaxText = 16 << 20;

    private readonly Lock _gate = new();
    private readonly Dictionary<(string Digest, SieveSettings Settings), Held> _held = new(KeyComparer.It);
    private long _text;
    private long _turn;

    /// <summary>How many scripts were compiled.</summary>
    public long Compiled { get; private set; }

    /// <summary>The compiled script, or what is wrong with it.</summary>
    public SieveCompilation Compile(StoredScript script, string name, SieveSettings settings)
    {
        (string, SieveSettings) key = (script.Digest, settings);
        lock (_gate)
        {
            if (_held.TryGetValue(key, out Held? held))
            {
                held.Turn = ++_turn;
                return held.Compilation;
            }
        }

        SieveCompilation compilation = SieveCompiler.Compile(script.Content.Span, name, settings);
        lock (_gate)
        {
            Compiled++;
            if (_held.TryGetValue(key, out Held? other)) return other.Compilation;
            while (_held.Count > 0 && _text + script.Content.Length > MaxText)
            {
                ((string, SieveSettings) oldest, Held gone) = _held.MinBy(pair => pair.Value.Turn);
                _held.Remove(oldest);
                _text -= gone.Text;
            }
            _held.Add(key, new(compilation, script.Content.Length) { Turn = ++_turn });
            _text += script.Content.Length;
        }
        return compilation;
    }

    private sealed class Held(SieveCompilation compilation, long text)
    {
        public SieveCompilation Compilation { get; } = compilation;
        public long Text { get; } = text;
        public long Turn { get; set; }
    }

    // Settings are one object until a reload; comparing their members each time would cost more than the run.
    private sealed class KeyComparer : IEqualityComparer<(string Digest, SieveSettings Settings)>
    {
        public static KeyComparer It { get; } = new();
        public bool Equals((string Digest, SieveSettings Settings) x, (string Digest, SieveSettings Settings) y) => ReferenceEquals(x.Settings, y.Settings) && x.Digest == y.Digest;
        public int GetHashCode((string Digest, SieveSettings Settings) key) => key.Digest.GetHashCode(StringComparison.Ordinal);
    }
}
