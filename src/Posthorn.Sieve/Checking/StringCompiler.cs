using System.Globalization;
using Posthorn.Sieve.Running;
using Posthorn.Sieve.Syntax;

namespace Posthorn.Sieve.Checking;

/// <summary>Makes strings of the tree ready to run: encoded characters first, then variables (RFC 5229 section 3.1).</summary>
internal static class StringCompiler
{
    public static TextExpr Compile(Compiler compiler, SieveArgument.Text text)
    {
        string value = text.Value;
        if (compiler.IsRequired("encoded-character") && value.Contains("${", StringComparison.Ordinal))
        {
            value = StringScanner.Decode(value, out string? error);
            if (error is not null) compiler.Diagnostics.Error(text.At, $"in this string, {error}", "RFC 5228 section 2.4.2.4 allows 0 to D7FF and E000 to 10FFFF");
            if (value != text.Value) compiler.Use("encoded-character");
        }
        if (!compiler.IsRequired("variables")) return new(value);
        List<StringScanner.Reference> references = StringScanner.References(value);
        if (references.Count == 0) return new(value);
        compiler.Use("variables");
        List<TextPart> parts = [];
        int at = 0;
        foreach (StringScanner.Reference reference in references)
        {
            if (reference.Start > at) parts.Add(new TextPart.Literal(value[at..reference.Start]));
            parts.Add(Part(compiler, text.At, reference.Name));
            at = reference.End;
        }
        if (at < value.Length) parts.Add(new TextPart.Literal(value[at..]));
        return new(value, parts);
    }

    private static TextPart Part(Compiler compiler, SourcePosition at, string name)
    {
        TextPart nothing = new TextPart.Literal("");
        if (StringScanner.IsDigits(name))
        {
            if (int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out int index) && index <= compiler.Settings.Limits.MaxMatchVariable)
                return new TextPart.Match(index);
            compiler.Diagnostics.Error(at, $"the match variable ${{{name}}} is out of range", $"the highest is {compiler.Settings.Limits.MaxMatchVariable}");
            return nothing;
        }
        int dot = name.IndexOf('.', StringComparison.Ordinal);
        if (dot < 0)
        {
            if (name.Length > compiler.Settings.Limits.MaxVariableName)
            {
                compiler.Diagnostics.Error(at, $"the variable name \"{name[..20]}…\" is longer than {compiler.Settings.Limits.MaxVariableName} characters");
                return nothing;
            }
            return compiler.Variables.IsGlobal(name) ? new TextPart.Global(name) : new TextPart.Local(compiler.Variables.Slot(name));
        }
        return Namespaced(compiler, at, name[..dot].ToLowerInvariant(), name[(dot + 1)..]) ?? nothing;
    }

    private static TextPart? Namespaced(Compiler compiler, SourcePosition at, string space, string name)
    {
        string? extension = space switch { "global" => "include", "env" => "vnd.dovecot.environment", "tst" => "vnd.dovecot.testsuite", _ => null };
        TextPart? part = space switch
        {
            "global" => StringScanner.IsIdentifier(name) ? new TextPart.Global(name) : null,
            "env" => new TextPart.Environment(name),
            _ => new TextPart.Named(space + "." + name),
        };
        if (extension is null) compiler.Diagnostics.Error(at, $"there is no variable namespace \"{space}\"");
        else if (!compiler.IsRequired(extension))
            compiler.Diagnostics.Error(at, $"the variable namespace \"{space}\" needs the extension \"{extension}\"", $"add require \"{extension}\";");
        else
        {
            compiler.Use(extension);
            if (part is null) compiler.Diagnostics.Error(at, $"\"{name}\" is no name for a variable of the namespace \"{space}\"");
            return part;
        }
        return null;
    }
}
