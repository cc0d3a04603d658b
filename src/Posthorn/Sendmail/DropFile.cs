using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Posthorn.Transport;

namespace Posthorn.Sendmail;

/// <summary>For whom a message is that was left for the server.</summary>
/// <param name="Sender">The sender; empty for the null path.</param>
/// <param name="Recipients">The recipients.</param>
internal sealed record DropEnvelope(string Sender, IReadOnlyList<string> Recipients)
{
    public DsnNotify Notify { get; init; }
    public DsnReturn Return { get; init; }
    public string? EnvelopeId { get; init; }

    /// <summary>An address is not ASCII.</summary>
    public bool NeedsUtf8 => !Ascii.IsValid(Sender) || Recipients.Any(static r => !Ascii.IsValid(r));
}

/// <summary>A message that a local program leaves for the server while that is down: lines of the envelope, an empty line, the message. <c>docs/formats.md</c> has the names.</summary>
internal static class DropFile
{
    private const string Magic = "posthorn-drop 1";

    /// <summary>The longest envelope, octets: as many recipients as a command line holds.</summary>
    public const int MaxEnvelope = 4 << 20;

    /// <summary>Others than the server cannot list the folder, and nobody guesses the name.</summary>
    private const UnixFileMode ForTheServer = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead;

    /// <summary>True for names of whole files; others are being written, or nothing of ours.</summary>
    public static bool IsName(string name) => name.Split('.') is [{ Length: > 0 and <= 16 } time, { Length: 32 } chance] && time.All(char.IsAsciiHexDigitLower) && chance.All(char.IsAsciiHexDigitLower);

    /// <summary>Leaves a message; when this returns it is on disk.</summary>
    /// <exception cref="IOException">The folder does not take it, or the message cannot be read.</exception>
    public static async Task WriteAsync(string folder, DropEnvelope envelope, IAsyncEnumerable<ReadOnlyMemory<byte>> content, long maxSize, CancellationToken cancel)
    {
        string name = string.Create(CultureInfo.InvariantCulture, $"{TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds():x}.{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16))}");
        string draft = Path.Combine(folder, "." + name);
        try
        {
            await using (FileStream file = new(draft, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = ForTheServer }))
            {
                File.SetUnixFileMode(file.SafeFileHandle, ForTheServer); // whatever the caller's umask says
                await file.WriteAsync(Encoding.UTF8.GetBytes(Head(envelope)), cancel);
                long size = 0;
                await foreach (ReadOnlyMemory<byte> piece in content.WithCancellation(cancel))
                {
                    if ((size += piece.Length) > maxSize) throw new IOException($"the message is larger than {Configuration.Units.Size(maxSize)} (limits.message-size)");
                    await file.WriteAsync(piece, cancel);
                }
                await file.FlushAsync(cancel);
                file.Flush(flushToDisk: true);
            }
            File.Move(draft, Path.Combine(folder, name));
        }
        catch
        {
            File.Delete(draft);
            throw;
        }
    }

    /// <summary>Reads the envelope; the stream then stands at the message. Null when it is none.</summary>
    public static async Task<DropEnvelope?> ReadAsync(Stream file, CancellationToken cancel)
    {
        byte[] buffer = new byte[64 * 1024];
        int length = 0, end;
        while ((end = buffer.AsSpan(0, length).IndexOf("\n\n"u8)) < 0)
        {
            if (length == buffer.Length)
            {
                if (length >= MaxEnvelope) return null;
                Array.Resize(ref buffer, length * 2);
            }
            int read = await file.ReadAsync(buffer.AsMemory(length), cancel);
            if (read == 0) return null;
            length += read;
        }
        file.Position = end + 2;
        string[] lines = Encoding.UTF8.GetString(buffer, 0, end).Split('\n');
        if (lines[0] != Magic) return null;
        List<string> to = [];
        string? from = null;
        DropEnvelope envelope = new("", to);
        foreach (string line in lines.Skip(1))
        {
            (string word, string value) = line.Split(' ', 2) is [string w, string v] ? (w, v) : (line, "");
            switch (word)
            {
                case "from": from = value; break;
                case "to": to.Add(value); break;
                case "notify" when Enum.TryParse(value, out DsnNotify notify): envelope = envelope with { Notify = notify }; break;
                case "return" when Enum.TryParse(value, out DsnReturn wanted): envelope = envelope with { Return = wanted }; break;
                case "envelope-id": envelope = envelope with { EnvelopeId = value }; break;
                default: return null;
            }
        }
        return from is null || to.Count == 0 || !IsPath(from) || !to.All(static r => r.Length > 0 && IsPath(r)) ? null : envelope with { Sender = from };
    }

    // What stands in a command of SMTP must not become another one.
    private static bool IsPath(string text) => !text.Any(static c => char.IsControl(c) || c is '<' or '>');

    private static string Head(DropEnvelope envelope)
    {
        StringBuilder head = new(Magic + "\n");
        head.Append("from ").Append(envelope.Sender).Append('\n');
        foreach (string recipient in envelope.Recipients) head.Append("to ").Append(recipient).Append('\n');
        if (envelope.Notify != DsnNotify.Unspecified) head.Append("notify ").Append(envelope.Notify.ToString().Replace(" ", "", StringComparison.Ordinal)).Append('\n');
        if (envelope.Return != DsnReturn.Unspecified) head.Append("return ").Append(envelope.Return).Append('\n');
        if (envelope.EnvelopeId is { } id) head.Append("envelope-id ").Append(id).Append('\n');
        return head.Append('\n').ToString();
    }
}
