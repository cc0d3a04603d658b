namespace Posthorn.Transport;

/// <summary>When a message must have arrived (RFC 2852; asked for with BY, or by redirect, RFC 6009 section 7).</summary>
/// <param name="Time">The end of the time.</param>
/// <param name="Return">Return the message when it is late; otherwise tell the sender, and go on trying.</param>
/// <param name="Trace">Each server that hands it on reports so.</param>
public sealed record DeliverBy(DateTimeOffset Time, bool Return, bool Trace)
{
    /// <summary>Seconds left; what a BY parameter can say has at most nine digits (RFC 2852 section 4).</summary>
    internal long SecondsLeft(DateTimeOffset now) => Math.Clamp((long)Math.Floor((Time - now).TotalSeconds), -999_999_999, 999_999_999);
}
