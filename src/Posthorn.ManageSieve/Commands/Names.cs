using Posthorn.ManageSieve.Wire;
using Posthorn.Store.Scripts;

namespace Posthorn.ManageSieve.Commands;

/// <summary>Names of scripts in commands (RFC 5804 section 1.6).</summary>
internal static class Names
{
    /// <summary>Reads a name; the answer to one that cannot be, or null.</summary>
    public static Completion? Read(string text, out ScriptName name)
    {
        if (ScriptName.TryCreate(text, out name)) return null;
        return Completion.No(text.Length == 0 ? "A script's name must not be empty"
            : $"A script cannot have this name: up to {ScriptName.MaxOctets} octets of UTF-8, without slashes and control characters");
    }
}
