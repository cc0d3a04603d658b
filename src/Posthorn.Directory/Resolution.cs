using Posthorn.Core;

namespace Posthorn.Directory;

/// <summary>What became of a recipient.</summary>
public abstract record Resolution
{
    private Resolution() { }

    /// <summary>The domain is not hosted here.</summary>
    public sealed record NotOurs : Resolution;

    /// <summary>The domain is ours, but nobody has this name (reply 550 5.1.1).</summary>
    public sealed record Unknown : Resolution;

    /// <summary>Nobody is known by this name, but a file of accounts or aliases could not be read since the start: a temporary failure (451 4.3.0), for a permanent one might lose mail.</summary>
    public sealed record Unavailable : Resolution;

    /// <summary>These receive the message: at least one, none twice.</summary>
    public sealed record Recipients(IReadOnlyList<Target> Targets) : Resolution;

    /// <summary>The aliases name each other in a circle, or too deeply. The operator's mistake: a temporary failure (451 4.6.0).</summary>
    public sealed record Loop(EmailAddress At) : Resolution;

    /// <summary>The recipient becomes more addresses than the limit. A temporary failure (451 4.6.0).</summary>
    public sealed record TooMany(int Limit) : Resolution;
}

/// <summary>One that receives the message.</summary>
public abstract record Target
{
    private Target() { }

    /// <summary>An account of ours.</summary>
    /// <param name="FinalAddress">The address after all aliases, with its detail.</param>
    /// <param name="Detail">The detail in it, or null.</param>
    public sealed record Local(MailAccount Account, EmailAddress FinalAddress, string? Detail) : Target;

    /// <summary>An address elsewhere.</summary>
    public sealed record Remote(EmailAddress Address) : Target;
}
