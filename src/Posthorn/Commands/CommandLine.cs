using System.CommandLine;
using System.CommandLine.Parsing;

namespace Posthorn.Commands;

/// <summary>Reads the words of a call and runs the command that they name.</summary>
internal static class CommandLine
{
    // "@domain" is a filter of ours, not a file with more arguments.
    private static readonly ParserConfiguration Parsing = new() { ResponseFileTokenReplacer = null };
    private static readonly InvocationConfiguration Invocation = new() { ProcessTerminationTimeout = null };

    // What a script takes for the result must not be a page of help.
    private static readonly InvocationConfiguration Wrong = new() { ProcessTerminationTimeout = null, Output = Console.Error };

    /// <summary>Runs it; the exit status.</summary>
    public static async Task<int> RunAsync(RootCommand root, string[] words)
    {
        ParseResult parsed = root.Parse(words, Parsing);
        if (UnknownOption(parsed) is { } unknown)
        {
            string command = NameOf(parsed.CommandResult);
            await Console.Error.WriteLineAsync($"{unknown} is no option of '{command}'; '{command} --help' lists them. An argument that begins with a dash goes after --");
            return ExitStatus.Usage;
        }
        int status = await parsed.InvokeAsync(parsed.Errors.Count > 0 ? Wrong : Invocation);
        return parsed.Errors.Count > 0 ? ExitStatus.Usage : status;
    }

    // A word that looks like an option and is none is a slip: taken as an argument it would name a message, an account or a file that nobody meant.
    private static string? UnknownOption(ParseResult parsed)
    {
        IEnumerable<string> arguments = parsed.CommandResult.Children.OfType<ArgumentResult>().SelectMany(result => result.Tokens).Select(token => token.Value).Concat(parsed.UnmatchedTokens);
        string[] suspects = [.. parsed.Tokens.TakeWhile(token => token.Type != TokenType.DoubleDash).Where(token => token.Type == TokenType.Argument && token.Value is ['-', _, ..]).Select(token => token.Value)];
        return suspects.Length == 0 ? null : arguments.FirstOrDefault(suspects.Contains);
    }

    private static string NameOf(CommandResult result) => result.Parent is CommandResult above ? $"{NameOf(above)} {result.Command.Name}" : result.Command.Name;
}
