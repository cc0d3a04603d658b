namespace Posthorn.Filtering;

/// <summary>A clock that stands at the moment when a message came, and measures spans as the real one.</summary>
internal sealed class MomentTime(TimeProvider real, DateTimeOffset moment) : TimeProvider
{
    public override DateTimeOffset GetUtcNow() => moment.ToUniversalTime();
    public override TimeZoneInfo LocalTimeZone => real.LocalTimeZone;
    public override long TimestampFrequency => real.TimestampFrequency;
    public override long GetTimestamp() => real.GetTimestamp();
}
