using System.Buffers;
using System.Text;
using CsCheck;
using Posthorn.Transport.Accept;

namespace Posthorn.Transport.Tests.Accept;

public sealed class HeaderScannerTests
{
    private static readonly string[] Lines =
    [
        "From: ann@example.org\r\n", "Subject: a\r\n b\r\n\tc: d\r\n", "Received: from x\r\n\tby y\r\n", "Date: now\r\n", "message-id : <1@x>\r\n", "no colon here\r\n", "Delivered-To: bob@example.org\r\n",
        "X: \r\r\n", ": empty name\r\n", "\rbare\r\n", "From someone Mon Sep 17 00:00:00\r\n", " starts blank\r\n", "X-\u00e9: \u00ff\r\n", "FROM: eve@example.org\r\n",
    ];

    private static readonly Gen<string> Message = Gen.Select(Gen.OneOf(Lines).Array[0, 6], Gen.OneOf("", "\r\n", "\r\nbody\r\n", "\r\nFrom: body@x\r\n\r\nmore", "\r"), (lines, rest) => string.Concat(lines) + rest);

    [Fact]
    public void Every_split_passes_the_bytes_and_finds_the_same() => Gen.Select(Message, Gen.Int[1, 7], Gen.Bool).Sample((message, piece, adds) =>
    {
        Scan whole = Run(message, int.MaxValue, adds);
        Scan split = Run(message, piece, adds);
        Assert.Equal(whole, split);
        if (!adds) Assert.Equal(message, whole.Output);
        else Assert.Equal(message.Replace("\r\n", ""), whole.Output.Replace("Added: field\r\n", "").Replace("\r\n", ""));
    }, iter: 3000);

    [Theory]
    [InlineData("A: b\r\n\r\nbody", "A: b\r\nAdded: field\r\n\r\nbody")]
    [InlineData("A: b\r\n", "A: b\r\nAdded: field\r\n")]
    [InlineData("A: b", "A: b\r\nAdded: field\r\n")]
    [InlineData("", "Added: field\r\n")]
    [InlineData("\r\nbody", "Added: field\r\n\r\nbody")]
    [InlineData("no header\r\nat: all", "Added: field\r\n\r\nno header\r\nat: all")]
    [InlineData(" blank first\r\n", "Added: field\r\n\r\n blank first\r\n")]
    [InlineData("A: b\r\njunk line\r\nC: d\r\n\r\nx", "A: b\r\njunk line\r\nC: d\r\nAdded: field\r\n\r\nx")]
    public void Fields_go_in_at_the_end_of_the_header(string message, string expected) => Assert.Equal(expected, Run(message, int.MaxValue, true).Output);

    [Theory]
    [InlineData("Bcc: x\r\n y\r\nA: b\r\n\r\nBcc: body", "A: b\r\nAdded: field\r\n\r\nBcc: body")]
    [InlineData("A: b\r\nBcc: \u00e9", "A: b\r\nAdded: field\r\n")]
    [InlineData("Return-Path: <x>\r\n", "Added: field\r\n")]
    [InlineData("Bcc: x\r\n\r\nbody", "Added: field\r\n\r\nbody")]
    [InlineData("Bcc", "Added: field\r\n\r\nBcc")]
    [InlineData("Bcc: x\r\nBccc: y\r\nContent-Lengths: z\r\n\r\n", "Bccc: y\r\nContent-Lengths: z\r\nAdded: field\r\n\r\n")]
    public void Private_fields_are_taken_out_where_that_is_wanted(string message, string expected)
    {
        for (int piece = 1; piece <= message.Length; piece++)
        {
            Scan scan = Run(message, piece, true, drops: true);
            Assert.Equal(expected, scan.Output);
            Assert.False(scan.EightBit);
        }
    }

    [Fact]
    public void Hops_and_authors_are_counted_in_the_header_alone()
    {
        Scan scan = Run("Received: a\r\nreceived : b\r\nX: y\r\n Received: c\r\nFrom: a@b.c\r\n (d)\r\n\r\nReceived: body\r\nFrom: x@y.z\r\n", int.MaxValue, false);
        Assert.Equal(2, scan.Hops);
        Assert.Equal(1, scan.FromCount);
        Assert.Equal(" a@b.c\r\n (d)\r\n", scan.From);
    }

    // RFC 5322 section 4.5: blanks may stand before the colon, and readers take any number of them.
    [Theory]
    [InlineData(1)]
    [InlineData(124)]
    [InlineData(125)]
    [InlineData(1_000)]
    [InlineData(100_000)]
    public void Blanks_before_the_colon_hide_no_field(int blanks)
    {
        string gap = new(' ', blanks - 1);
        string message = string.Concat(((string[])["Received", "Delivered-To", "FROM", "From", "Date", "Message-ID"]).Select(name => $"{name}{gap}\t: ann@example.org\r\n")) + "\r\nbody";
        foreach (int piece in (int[])[7, int.MaxValue])
            Assert.Equal(new Scan(message, 1, 2, " ann@example.org\r\n", true, true, "ann@example.org", false), Run(message, piece, adds: false));
        foreach (string name in (string[])["Bcc", "Resent-Bcc", "Return-Path", "Content-Length"])
            Assert.Equal("A: b\r\nAdded: field\r\n\r\nx", Run($"A: b\r\n{name}{gap}\t: c\r\n d\r\n\r\nx", int.MaxValue, adds: true, drops: true).Output);
        foreach (string name in (string[])["DKIM-Signature", "TLS-Required"])
        {
            HeaderScanner scanner = new(1 << 20, null);
            scanner.Process(Encoding.ASCII.GetBytes($"{name}{gap}\t: No\r\n\r\n"), new ArrayBufferWriter<byte>());
            Assert.True(scanner.IsSigned || scanner.SaysTlsOptional, name);
        }
    }

    // What the checks on the way in do not see as a field must not be one for those who read the mail.
    [Fact]
    public void It_names_the_same_fields_as_the_reader_of_stored_mail()
    {
        string[] pieces = ["From", "from", "Date", "Message-ID", "Received", ":", ": ", "\r\n", "\n", "\r", " ", "\t", "\r\n ", "x", "\0", "\u007f", "\u00e9", .. Enumerable.Range(120, 10).Select(static count => new string(' ', count))];
        Gen.Int[0, pieces.Length - 1].Select(i => pieces[i]).Array[0, 20].Select(string.Concat).Sample(message =>
        {
            Dictionary<string, int> seen = new(StringComparer.OrdinalIgnoreCase);
            foreach (Mime.HeaderField field in new Mime.HeaderReader(Encoding.Latin1.GetBytes(message)))
            {
                string name = Encoding.Latin1.GetString(field.Name);
                seen[name] = seen.GetValueOrDefault(name) + 1;
            }
            Scan scan = Run(message, int.MaxValue, adds: false);
            Assert.Equal((seen.GetValueOrDefault("From"), seen.GetValueOrDefault("Received"), seen.ContainsKey("Date"), seen.ContainsKey("Message-ID")), (scan.FromCount, scan.Hops, scan.Date, scan.MessageId));
        }, iter: 20_000);
    }

    [Fact]
    public void A_header_over_the_limit_is_told()
    {
        HeaderScanner scanner = new(100, null);
        ArrayBufferWriter<byte> output = new();
        scanner.Process(Encoding.ASCII.GetBytes("X: " + new string('x', 98)), output);
        Assert.True(scanner.IsTooLarge);
        HeaderScanner fits = new(100, null);
        fits.Process(Encoding.ASCII.GetBytes("X: " + new string('x', 97)), output);
        Assert.False(fits.IsTooLarge);
    }

    private static Scan Run(string message, int piece, bool adds, bool drops = false)
    {
        byte[] bytes = Encoding.Latin1.GetBytes(message);
        ArrayBufferWriter<byte> output = new();
        HeaderScanner scanner = new(1 << 20, adds ? (_, o) => o.Write("Added: field\r\n"u8) : null, drops);
        for (int at = 0; at < bytes.Length;)
        {
            ReadOnlySpan<byte> part = bytes.AsSpan(at, Math.Min(piece, bytes.Length - at));
            at += part.Length;
            if (scanner.InHeader) part = part[scanner.Process(part, output)..];
            output.Write(part);
        }
        scanner.Complete(output);
        return new(Encoding.Latin1.GetString(output.WrittenSpan), scanner.Hops, scanner.FromCount, Encoding.Latin1.GetString(scanner.From.Span), scanner.HasDate, scanner.HasMessageId, string.Join(' ', scanner.DeliveredTo), scanner.HasEightBit);
    }

    private sealed record Scan(string Output, int Hops, int FromCount, string From, bool Date, bool MessageId, string DeliveredTo, bool EightBit);
}
