using System.Text;

namespace Posthorn.Sieve.Running;

/// <summary>A string of a script, its variables to be filled in at run time (RFC 5229 section 3).</summary>
internal sealed class TextExpr
{
    private readonly TextPart[]? _parts;

    public TextExpr(string constant) => (Source, Constant) = (constant, constant);

    public TextExpr(string source, List<TextPart> parts) => (Source, _parts) = (source, [.. parts]);

    /// <summary>The text before variables are filled in.</summary>
    public string Source { get; }

    /// <summary>The value, where there are no variables.</summary>
    public string? Constant { get; }

    public bool IsConstant => Constant is not null;

    public string Eval(Execution x)
    {
        if (Constant is not null) return Constant;
        if (_parts!.Length == 1) return _parts[0].Value(x);
        StringBuilder text = new();
        foreach (TextPart part in _parts)
        {
            text.Append(part.Value(x));
            if (text.Length > x.Limits.MaxStringSize)
            {
                text.Length = x.Limits.MaxStringSize;
                break;
            }
        }
        x.Budget.Spend(text.Length / 32);
        return SieveText.Normalize(text.ToString());
    }
}

/// <summary>A piece of a string.</summary>
internal abstract record TextPart
{
    private TextPart()
    {
    }

    public abstract string Value(Execution x);

    public sealed record Literal(string Text) : TextPart
    {
        public override string Value(Execution x) => Text;
    }

    public sealed record Local(int Slot) : TextPart
    {
        public override string Value(Execution x) => x.Frame.Variables[Slot] ?? "";
    }

    public sealed record Match(int Index) : TextPart
    {
        public override string Value(Execution x) => x.Frame.Matches is { } all && Index < all.Count ? all[Index] : "";
    }

    public sealed record Global(string Name) : TextPart
    {
        public override string Value(Execution x) => x.Globals.GetValueOrDefault(Name, "");
    }

    public sealed record Environment(string Item) : TextPart
    {
        public override string Value(Execution x) => EnvironmentItems.Find(x, Item) ?? "";
    }

    public sealed record Named(string Name) : TextPart
    {
        public override string Value(Execution x) => x.Namespaces?.Invoke(Name) ?? "";
    }
}

/// <summary>A list of strings of a script.</summary>
internal sealed class TextListExpr
{
    private readonly TextExpr[] _items;
    private readonly string[]? _constant;

    public TextListExpr(IEnumerable<TextExpr> items)
    {
        _items = [.. items];
        if (Array.TrueForAll(_items, i => i.IsConstant)) _constant = [.. _items.Select(i => i.Constant!)];
    }

    public IReadOnlyList<TextExpr> Items => _items;

    public bool IsConstant => _constant is not null;

    /// <summary>The values, where there are no variables.</summary>
    public IReadOnlyList<string>? Constant => _constant;

    public int Count => _items.Length;

    public string[] Eval(Execution x)
    {
        if (_constant is not null) return _constant;
        string[] values = new string[_items.Length];
        for (int i = 0; i < values.Length; i++) values[i] = _items[i].Eval(x);
        return values;
    }
}
