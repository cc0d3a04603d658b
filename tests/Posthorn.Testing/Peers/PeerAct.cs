namespace Posthorn.Testing;

/// <summary>What a <see cref="ScriptedPeer"/> does at one point of the conversation.</summary>
public abstract record PeerAct
{
    private PeerAct() { }

    /// <summary>Answers with these lines (parted by LF; code and hyphens included), whatever they mean.</summary>
    public sealed record Say(string Reply) : PeerAct;

    /// <summary>Answers, then closes.</summary>
    public sealed record SayAndClose(string Reply) : PeerAct;

    /// <summary>Says nothing more, reads nothing more, and keeps the connection.</summary>
    public sealed record Hang : PeerAct;

    /// <summary>Says that the point is reached, and answers when it is let go.</summary>
    public sealed record SayWhen(TaskCompletionSource Reached, Task Go, string Reply) : PeerAct;

    /// <summary>Closes without a word.</summary>
    public sealed record Close : PeerAct;

    /// <summary>Answers one octet at a time, with a pause before each on the peer's clock.</summary>
    public sealed record Trickle(string Reply, TimeSpan Pause) : PeerAct;

    /// <summary>Sends exactly these bytes, a reply or not.</summary>
    public sealed record SendRaw(ReadOnlyMemory<byte> Bytes) : PeerAct;

    /// <summary>Goes on without an answer.</summary>
    public sealed record Ignore : PeerAct;
}
