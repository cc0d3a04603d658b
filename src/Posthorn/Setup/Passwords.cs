using System.Security.Cryptography;

namespace Posthorn.Setup;

/// <summary>Passwords made by the server: easy to read and type, 77 bits.</summary>
internal static class Passwords
{
    // No letters or digits that look alike.
    private const string Alphabet = "abcdefghjkmnpqrstuvwxyz23456789";

    public static string New() => string.Join('-', Enumerable.Range(0, 4).Select(_ => RandomNumberGenerator.GetString(Alphabet, 4)));
}
