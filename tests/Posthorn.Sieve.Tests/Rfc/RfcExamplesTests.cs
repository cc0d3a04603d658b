using Posthorn.Sieve.Syntax;
using Posthorn.Testing;

namespace Posthorn.Sieve.Tests.Rfc;

/// <summary>The scripts in the texts of the RFCs themselves, counted, so that none is passed over: they are read, printed, read again, and run.</summary>
/// <remarks>What they do is tested one by one in the files beside this one.</remarks>
public sealed class RfcExamplesTests
{
    private const string Requires = """
        require ["fileinto","envelope","encoded-character","copy","body","variables","vacation","vacation-seconds","relational","imap4flags","subaddress","spamtest","spamtestplus","virustest","date","index","editheader","reject","ereject","enotify","mailbox","mboxmetadata","servermetadata","foreverypart","mime","extracttext","replace","enclose","environment","extlists","include","duplicate","special-use","fcc","mailboxid","regex","redirect-dsn","redirect-deliverby","envelope-dsn","envelope-deliverby","comparator-i;ascii-numeric"];
        """;

    // The ways of notification that the texts name.
    private static readonly SieveSettings Settings = Sieve.Settings with { NotifySchemes = new HashSet<string> { "xmpp", "tel" } };

    /// <param name="text">The text.</param>
    /// <param name="found">Blocks that look like scripts.</param>
    /// <param name="none">Of those, what is none: C, tables, prose, halves of a script, and what errata mend (fileinfo, :text, "100K", anyof without parentheses, a comma before a block); and imapsieve, which excludes reject.</param>
    [Theory]
    [InlineData("rfc3894.txt", 3, 0)]
    [InlineData("rfc5173.txt", 3, 0)]
    [InlineData("rfc5228.txt", 19, 0)]
    [InlineData("rfc5229.txt", 6, 3)]
    [InlineData("rfc5230.txt", 9, 2)]
    [InlineData("rfc5231.txt", 1, 0)]
    [InlineData("rfc5232.txt", 12, 3)]
    [InlineData("rfc5233.txt", 1, 0)]
    [InlineData("rfc5235.txt", 4, 2)]
    [InlineData("rfc5260.txt", 9, 3)]
    [InlineData("rfc5293.txt", 6, 1)]
    [InlineData("rfc5429.txt", 4, 0)]
    [InlineData("rfc5435.txt", 6, 0)]
    [InlineData("rfc5436.txt", 1, 0)]
    [InlineData("rfc5490.txt", 3, 1)]
    [InlineData("rfc5703.txt", 8, 2)]
    [InlineData("rfc6009.txt", 11, 4)]
    [InlineData("rfc6131.txt", 2, 0)]
    [InlineData("rfc6134.txt", 7, 1)]
    [InlineData("rfc6609.txt", 9, 0)]
    [InlineData("rfc6785.txt", 2, 2)]
    [InlineData("rfc7352.txt", 6, 1)]
    [InlineData("rfc8579.txt", 4, 1)]
    [InlineData("rfc8580.txt", 3, 0)]
    [InlineData("draft-murchison-sieve-regex-07.txt", 1, 0)]
    public void EveryScriptIsReadAndRun(string text, int found, int none)
    {
        List<(int Line, string Script)> examples = RfcExamples.Find(File.ReadAllText(SharedFolder.Require("rfc/" + text)));
        List<string> bad = [];
        foreach ((int line, string script) in examples)
        {
            SieveCompilation compiled = Sieve.Compile(Requires + script + "\n", Settings);
            if (compiled.Script is null) bad.Add($"line {line}: {compiled.Errors.First()}");
            else RunsAndPrints(compiled.Script);
        }
        Assert.True(examples.Count == found && bad.Count == none, $"{examples.Count} blocks, {bad.Count} of them no scripts:\n{string.Join('\n', bad)}");
    }

    private static void RunsAndPrints(SieveScript script)
    {
        string printed = SievePrinter.Print(script.Tree);
        SieveCompilation again = Sieve.Compile(printed, Settings);
        Assert.True(again.IsOk, string.Join('\n', again.Errors) + "\n" + printed);
        Assert.Equal(printed, SievePrinter.Print(again.Script!.Tree));
        foreach (string message in (string[])[Sieve.MessageA, Sieve.MessageB]) Assert.NotEmpty(Sieve.Run([script], message).Actions);
    }
}
