using System.Security.Cryptography;
using Posthorn.Core;

namespace Posthorn.Serving;

/// <summary>Ids for connections: short, and different from those of earlier runs.</summary>
internal sealed class SessionIds
{
    private const string Digits = "0123456789abcdefghijklmnopqrstuvwxyz";
    private long _next = RandomNumberGenerator.GetInt32(int.MaxValue) * 64L;

    public SessionId Next()
    {
        long number = Interlocked.Increment(ref _next);
        return new(string.Create(8, number, (text, value) =>
        {
            text[0] = 's';
            for (int i = text.Length - 1; i > 0; i--, value /= Digits.Length) text[i] = Digits[(int)(value % Digits.Length)];
        }));
    }
}
