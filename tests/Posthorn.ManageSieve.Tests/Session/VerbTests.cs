using System.Text;
using Posthorn.ManageSieve.Session;
using Posthorn.Testing;

namespace Posthorn.ManageSieve.Tests.Session;

public sealed class VerbTests
{
    [Fact]
    public void Every_verb_is_found_in_any_case_and_only_whole() => Assert.All(Verb.Table, verb =>
    {
        Assert.Same(verb, Verb.Split(Encoding.ASCII.GetBytes(verb.Name.ToLowerInvariant()), out _));
        Assert.Null(Verb.Split(Encoding.ASCII.GetBytes(verb.Name + "X"), out _));
    });

    [Fact]
    public void Every_verb_has_a_transcript_that_says_it()
    {
        string folder = Path.Combine(SharedFolder.Checkout, "tests/Posthorn.ManageSieve.Tests/Transcripts");
        string all = string.Join('\n', System.IO.Directory.EnumerateFiles(folder, "*.transcript", SearchOption.AllDirectories).Select(File.ReadAllText));
        Assert.All(Verb.Table, verb => Assert.Matches($@"(?mi)^C\d?!?: {verb.Name}\b", all));
    }
}
