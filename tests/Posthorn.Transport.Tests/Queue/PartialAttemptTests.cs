using Posthorn.Core;
using Posthorn.Testing;
using Posthorn.Transport.Queue;
using Posthorn.Transport.Tests.Fakes;

namespace Posthorn.Transport.Tests.Queue;

/// <summary>Attempts that end in the middle: who has the message does not get it again, and everybody else does.</summary>
public sealed class PartialAttemptTests
{
    private const string EightBit = "From: ann@example.org\nMIME-Version: 1.0\nContent-Type: text/plain\nContent-Transfer-Encoding: 8bit\n\nmostly ASCII, but for the \u00e9\n";

    private static string[] Took(ScriptedPeer peer) => [.. peer.Messages.SelectMany(message => message.To).Select(to => to.Split(' ')[0])];

    [Fact]
    public async Task What_the_first_transactions_delivered_stays_delivered_when_the_server_stops_amid_the_next()
    {
        await using OutboundRig rig = new();
        ScriptedPeer peer = rig.AddPeer("203.0.113.1", "example.com", new() { Extensions = ["LIMITS RCPTMAX=1"] }).At(".", new PeerAct.Say("250 2.0.0 Ok"), new PeerAct.Hang());
        await rig.SendAsync("a@example.com", "b@example.com", "c@example.com");
        await rig.UntilAsync(() => peer.Commands.Count(command => command == "DATA") == 2, "the second message");
        await rig.BreakOffAsync();
        Assert.Equal([1, 2], Assert.Single(rig.Rig.Queued).PendingRecipients);
        Assert.Single(rig.Rig.Journal.Steps);
    }

    /// <summary>Recoding needs room on the disk, and there is none for the second transaction.</summary>
    [Fact]
    public async Task What_the_first_transactions_delivered_stays_delivered_when_the_next_cannot_be_made()
    {
        await using OutboundRig rig = new();
        ScriptedPeer peer = rig.AddPeer("203.0.113.1", "example.com", new() { Extensions = ["LIMITS RCPTMAX=1"] });
        rig.Rig.Stores.BeforeSink = () =>
        {
            if (peer.Messages.Count == 1) throw new IOException("No space left on device");
        };
        await rig.SendAsync(rig.Rig.Envelope(rig.Rig.User, "ann@example.org", "a@example.com", "b@example.com"), EightBit);
        await rig.UntilWaitingAsync(1, 1);
        QueueEntry entry = Assert.Single(rig.Rig.Queued);
        Assert.Equal([1], entry.PendingRecipients);
        Assert.Contains("No space left on device", entry.LastReply(1)!.Text, StringComparison.Ordinal);
        rig.Rig.Stores.BeforeSink = null;
        rig.Rig.Time.Advance(TimeSpan.FromMinutes(7));
        await rig.UntilEmptyAsync();
        Assert.Equal(["<a@example.com>", "<b@example.com>"], Took(peer));
    }

    [Theory]
    [InlineData("SIZE", 1)]
    [InlineData("LIMITS RCPTMAX=1", 3)]
    public async Task Each_transaction_is_one_record(string extension, int records)
    {
        await using OutboundRig rig = new();
        ScriptedPeer peer = rig.AddPeer("203.0.113.1", "example.com", new() { Extensions = [extension] });
        await rig.SendAsync("a@example.com", "b@example.com", "c@example.com");
        await rig.UntilEmptyAsync();
        Assert.Equal(records, peer.Messages.Count);
        Assert.Equal(records, rig.Rig.Journal.Steps.Count);
    }

    /// <summary>Success that is told by us is told once for each, whichever transaction brought it.</summary>
    [Fact]
    public async Task Success_is_told_once_for_each_recipient()
    {
        await using OutboundRig rig = new();
        rig.AddPeer("203.0.113.1", "example.com", new() { Extensions = ["LIMITS RCPTMAX=1"] });
        Envelope envelope = rig.Rig.Envelope(rig.Rig.User, "ann@example.org");
        foreach (string name in (string[])["a", "b"]) envelope.Recipients.Add(new(EmailAddress.Parse($"{name}@example.com"), DsnNotify.Success, null));
        await rig.SendAsync(envelope);
        await rig.UntilEmptyAsync();
        string reports = string.Concat(await rig.Rig.MailAsync(rig.Rig.Ann));
        foreach (string name in (string[])["a", "b"]) Assert.Equal(2, reports.Split($"Final-Recipient: rfc822; {name}@example.com\r\nAction: relayed\r\n").Length);
    }
}
