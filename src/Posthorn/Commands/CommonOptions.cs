using System.CommandLine;

namespace Posthorn.Commands;

/// <summary>Options that many commands take, in one wording.</summary>
internal static class CommonOptions
{
    public static Option<string?> Config() => new("--config", "-c")
    {
        Description = "The configuration file (default: $POSTHORN_CONFIG, else /etc/posthorn/posthorn.toml)",
        HelpName = "FILE",
    };

    /// <summary>For commands that need no configuration, and know more with one.</summary>
    public static Option<string?> SieveConfig() => new("--config", "-c")
    {
        Description = "Read extensions, limits and the administrator's scripts from a configuration (default: built-in settings; with --account, the server's configuration)",
        HelpName = "FILE",
    };

    public static Option<string?> SieveAccount() => new("--account", "-a") { Description = "Whose script it is: mailboxes, lists and other scripts are this account's", HelpName = "ADDRESS" };

    public static Option<bool> Json() => new("--json") { Description = "Print one JSON object" };
}
