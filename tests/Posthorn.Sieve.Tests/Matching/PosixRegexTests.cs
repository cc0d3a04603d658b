using Posthorn.Sieve.Matching;

namespace Posthorn.Sieve.Tests.Matching;

public sealed class PosixRegexTests
{
    [Theory]
    [InlineData("abc", "xabcx", "abc")]
    [InlineData("a|ab|abc", "abcd", "abc")] // longest, not first
    [InlineData("(a|ab)(c|bcd)(d*)", "abcd", "abcd,ab,c,d")]
    [InlineData("x*", "aaa", "")]
    [InlineData("a+", "baaac", "aaa")]
    [InlineData("^a", "ba", null)]
    [InlineData("a$", "ba", "a")]
    [InlineData("^$", "", "")]
    [InlineData("[[:digit:]]+", "abc 1234 x", "1234")]
    [InlineData("[^[:space:]]+", "  word  ", "word")]
    [InlineData("[]a]+", "x]a]x", "]a]")]
    [InlineData("[a-]+", "b-a-", "-a-")]
    [InlineData("[^]]+", "ab]", "ab")]
    [InlineData("a{2}", "aaaa", "aa")]
    [InlineData("a{2,}", "aaaa", "aaaa")]
    [InlineData("a{2,3}", "aaaa", "aaa")]
    [InlineData("a{0}b", "b", "b")]
    [InlineData("(ab){2}", "xababab", "abab,ab")]
    [InlineData("(a)|(b)", "b", "b,,b")]
    [InlineData("\\.", "a.b", ".")]
    [InlineData("a\\{", "a{", "a{")]
    [InlineData("[.]", "a.b", ".")]
    [InlineData("[[.a.]]", "a", "a")]
    [InlineData("[[=a=]b]+", "ab", "ab")]
    [InlineData("(.*)@(.*)", "me@example.com", "me@example.com,me,example.com")]
    [InlineData("^([^@]+)@([a-z.]+)$", "me@example.com", "me@example.com,me,example.com")]
    [InlineData("(a*)(ab)*(b*)", "abb", "abb,a,,bb")]
    [InlineData("\\<foo\\>", "a foo b", "foo")]
    [InlineData("\\bfoo", "afoo", null)]
    [InlineData("(^|x)a", "xa", "xa,x")]
    [InlineData("()", "abc", ",")]
    [InlineData("a{", "a{", "a{")]
    [InlineData("((a)(b)?){2}", "aba", "aba,a,a,")]
    [InlineData("(a|b){2,3}c", "xabac", "abac,a")]
    [InlineData("(^a|b){2}", "abb", "ab,b")]
    [InlineData("(a*b){0,2}", "aabb", "aabb,b")]
    [InlineData("((a|b){2}){2}", "abba", "abba,ba,a")]
    [InlineData("[ā-ēĀÿz]{2,}", "zĀđāēĕ", "zĀđāē")]
    [InlineData("[āāāĒ-ĚĔ-Ŀ]+", "xāĒĿĖő", "āĒĿĖ")]
    public void FindsTheLeftmostLongest(string pattern, string text, string? expected)
    {
        PosixRegex regex = PosixRegex.TryCompile(pattern, false, 1000, out string? error)!;
        Assert.Null(error);
        List<string> captures = [];
        bool found = regex.IsMatch(text, captures, StepBudget.Unbounded());
        Assert.Equal(expected, found ? string.Join(',', captures) : null);
        Assert.Equal(found, regex.IsMatch(text, null, StepBudget.Unbounded()));
    }

    [Theory]
    [InlineData("(")]
    [InlineData(")")]
    [InlineData("a)")]
    [InlineData("[a")]
    [InlineData("[b-a]")]
    [InlineData("*a")]
    [InlineData("a{3,2}")]
    [InlineData("a{256}")]
    [InlineData("[[:nope:]]")]
    [InlineData("(a)\\1")]
    [InlineData("a\\")]
    [InlineData("+")]
    [InlineData("a{1")]
    public void RefusesWhatIsNoExpression(string pattern)
    {
        Assert.Null(PosixRegex.TryCompile(pattern, false, 1000, out string? error));
        Assert.NotNull(error);
    }

    [Fact]
    public void IgnoresCaseWhereAsked()
    {
        PosixRegex regex = PosixRegex.TryCompile("HeL+[o-p]", true, 1000, out _)!;
        Assert.True(regex.IsMatch("say hELLO", null, StepBudget.Unbounded()));
    }

    [Fact]
    public void NestedRepetitionsStayLinear()
    {
        PosixRegex regex = PosixRegex.TryCompile("(a*)*(a*)*(a|aa)*b", false, 1000, out _)!;
        StepBudget budget = new(5_000_000, TimeSpan.FromMinutes(1), TimeProvider.System);
        Assert.False(regex.IsMatch(new string('a', 2000), [], budget));
    }

    [Fact]
    public void WhatIsRepeatedIsReadAndKeptOnce()
    {
        string pattern = "([" + new string('Ā', 100_000) + "]{99}){40}";
        long before = GC.GetAllocatedBytesForCurrentThread();
        PosixRegex regex = PosixRegex.TryCompile(pattern, false, 5000, out _)!;
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 16 * 1024 * 1024);
        Assert.True(regex.IsMatch(new string('Ā', 99 * 40), null, StepBudget.Unbounded()));
        Assert.False(regex.IsMatch(new string('Ā', 99 * 40 - 1), null, StepBudget.Unbounded()));
    }

    [Fact]
    public void StatesAreBounded() => Assert.Null(PosixRegex.TryCompile("((a{100}){100}){100}", false, 5000, out _));
}
