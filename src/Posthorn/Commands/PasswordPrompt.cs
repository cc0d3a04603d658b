using System.Text;

namespace Posthorn.Commands;

/// <summary>Asks for a password twice without showing it; reads one line when input is not a terminal.</summary>
internal static class PasswordPrompt
{
    /// <summary>The password, or null when none was given or the two differ.</summary>
    public static string? Read(string account)
    {
        if (Console.IsInputRedirected)
        {
            string? line = Console.In.ReadLine();
            if (!string.IsNullOrEmpty(line)) return line;
            Console.Error.WriteLine("no password on standard input");
            return null;
        }
        string first = Ask($"Password for {account}: ");
        if (first.Length == 0)
        {
            Console.Error.WriteLine("an empty password is none");
            return null;
        }
        if (Ask("Again: ") == first) return first;
        Console.Error.WriteLine("the two differ; nothing was changed");
        return null;
    }

    private static string Ask(string prompt)
    {
        Console.Error.Write(prompt);
        StringBuilder typed = new();
        while (true)
        {
            ConsoleKeyInfo key = Console.ReadKey(intercept: true);
            if (key.Key == ConsoleKey.Enter) break;
            if (key.Key == ConsoleKey.Backspace)
            {
                if (typed.Length > 0) typed.Length--;
            }
            else if (!char.IsControl(key.KeyChar)) typed.Append(key.KeyChar);
        }
        Console.Error.WriteLine();
        return typed.ToString();
    }
}
