using System.Buffers;
using System.Globalization;
using System.Text;
using Posthorn.Sieve.Messages;
using Posthorn.Sieve.Running;

namespace Posthorn.Sieve.Composing;

/// <summary>Puts a message of ours together, with CRLF line ends.</summary>
internal sealed class MailBuilder
{
    private readonly ArrayBufferWriter<byte> _octets = new();

    /// <summary>A field; other than ASCII goes into encoded words.</summary>
    public MailBuilder Header(string name, string value)
    {
        _octets.Write(HeaderWriter.Field(name, value, "\r\n"u8));
        return this;
    }

    /// <summary>A field of addresses: words beyond ASCII are encoded each by itself, addresses stay.</summary>
    public MailBuilder Addresses(string name, string value)
    {
        string clean = value.Replace("\r", "", StringComparison.Ordinal).Replace("\n", "", StringComparison.Ordinal);
        if (!Ascii.IsValid(clean))
            clean = string.Join(' ', clean.Split(' ').Select(w => Ascii.IsValid(w) || w.Contains('@', StringComparison.Ordinal) ? w : HeaderWriter.Value(w.Trim('"'))));
        _octets.Write(SieveText.ToUtf8($"{name}: {clean}\r\n"));
        return this;
    }

    public MailBuilder Line(string text)
    {
        _octets.Write(SieveText.ToUtf8(text + "\r\n"));
        return this;
    }

    /// <summary>Text of any line ends, made CRLF, with a line end at the end.</summary>
    public MailBuilder Text(string text)
    {
        string lines = text.Replace("\r\n", "\n", StringComparison.Ordinal).Replace('\r', '\n').Replace("\n", "\r\n", StringComparison.Ordinal);
        _octets.Write(SieveText.ToUtf8(lines.EndsWith("\r\n", StringComparison.Ordinal) || lines.Length == 0 ? lines : lines + "\r\n"));
        return this;
    }

    public MailBuilder Octets(ReadOnlySpan<byte> octets)
    {
        _octets.Write(octets);
        return this;
    }

    public ReadOnlyMemory<byte> Build() => _octets.WrittenMemory;

    /// <summary>Date and Message-ID of the next mail of this run; the same again when the run is repeated.</summary>
    public MailBuilder Begin(Execution x, bool date = true, bool id = true)
    {
        x.Mails++;
        if (id) Header("Message-ID", string.Create(CultureInfo.InvariantCulture, $"<{x.Context.DeliveryId}.sieve{x.Mails}@{x.Context.HostName}>"));
        if (date) Header("Date", MailDate.Format(x.Now));
        return this;
    }

    /// <summary>A boundary that is nowhere in the content, made of the run's own id.</summary>
    public static string Boundary(Execution x) => string.Create(CultureInfo.InvariantCulture, $"=_sieve_{x.Context.DeliveryId}_{x.Mails}_{x.Now.ToUnixTimeMilliseconds()}");
}
