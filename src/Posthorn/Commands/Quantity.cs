namespace Posthorn.Commands;

/// <summary>Numbers of things in words.</summary>
internal static class Quantity
{
    /// <summary>"1 message", "2 messages".</summary>
    public static string Of(int number, string what) => number == 1 ? $"1 {what}" : $"{number} {what}s";
}
