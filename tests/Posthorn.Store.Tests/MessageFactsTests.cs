using System.Text;
using Posthorn.Mime;

namespace Posthorn.Store.Tests;

/// <summary>What is kept about a message.</summary>
public sealed class MessageFactsTests
{
    // Otherwise a list sorted by subject would not be in the order of the subjects that it shows.
    [Fact]
    public void Of_repeated_fields_the_first_counts_for_sorting_as_in_the_envelope()
    {
        byte[] message = Encoding.ASCII.GetBytes("Subject: first\r\nSubject: second\r\nFrom: a@example.org\r\nFrom: b@example.org\r\nCc: c@example.org\r\nCc: d@example.org\r\n\r\nx\r\n");
        MessageFacts facts = MessageFacts.Of(message, MimeLimits.Default);
        Assert.Equal(("FIRST", "A", "C"), (facts.Sort.BaseSubject, facts.Sort.From, facts.Sort.Cc));
        Assert.Contains("\"first\"", Encoding.ASCII.GetString(facts.Envelope.Span), StringComparison.Ordinal);
    }

    // All keys of a mailbox are in memory when it is sorted.
    [Fact]
    public void Sort_keys_are_cut_where_nobody_sees_it()
    {
        string name = new('n', MessageFacts.SortText + 1);
        MessageFacts facts = MessageFacts.Of(Encoding.ASCII.GetBytes($"Subject: {name}\r\nFrom: {name} <{name}@example.org>\r\n\r\n"), MimeLimits.Default);
        Assert.All([facts.Sort.BaseSubject, facts.Sort.From, facts.Sort.DisplayFrom], key => Assert.Equal(MessageFacts.SortText, key.Length));
    }

    [Fact]
    public void Sort_keys_are_read_from_no_more_of_a_header_than_its_limit()
    {
        string header = "X: " + new string('x', 200) + "\r\nSubject: far away\r\n\r\n";
        Assert.Equal("FAR AWAY", MessageFacts.Of(Encoding.ASCII.GetBytes(header), MimeLimits.Default).Sort.BaseSubject);
        Assert.Equal("", MessageFacts.Of(Encoding.ASCII.GetBytes(header), MimeLimits.Default with { MaxHeaderBytes = 100 }).Sort.BaseSubject);
    }

    // A thousand messages of five thousand authors each in one of eight megabytes: once it took a gigabyte.
    [Fact]
    public void A_message_that_is_made_to_be_described_at_length_is_not()
    {
        string inner = "--b\r\n\r\nFrom: " + string.Concat(Enumerable.Repeat("a,", 4_000)) + "\r\n\r\n\r\n";
        byte[] bomb = Encoding.ASCII.GetBytes("Content-Type: multipart/digest; boundary=b\r\n\r\n" + string.Concat(Enumerable.Repeat(inner, 1_000)) + "--b--\r\n");
        Assert.InRange(MessageFacts.Of(bomb, MimeLimits.Default).Size, 1 << 20, 3 << 20);
    }
}
