using System.Globalization;

namespace Posthorn.Sieve.Matching;

internal enum RegexNodeKind
{
    Set,
    Split,
    Group,
    Match,
    Begin,
    End,
    WordEdge,
    NoWordEdge,
    WordBegin,
    WordEnd,
}

/// <summary>One state. A group's <c>Other</c> is the first slot after the groups inside it.</summary>
internal sealed class RegexNode(RegexNodeKind kind)
{
    public RegexNodeKind Kind { get; } = kind;
    public CharSet? Set { get; init; }
    public int Slot { get; init; }
    public int Next { get; set; } = -1;
    public int Other { get; set; } = -1;
}

internal sealed record RegexProgram(RegexNode[] Nodes, int Start, int Groups);

/// <summary>Reads a POSIX extended regular expression into states.</summary>
internal ref struct RegexCompiler
{
    // Deeper nesting than anybody writes; the parser recurses for each level.
    private const int MaxDepth = 100;
    private const int MaxRepeat = 255; // RE_DUP_MAX

    private readonly ReadOnlySpan<char> _pattern;
    private readonly bool _ignoreCase;
    private readonly int _maxStates;
    private readonly List<RegexNode> _nodes;
    private int _at;
    private int _groups;
    private string? _error;

    private RegexCompiler(ReadOnlySpan<char> pattern, bool ignoreCase, int maxStates)
    {
        _pattern = pattern;
        _ignoreCase = ignoreCase;
        _maxStates = maxStates;
        _nodes = [];
    }

    /// <summary>A piece of automaton: where it begins, and the one node from which it goes on.</summary>
    private readonly record struct Fragment(int Start, int End);

    public static RegexProgram? Compile(string pattern, bool ignoreCase, int maxStates, out string? error)
    {
        RegexCompiler compiler = new(pattern, ignoreCase, maxStates);
        Fragment whole = compiler.Alternatives(0);
        if (compiler._error is null && compiler._at < compiler._pattern.Length) compiler._error = "')' without '('";
        error = compiler._error;
        if (error is not null) return null;
        int match = compiler.Add(new(RegexNodeKind.Match));
        compiler._nodes[whole.End].Next = match;
        error = compiler._error;
        return error is null ? new([.. compiler._nodes], whole.Start, compiler._groups) : null;
    }

    private int Add(RegexNode node)
    {
        if (_nodes.Count >= _maxStates)
        {
            _error ??= string.Create(CultureInfo.InvariantCulture, $"the expression needs more than {_maxStates} states");
            return 0;
        }
        _nodes.Add(node);
        return _nodes.Count - 1;
    }

    // An empty fragment: a split with one way.
    private Fragment Empty()
    {
        int node = Add(new(RegexNodeKind.Split));
        return new(node, node);
    }

    private Fragment Alternatives(int depth)
    {
        if (depth > MaxDepth) _error ??= "groups are nested too deep";
        Fragment all = Sequence(depth);
        while (_error is null && _at < _pattern.Length && _pattern[_at] == '|')
        {
            _at++;
            Fragment other = Sequence(depth);
            int split = Add(new(RegexNodeKind.Split) { Next = all.Start, Other = other.Start });
            int join = Empty().Start;
            if (_error is not null) return all;
            _nodes[all.End].Next = join;
            _nodes[other.End].Next = join;
            all = new(split, join);
        }
        return all;
    }

    private Fragment Sequence(int depth)
    {
        Fragment all = Empty();
        while (_error is null && _at < _pattern.Length && _pattern[_at] != '|' && !(_pattern[_at] == ')' && depth > 0))
        {
            Fragment next = Repeated(depth);
            if (_error is not null) return all;
            _nodes[all.End].Next = next.Start;
            all = new(all.Start, next.End);
        }
        return all;
    }

    private Fragment Repeated(int depth)
    {
        int first = _nodes.Count;
        Fragment atom = Atom(depth);
        while (_error is null && _at < _pattern.Length)
        {
            char c = _pattern[_at];
            if (c == '*') { _at++; atom = Star(atom); }
            else if (c == '+') { _at++; atom = Plus(atom); }
            else if (c == '?') { _at++; atom = Optional(atom); }
            else if (c == '{' && _at + 1 < _pattern.Length && char.IsAsciiDigit(_pattern[_at + 1]))
            {
                if (!Bounds(out int min, out int max)) return atom;
                atom = Counted(atom, first, min, max);
                // A second count would have to repeat the first: nobody writes that.
                if (_at < _pattern.Length && _pattern[_at] == '{') _error ??= "a count after a count";
            }
            else break;
        }
        return atom;
    }

    private bool Bounds(out int min, out int max)
    {
        _at++;
        min = Integer();
        max = min;
        if (_at < _pattern.Length && _pattern[_at] == ',')
        {
            _at++;
            max = _at < _pattern.Length && char.IsAsciiDigit(_pattern[_at]) ? Integer() : -1;
        }
        if (_at >= _pattern.Length || _pattern[_at] != '}') _error ??= "a count without '}'";
        else _at++;
        if (min > MaxRepeat || max > MaxRepeat) _error ??= "a count above 255";
        if (max >= 0 && max < min) _error ??= "a count whose end is below its begin";
        return _error is null;
    }

    private int Integer()
    {
        int value = 0;
        while (_at < _pattern.Length && char.IsAsciiDigit(_pattern[_at])) value = Math.Min(value * 10 + (_pattern[_at++] - '0'), 100_000);
        return value;
    }

    // What the atom is made of stands together, from the first node on. Copies share its sets, and its groups keep their numbers.
    private Fragment Counted(Fragment atom, int first, int min, int max)
    {
        int length = _nodes.Count - first;
        Fragment all = Empty();
        int copies = max < 0 ? min + 1 : max;
        for (int i = 0; i < copies && _error is null; i++)
        {
            Fragment copy = Copy(atom, first, length);
            if (i >= min) copy = max < 0 ? Star(copy) : Optional(copy);
            if (_error is not null) return all;
            _nodes[all.End].Next = copy.Start;
            all = new(all.Start, copy.End);
        }
        return all;
    }

    private Fragment Copy(Fragment atom, int first, int length)
    {
        int offset = _nodes.Count - first;
        for (int i = first; i < first + length && _error is null; i++)
        {
            RegexNode node = _nodes[i];
            bool isWay = node.Kind != RegexNodeKind.Group; // a group's other number is a slot
            Add(new(node.Kind)
            {
                Set = node.Set,
                Slot = node.Slot,
                Next = node.Next < 0 ? -1 : node.Next + offset,
                Other = node.Other < 0 || !isWay ? node.Other : node.Other + offset,
            });
        }
        return new(atom.Start + offset, atom.End + offset);
    }

    private Fragment Star(Fragment atom)
    {
        int join = Empty().Start;
        int split = Add(new(RegexNodeKind.Split) { Next = atom.Start, Other = join });
        if (_error is null) _nodes[atom.End].Next = split;
        return new(split, join);
    }

    private Fragment Plus(Fragment atom)
    {
        int join = Empty().Start;
        int split = Add(new(RegexNodeKind.Split) { Next = atom.Start, Other = join });
        if (_error is null) _nodes[atom.End].Next = split;
        return new(atom.Start, join);
    }

    private Fragment Optional(Fragment atom)
    {
        int join = Empty().Start;
        int split = Add(new(RegexNodeKind.Split) { Next = atom.Start, Other = join });
        if (_error is null) _nodes[atom.End].Next = join;
        return new(split, join);
    }

    private Fragment Atom(int depth)
    {
        char c = _pattern[_at++];
        switch (c)
        {
            case '(':
                return Group(depth);
            case '[':
                return Bracket();
            case '.':
                return One(new CharSet().Add('\0', '\uffff'));
            case '^':
                return Assertion(RegexNodeKind.Begin);
            case '$':
                return Assertion(RegexNodeKind.End);
            case '*' or '+' or '?':
                _error ??= $"'{c}' repeats nothing";
                return default;
            case '{' when _at < _pattern.Length && char.IsAsciiDigit(_pattern[_at]):
                _error ??= "a count that repeats nothing";
                return default;
            case ')':
                _error ??= "')' without '('";
                return default;
            case '\\':
                return Escape();
            default:
                return Literal(c);
        }
    }

    private Fragment Group(int depth)
    {
        int number = ++_groups;
        int open = Add(new(RegexNodeKind.Group) { Slot = number * 2 });
        Fragment inner = Alternatives(depth + 1);
        if (_at >= _pattern.Length || _pattern[_at] != ')') _error ??= "'(' without ')'";
        else _at++;
        int close = Add(new(RegexNodeKind.Group) { Slot = number * 2 + 1 });
        if (_error is not null) return default;
        _nodes[open].Next = inner.Start;
        _nodes[open].Other = (_groups + 1) * 2;
        _nodes[inner.End].Next = close;
        return new(open, close);
    }

    private Fragment Escape()
    {
        if (_at >= _pattern.Length)
        {
            _error ??= "a '\\' at the end";
            return default;
        }
        char c = _pattern[_at++];
        switch (c)
        {
            case >= '1' and <= '9':
                _error ??= "back references are not supported";
                return default;
            // What GNU's library adds, since scripts written for it use that.
            case 'w' or 'W':
                return One(Named("alnum").Add('_', '_'), c == 'W');
            case 's' or 'S':
                return One(Named("space"), c == 'S');
            case 'b':
                return Assertion(RegexNodeKind.WordEdge);
            case 'B':
                return Assertion(RegexNodeKind.NoWordEdge);
            case '<':
                return Assertion(RegexNodeKind.WordBegin);
            case '>':
                return Assertion(RegexNodeKind.WordEnd);
            case '`':
                return Assertion(RegexNodeKind.Begin);
            case '\'':
                return Assertion(RegexNodeKind.End);
            default:
                return Literal(c);
        }
    }

    private Fragment Assertion(RegexNodeKind kind)
    {
        int node = Add(new(kind));
        return new(node, node);
    }

    private Fragment Literal(char c) => One(new CharSet().Add(c, c));

    private Fragment One(CharSet set, bool negate = false)
    {
        if (_ignoreCase) set.AddCases();
        if (negate) set.Negate();
        int node = Add(new(RegexNodeKind.Set) { Set = set.Seal() });
        return new(node, node);
    }

    private Fragment Bracket()
    {
        CharSet set = new();
        bool negate = _at < _pattern.Length && _pattern[_at] == '^';
        if (negate) _at++;
        bool first = true;
        while (true)
        {
            if (_at >= _pattern.Length)
            {
                _error ??= "'[' without ']'";
                return default;
            }
            if (_pattern[_at] == ']' && !first) break;
            first = false;
            if (!BracketItem(set)) return default;
        }
        _at++;
        return One(set, negate);
    }

    private bool BracketItem(CharSet set)
    {
        if (_pattern[_at..].StartsWith("[:"))
        {
            int end = _pattern[(_at + 2)..].IndexOf(":]", StringComparison.Ordinal);
            if (end < 0)
            {
                _error ??= "'[:' without ':]'";
                return false;
            }
            CharSet named = Named(_pattern.Slice(_at + 2, end).ToString());
            set.Add(named);
            _at += end + 4;
            return _error is null;
        }
        if (!BracketChar(out char from)) return false;
        char to = from;
        if (_at + 1 < _pattern.Length && _pattern[_at] == '-' && _pattern[_at + 1] != ']')
        {
            _at++;
            if (!BracketChar(out to)) return false;
            if (to < from)
            {
                _error ??= $"the range {from}-{to} is the wrong way round";
                return false;
            }
        }
        set.Add(from, to);
        return true;
    }

    // A character, [.x.] or [=x=].
    private bool BracketChar(out char c)
    {
        c = _pattern[_at];
        if (c == '[' && _at + 1 < _pattern.Length && _pattern[_at + 1] is '.' or '=')
        {
            char mark = _pattern[_at + 1];
            if (_at + 4 >= _pattern.Length || _pattern[_at + 3] != mark || _pattern[_at + 4] != ']')
            {
                _error ??= "only single characters can stand in [. .] and [= =]";
                return false;
            }
            c = _pattern[_at + 2];
            _at += 5;
            return true;
        }
        _at++;
        return true;
    }

    private CharSet Named(string name)
    {
        CharSet set = new();
        Func<char, bool>? choose = name switch
        {
            "alnum" => char.IsAsciiLetterOrDigit,
            "alpha" => char.IsAsciiLetter,
            "blank" => static c => c is ' ' or '\t',
            "cntrl" => static c => c is < ' ' or '\x7f',
            "digit" => char.IsAsciiDigit,
            "graph" => static c => c is > ' ' and < '\x7f',
            "lower" => char.IsAsciiLetterLower,
            "print" => static c => c is >= ' ' and < '\x7f',
            "punct" => static c => c is > ' ' and < '\x7f' && !char.IsAsciiLetterOrDigit(c),
            "space" => static c => c is ' ' or (>= '\t' and <= '\r'),
            "upper" => char.IsAsciiLetterUpper,
            "xdigit" => char.IsAsciiHexDigit,
            _ => null,
        };
        if (choose is null) _error ??= $"there is no class [:{name}:]";
        else set.AddWhere(choose);
        return set;
    }
}
