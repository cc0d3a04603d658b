using System.Text;
using Posthorn.Imap.Wire;

namespace Posthorn.Imap.Tests.Wire;

/// <summary>Readers over text.</summary>
internal static class Text
{
    public static Dialect Dialect { get; } = new(false, '/', new() { HostName = "test" }, new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero));

    public static ImapReader Reader(string text) => new(Encoding.UTF8.GetBytes(text), Dialect);

    public static ImapReader Reader(byte[] text) => new(text, Dialect);
}
