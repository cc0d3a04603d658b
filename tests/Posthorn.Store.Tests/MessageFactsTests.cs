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
}
