namespace Posthorn.Transport.Milter;

/// <summary>What a filter wants changed in a message; it counts only with the filter's last word.</summary>
internal sealed class MilterEdits : IAsyncDisposable
{
    /// <summary>Changes of the header, in order.</summary>
    public List<MilterAnswer> Header { get; } = [];

    public List<MilterAnswer> Recipients { get; } = [];
    public MilterAnswer.ChangeFrom? From { get; set; }
    public string? Quarantine { get; set; }

    /// <summary>The new body; null leaves it.</summary>
    public Store.IMessageSink? Body { get; set; }
    public int Count { get; set; }
    public long HeaderOctets { get; set; }

    public ValueTask DisposeAsync() => Body?.DisposeAsync() ?? ValueTask.CompletedTask;
}
