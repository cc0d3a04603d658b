using Posthorn.Transport;

namespace Posthorn.Smtp.Session;

/// <summary>The open mail transaction (RFC 5321 section 3.3).</summary>
internal sealed class Transaction(Envelope envelope) : IAsyncDisposable
{
    public Envelope Envelope { get; } = envelope;

    /// <summary>Recipients refused so far.</summary>
    public int Refused { get; set; }

    /// <summary>The message, once BDAT or DATA has begun.</summary>
    public MessageBody? Body { get; set; }

    /// <summary>A BDAT was answered with a failure: only RSET helps (RFC 3030 section 2).</summary>
    public bool ChunksFailed { get; set; }

    public ValueTask DisposeAsync() => Body?.DisposeAsync() ?? ValueTask.CompletedTask;
}
