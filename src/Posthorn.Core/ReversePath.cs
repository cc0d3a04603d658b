namespace Posthorn.Core;

/// <summary>The sender of an envelope: an address, or the null path <c>&lt;&gt;</c> of bounces (RFC 5321 section 4.5.5).</summary>
public readonly record struct ReversePath
{
    private readonly EmailAddress? _address;

    private ReversePath(EmailAddress? address) => _address = address;

    /// <summary>The null path <c>&lt;&gt;</c>: nothing that carries it may ever cause a bounce.</summary>
    public static ReversePath Null => default;

    public bool IsNull => _address is null;

    /// <summary>The address.</summary>
    /// <exception cref="InvalidOperationException">This is the null path.</exception>
    public EmailAddress Address => _address ?? throw new InvalidOperationException("The null reverse-path has no address.");

    public static ReversePath Of(EmailAddress address) => new(address);

    /// <summary>The path without angle brackets: an address, or nothing for the null path.</summary>
    public override string ToString() => _address?.ToString() ?? "";
}
