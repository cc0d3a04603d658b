using System.Text;
using CsCheck;
using Posthorn.Sieve.Syntax;

namespace Posthorn.Sieve.Tests.Syntax;

public sealed class SyntaxPropertyTests
{
    private static readonly Gen<string> Word = Gen.OneOf("keep", "discard", "if", "header", "not", "x1", "_a", "Test", "texts");
    private static readonly Gen<string> Value = Gen.String[Gen.OneOf(Gen.Char['a', 'z'], Gen.OneOf('"', '\\', '.', ' ', '{', '$', '\t', 'é', '\u4e2d')), 0, 12]
        .SelectMany(s => Gen.OneOf(s, s + "\r\n", ".\r\n" + s + "\r\n"));

    private static readonly Gen<SieveArgument.Text> TextArgument = Gen.Select(Value, Gen.Bool, (v, t) => new SieveArgument.Text(default, v, t));

    private static readonly Gen<SieveArgument> Argument = Gen.OneOf(
        TextArgument.Select(t => (SieveArgument)t),
        TextArgument.List[1, 4].Select(l => (SieveArgument)new SieveArgument.TextList(default, l)),
        Gen.Long[0, long.MaxValue].Select(n => (SieveArgument)new SieveArgument.Number(default, n)),
        Word.Select(w => (SieveArgument)new SieveArgument.Tag(default, w)));

    private static Gen<SieveTest> Test(int depth) => Gen.Select(Word, Argument.List[0, 3], depth == 0 ? Gen.Const(new List<SieveTest>()) : Test(depth - 1).List[0, 3], Gen.Bool,
        (name, arguments, tests, list) => new SieveTest(default, name, arguments, list ? tests : [.. tests.Take(1)], list && tests.Count > 0));

    private static Gen<SieveCommand> Command(int depth) => Gen.Select(Test(2), Gen.Bool, depth == 0 ? Gen.Const(new List<SieveCommand>()) : Command(depth - 1).List[0, 3],
        (t, block, inner) => new SieveCommand(default, t.Name, t.Arguments, t.Tests, t.IsList, block ? inner : null));

    [Fact]
    public void APrintedTreeParsesToTheSameTree() => Command(2).List[0, 5].Select(c => new SieveTree(c)).Sample(tree =>
    {
        string printed = SievePrinter.Print(tree);
        (SieveTree again, IReadOnlyList<SieveDiagnostic> diagnostics) = SieveCompiler.Parse(SieveText.ToUtf8(printed), SieveLimits.Default);
        Assert.True(diagnostics.Count == 0, string.Join('\n', diagnostics) + "\n" + printed);
        Assert.Equal(Shape(tree.Commands), Shape(again.Commands));
    }, iter: 2000);

    private static string Shape(IReadOnlyList<SieveCommand> commands) =>
        string.Join('\n', commands.Select(c => $"C {c.Name}({Shape(c.Arguments)})[{c.IsList} {Shape(c.Tests)}]{(c.Block is null ? ";" : "{" + Shape(c.Block) + "}")}"));

    private static string Shape(IReadOnlyList<SieveTest> tests) => string.Join('|', tests.Select(t => $"T {t.Name}({Shape(t.Arguments)})[{t.IsList} {Shape(t.Tests)}]"));

    private static string Shape(IReadOnlyList<SieveArgument> arguments) => string.Join(',', arguments.Select(a => a switch
    {
        SieveArgument.Text t => $"\"{t.Value}\"",
        SieveArgument.TextList l => $"[{string.Join('\u0001', l.Items.Select(i => i.Value))}]",
        SieveArgument.Number n => $"#{n.Value}",
        SieveArgument.Tag t => $":{t.Name}",
        _ => "?",
    }));

    private static readonly string[] Pieces =
    [
        "require", "[", "]", "\"fileinto\"", "\"variables\"", "\"mime\"", "\"foreverypart\"", "\"regex\"", "\"ihave\"", "\"date\"", "\"replace\"", "\"editheader\"", "\"enclose\"", ";", "{", "}", "(", ")", ",",
        "if", "elsif", "else", "header", "address", "envelope", "body", "not", "anyof", "allof", "true", "false", "size", ":over", ":under", "100K", "1", "exists",
        ":is", ":contains", ":matches", ":regex", ":value", "\"ge\"", ":count", ":comparator", "\"i;octet\"", "\"Subject\"", "\"*a*b*\"", "\"(a|b)*\"", "\"${1}\"", "\"${a}\"", "set", "\"a\"", "string",
        "keep", "discard", "stop", "redirect", "\"a@b.c\"", "fileinto", "\"x\"", "foreverypart", "break", "addheader", "deleteheader", "replace", "enclose", "extracttext", "ihave", "error",
        "text:\r\n.x\r\n.\r\n", "/* c */", "# c\r\n", "\"", "/*", ":", "currentdate", "date", "vacation", "reject", "notify", "\"mailto:a@b\"", "include", "global", "duplicate",
    ];

    private static readonly Gen<string> Soup = Gen.OneOf(Pieces).Array[0, 60].Select(p => string.Join(' ', p));

    [Fact]
    public void NoOctetsThrow() => Gen.Byte.Array[0, 200].Sample(octets =>
    {
        SieveCompilation compiled = SieveCompiler.Compile(octets, "fuzz", Sieve.Settings);
        Assert.True(compiled.IsOk || compiled.Errors.Any());
    }, iter: 3000);

    [Fact]
    public void NoSoupOfTokensThrowsAndWhatCompilesEnds() => Soup.Sample(script =>
    {
        string whole = "require [\"fileinto\",\"variables\",\"mime\",\"foreverypart\",\"regex\",\"date\",\"replace\",\"editheader\",\"enclose\",\"extracttext\",\"relational\",\"body\",\"envelope\",\"vacation\",\"reject\",\"enotify\",\"include\",\"duplicate\"];" + script;
        SieveCompilation compiled = SieveCompiler.Compile(Encoding.UTF8.GetBytes(whole), "fuzz", Sieve.Settings);
        Assert.True(compiled.IsOk || compiled.Errors.Any());
        if (compiled.Script is { } good) Sieve.Run([good], Sieve.MessageB);
    }, iter: 5000);

    private static readonly Gen<string> Statement = Gen.OneOf(
        "keep;", "discard;", "fileinto \"a\";", "set \"v\" \"${v}${1}x\";", "redirect \"a@b.c\";", "addheader \"X-A\" \"${v}\";", "deleteheader \"Subject\";", "stop;",
        "replace \"gone\";", "enclose \"see below\";", "if header :matches \"subject\" \"*?*\" { set \"v\" \"${1}\"; }", "foreverypart { replace \"x\"; foreverypart { extracttext \"v\"; } }",
        "foreverypart { if header :mime :type \"Content-Type\" \"multipart\" { replace :mime \"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\na\r\n--b\r\n\r\nb\r\n--b--\"; } }",
        "if body :contains \"a\" { keep; }", "if header :regex [\"from\", \"to\"] \"((a*)*b|.)*@\" { set \"v\" \"${2}\"; }", "vacation \"${v}\";", "reject \"no\";", "notify \"mailto:a@b.c?subject=x\";",
        "if size :over 10 { discard; }", "if date \"date\" \"year\" \"1997\" { keep; }", "foreverypart :name \"l\" { foreverypart { break :name \"l\"; } }", "if not exists :mime :anychild \"x\" { stop; }");

    [Fact]
    public void AnyScriptOnAnyMessageEndsWithinItsLimits() => Gen.Select(Statement.Array[1, 12], Gen.Byte.Array[0, 300]).Sample((statements, octets) =>
    {
        SieveScript script = Sieve.Script("require [\"fileinto\",\"variables\",\"mime\",\"foreverypart\",\"regex\",\"date\",\"replace\",\"editheader\",\"enclose\",\"extracttext\",\"body\",\"vacation\",\"reject\",\"enotify\"];" + string.Join('\n', statements));
        string text = "Content-Type: multipart/mixed; boundary=\"b\"\nSubject: x\n\n--b\n\n" + SieveText.FromUtf8(octets) + "\n--b--\n";
        SieveResult result = Sieve.Run([script], text, settings: Sieve.Settings with { Limits = SieveLimits.Default with { MaxSteps = 200_000 } });
        Assert.NotEmpty(result.Actions);
        if (result.Error is not null) Assert.True(Assert.IsType<SieveAction.Keep>(Assert.Single(result.Actions)).Image.IsOriginal);
    }, iter: 2000);

    [Fact]
    public void TextSurvivesAllOctets() => Gen.Byte.Array[0, 60].Sample(octets => Assert.Equal(octets, SieveText.ToUtf8(SieveText.FromUtf8(octets))));
}
