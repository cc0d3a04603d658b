using System.Text;
using Posthorn.Imap.Session;

namespace Posthorn.Imap.Tests.Session;

public sealed class VerbTests
{
    [Fact]
    public void Every_verb_is_found_in_any_case_and_only_whole() => Assert.All(Verb.Table, verb =>
    {
        Assert.Same(verb, Verb.Find(Encoding.ASCII.GetBytes(verb.Name.ToLowerInvariant())));
        Assert.Null(Verb.Find(Encoding.ASCII.GetBytes(verb.Name + "X")));
    });

    [Fact]
    public void Every_verb_has_a_transcript_that_says_it()
    {
        string folder = Path.Combine(Testing.SharedFolder.Checkout, "tests/Posthorn.Imap.Tests/Transcripts");
        string all = string.Join('\n', System.IO.Directory.EnumerateFiles(folder, "*.transcript", SearchOption.AllDirectories).Select(File.ReadAllText));
        Assert.All(Verb.Table, verb => Assert.Matches($@"(?m)^C\d?!?: (\S+ |.*\\n\S+ ){verb.Name}\b", all));
    }
}
