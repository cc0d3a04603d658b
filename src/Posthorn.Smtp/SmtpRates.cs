using Posthorn.Net;

namespace Posthorn.Smtp;

/// <summary>What addresses have done over all their sessions. Shared by all listeners.</summary>
public sealed class SmtpRates(TimeProvider time)
{
    /// <summary>Messages begun.</summary>
    public AddressRates Messages { get; } = new(time);

    /// <summary>Recipients asked for.</summary>
    public AddressRates Recipients { get; } = new(time);

    /// <summary>Commands refused for good.</summary>
    public AddressRates Errors { get; } = new(time);
}
