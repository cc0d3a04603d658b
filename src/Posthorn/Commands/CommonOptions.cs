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

    public static Option<bool> Json() => new("--json") { Description = "Print one JSON object" };
}
