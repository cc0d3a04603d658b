using System.Diagnostics;

namespace Posthorn.Sieve.Tests.Running;

/// <summary>Each limit is crossed once.</summary>
public sealed class LimitTests
{
    private static SieveSettings With(Func<SieveLimits, SieveLimits> change) => Sieve.Settings with { Limits = change(SieveLimits.Default) };

    private static void CompileFails(string script, Func<SieveLimits, SieveLimits> change, string part)
    {
        Assert.True(Sieve.Compile(script).IsOk);
        Assert.Contains(part, Sieve.Compile(script, With(change)).Errors.First().Message);
    }

    [Fact]
    public void ScriptsAreBounded()
    {
        CompileFails("keep; keep;", l => l with { MaxScriptSize = 5 }, "larger than");
        CompileFails("keep; keep;", l => l with { MaxCommands = 1 }, "more than 1 commands");
        CompileFails("if true { if true { keep; } }", l => l with { MaxBlockDepth = 1 }, "nested more than 1 deep");
        CompileFails("if anyof (anyof (true)) { keep; }", l => l with { MaxTestDepth = 2 }, "nested more than 2 deep");
        CompileFails("if exists [\"a\", \"b\"] { keep; }", l => l with { MaxListItems = 1 }, "more than 1 strings");
        CompileFails("require \"variables\"; set \"abcdef\" \"x\";", l => l with { MaxVariableName = 5 }, "longer than 5");
        CompileFails("require \"variables\"; set \"a\" \"x\"; set \"b\" \"x\";", l => l with { MaxVariables = 1 }, "more than 1 variables");
        CompileFails("require \"variables\"; redirect \"${9}@x.y\";", l => l with { MaxMatchVariable = 8 }, "out of range");
        CompileFails("require \"variables\"; set \"a\" \"1234\";", l => l with { MaxVariableSize = 3 }, "longer than the 3 octets");
        CompileFails("require \"foreverypart\"; foreverypart { foreverypart { } }", l => l with { MaxLoopDepth = 1 }, "nested more than 1 deep");
        CompileFails("require \"regex\"; if header :regex \"a\" \"x{100}\" { keep; }", l => l with { MaxRegexStates = 50 }, "more than 50 states");
        Assert.Equal(3, Sieve.Compile("a1; a2; a3; a4; a5;", With(l => l with { MaxErrors = 3 })).Errors.Count());
    }

    [Theory]
    [InlineData("redirect \"a@b.c\"; redirect \"d@e.f\";", "redirect actions exceeds policy limit")]
    [InlineData("require \"fileinto\"; fileinto \"a\"; fileinto \"b\"; fileinto \"c\"; fileinto \"d\";", "number of actions exceeds policy limit")]
    [InlineData("require \"enotify\"; notify \"mailto:a@b.c\"; notify \"mailto:d@e.f\";", "notifies more than 1")]
    [InlineData("require [\"editheader\", \"variables\"]; set \"a\" \"0123456789\"; addheader \"X\" \"${a}${a}\";", "larger than the 15 octets")]
    [InlineData("require \"include\"; include \"deep\";", "nested more than 2 deep")]
    [InlineData("require \"include\"; include \"flat\"; include \"flat\"; include \"flat\"; include \"flat\";", "more than 3 scripts")]
    [InlineData("require \"replace\"; replace \"a text that has more than forty octets with its header\";", "larger than allowed")]
    [InlineData("require \"mailbox\"; if allof (mailboxexists \"INBOX\", not mailboxexists \"b\", not mailboxexists \"c\", not mailboxexists \"d\", not mailboxexists \"e\") { keep; }", "too much")]
    public void RunsAreBounded(string script, string part)
    {
        SieveSettings settings = With(l => l with { MaxRedirects = 1, MaxActions = 3, MaxNotifications = 1, MaxHeaderSize = 15, MaxIncludeDepth = 2, MaxIncludes = 3, MaxEditedSize = 40, MaxQuestions = 4 });
        FakeHost host = new() { Scripts = new() { ["flat"] = "keep;", ["deep"] = "require \"include\"; include \"deeper\";", ["deeper"] = "require \"include\"; include \"flat\";" } };
        SieveResult result = Sieve.Run(script, settings: settings, host: host);
        Assert.Contains(part, result.Error!.Message);
        Assert.Equal(SieveFailure.Limit, result.Error.Failure);
    }

    [Fact]
    public void StepsAndTimeAreBounded()
    {
        string script = "require [\"regex\", \"variables\"]; set \"a\" \"" + new string('a', 3000) + "\"; if string :regex \"${a}\" \"((a*)*b)*\" { keep; } if string :regex \"${a}\" \"(a*)*(a*)*c\" { keep; }";
        Assert.Contains("more steps", Sieve.Run(script, settings: With(l => l with { MaxSteps = 10_000 })).Error!.Message);
        SieveContext real = Sieve.Context with { Time = TimeProvider.System };
        Assert.Contains("longer than allowed", Sieve.Run(script, settings: With(l => l with { MaxTime = TimeSpan.FromTicks(1) }), context: real).Error!.Message);
    }

    [Fact]
    public void StringsNotesFieldsAndBodiesAreCut()
    {
        SieveSettings settings = With(l => l with { MaxStringSize = 10, MaxNotes = 1, MaxHeaderFields = 1, MaxBodySize = 3 });
        SieveResult result = Sieve.Run("require [\"variables\", \"vnd.dovecot.debug\"]; set \"a\" \"0123456789\"; debug_log \"${a}${a}\"; debug_log \"b\";", settings: settings);
        Assert.Equal("0123456789", Assert.Single(result.Notes).Text);
        Assert.False(Sieve.Holds("", "exists \"b\"", "A: 1\nB: 2\n\n", settings: settings));
        Assert.False(Sieve.Holds("\"body\"", "body :contains \"def\"", "A: 1\n\nabcdef\n", settings: settings));
    }

    [Fact]
    public void AHostThatCannotAnswerIsATemporaryFailure()
    {
        SieveResult result = Sieve.Run("require \"vnd.dovecot.filter\"; filter \"x\";");
        Assert.Equal("no such program", result.Error!.Message);
        Assert.Single(result.Actions);
    }

    [Fact]
    public void EachQuestionIsAskedOnce()
    {
        FakeHost host = new() { Mailboxes = ["INBOX", "a"] };
        Assert.Equal("discard", Sieve.Actions("require \"mailbox\"; if allof (mailboxexists \"a\", mailboxexists \"a\", not mailboxexists \"b\") { discard; }", host: host));
        Assert.Equal(2, host.Questions);
    }

    [Fact]
    public void AChainGoesOnWhileMessagesAreKept()
    {
        SieveScript before = Sieve.Script("require [\"imap4flags\"]; if header :contains \"subject\" \"spam\" { discard; } setflag \"Old\"; keep;");
        SieveScript mine = Sieve.Script("require \"fileinto\"; if header :contains \"subject\" \"work\" { fileinto \"Work\"; }");
        Assert.Equal("discard", Sieve.Actions(Sieve.Run([before, mine], "Subject: spam work\n\n")).Split(';')[0]);
        Assert.Equal("store Work [Old]", Sieve.Actions(Sieve.Run([before, mine], "Subject: work\n\n")));
        Assert.Equal("implicit keep [Old]", Sieve.Actions(Sieve.Run([before, mine], "Subject: x\n\n")));
    }

    [Fact]
    public async Task ThirtyRulesAreCheap()
    {
        string rules = string.Join('\n', Enumerable.Range(0, 30).Select(i => (i % 3) switch
        {
            0 => $"if header :contains \"subject\" [\"word{i}\", \"other{i}\"] {{ fileinto \"f{i}\"; stop; }}",
            1 => $"if address :is :domain [\"from\", \"sender\"] \"host{i}.example.com\" {{ fileinto \"f{i}\"; stop; }}",
            _ => $"if header :matches \"list-id\" \"*<list{i}.*>\" {{ fileinto \"f{i}\"; stop; }}",
        }));
        SieveScript script = Sieve.Script("require \"fileinto\";\n" + rules);
        ISieveMessage message = Messages.PlainMessage.Of("Received: a\nReceived: b\nReceived: c\nFrom: Wile <coyote@desert.example.org>\nSender: x@y.z\nTo: roadrunner@acme.example.com\nSubject: I have a present for you\nList-Id: Acme <acme.example.com>\nDate: x\nMessage-ID: <1@2>\n\nbody\n");
        FakeHost host = new();
        double best = double.MaxValue;
        for (int round = 0; round < 20; round++)
        {
            long start = Stopwatch.GetTimestamp();
            for (int i = 0; i < 200; i++) Assert.Null((await SieveInterpreter.RunAsync([script], message, Sieve.Context, Sieve.Settings, host, TestContext.Current.CancellationToken)).Error);
            best = Math.Min(best, Stopwatch.GetElapsedTime(start).TotalMicroseconds / 200);
        }
        TestContext.Current.TestOutputHelper?.WriteLine($"{best:F1} µs for each run");
        // The goal is 50 µs; a shared machine without optimisation gets room.
        Assert.True(best < 500, $"{best:F1} µs");
    }

    [Theory]
    [InlineData(":contains \"{0}\"")]
    [InlineData(":matches \"*{0}*\"")]
    public void SearchForALongTextThatAlmostFitsEverywhereCountsAsWork(string match)
    {
        string half = string.Concat(Enumerable.Repeat("ab", 50_000));
        string message = "Subject: x\n\n" + string.Concat(Enumerable.Repeat("ab", 500_000));
        string script = "require \"body\"; if body :raw :comparator \"i;octet\" " + match.Replace("{0}", half + "c" + half, StringComparison.Ordinal) + " { discard; }";
        Assert.Contains("more steps", Sieve.Run(script, message).Error!.Message);
        string shorter = "require \"body\"; if body :raw :comparator \"i;octet\" " + match.Replace("{0}", half[..2000] + "c", StringComparison.Ordinal) + " { discard; }";
        Assert.Equal("implicit keep", Sieve.Actions(Sieve.Run(shorter, message)));
    }

    [Fact]
    public void RegularExpressionsOfAScriptAreBoundedTogether()
    {
        string Script(int count) => "require [\"regex\"]; if header :regex \"subject\" [" + string.Join(',', Enumerable.Repeat("\"(x{90}){11}\"", count)) + "] { discard; }";
        SieveSettings settings = With(l => l with { MaxScriptRegexStates = 10_000 });
        Assert.True(Sieve.Compile(Script(4), settings).IsOk);
        SieveCompilation refused = Sieve.Compile(Script(20), settings);
        Assert.Contains(refused.Diagnostics, d => d.ToString().Contains("more than 10000 states together", StringComparison.Ordinal));
    }

    [Fact]
    public void RegularExpressionsThatAreMadeAsTheScriptRunsAreBoundedTogether()
    {
        string keys = string.Join(',', Enumerable.Repeat("\"${x}\"", 20));
        string script = "require [\"regex\", \"variables\"]; set \"x\" \"(x{90}){11}\"; if header :regex \"subject\" [" + keys + "] { discard; }";
        SieveResult result = Sieve.Run(script, settings: With(l => l with { MaxScriptRegexStates = 10_000 }));
        Assert.Contains("more than 10000 states together", string.Join('\n', result.Notes) + result.Error?.Message, StringComparison.Ordinal);
    }
}
