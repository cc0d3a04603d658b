namespace Posthorn.Core;

/// <summary>How another server lays out an account's Maildir, where that is not the plain way: what its <c>mail_location</c> says behind the path.</summary>
/// <remarks>The tree is brought into the plain way when it is taken in, and into this one when it is handed back.</remarks>
public sealed record MailLayout
{
    /// <summary>All folders side by side in the root, numbers and indexes in the folders.</summary>
    public static MailLayout Plain { get; } = new();

    /// <summary>Folders lie within one another (<c>LAYOUT=fs</c>).</summary>
    public bool IsNested { get; init; }

    /// <summary>Where the indexes lie (<c>INDEX=</c>), absolute; null for the folders themselves.</summary>
    public string? IndexRoot { get; init; }

    /// <summary>Where the numbers of messages lie (<c>CONTROL=</c>), absolute; null for the folders themselves.</summary>
    public string? ControlRoot { get; init; }
}
