using System.Buffers;
using System.Text;
using CsCheck;

namespace Posthorn.Mime.Tests;

/// <summary>What must hold for any bytes.</summary>
public class PropertyTests
{
    // Pieces that a message is made of, whole, broken and hostile.
    private static readonly string[] Pieces =
    [
        "\r\n", "\r\n", "\r\n\r\n", "\n", "\r", " ", "\t", "\0", "\u00c3\u00a9", "\u00ff", "(", ")", "\"", "\\", "<", ">", "@", ",", ";", ":", "=", "[", "]", "{5}", "*",
        "--", "--a", "\r\n--a\r\n", "\r\n--a--\r\n", "\r\n--ab\r\n", "\r\n--ab--\r\n", "\n--a\n", "a", "b", "x y",
        "Content-Type: ", "Content-Type: multipart/mixed; boundary=a\r\n", "Content-Type: multipart/digest; boundary=\"ab\"\r\n", "Content-Type: message/rfc822\r\n\r\n",
        "Content-Type: text/html; charset=utf-8\r\n", "text/plain", "multipart/", "; name*0*=utf-8''%41", "; name*1=b", "; charset=x", "; boundary=", "name*5=z",
        "Content-Transfer-Encoding: ", "base64", "quoted-printable", "x-uuencode\r\n", "begin 644 x\r\n", "QUJD", "=41", "=\r\n", "Content-Disposition: attachment", "; filename=\"a\\\"",
        "Content-Language: en, de\r\n", "Content-ID: <x@y>\r\n", "Content-MD5: z\r\n", "From: ", "To: ", "Sender: ", "Reply-To: ", "Cc: ", "Subject: ", "Date: ", "Message-ID: ", "In-Reply-To: ", "References: ",
        "=?utf-8?q?=C3=A9?=", "=?", "?=", "?b?", "=?iso-2022-jp?b?GyRC", "undisclosed-recipients:;", "Mon, 2 Jan 2006 15:04:05 -0700", "Re: ", "[fwd: ", "(fwd)", "[list] ",
    ];

    private static readonly Gen<byte[]> Message = Gen.Int[0, Pieces.Length - 1].Array[0, 60].Select(picks => MimeText.Bytes(string.Concat(picks.Select(i => Pieces[i]))));

    [Fact]
    public void AnyMessageParsesNestsAndIsToldLegally() => Message.Sample(Invariants.Hold, iter: 20_000, print: Encoding.Latin1.GetString);

    [Fact]
    public void AnyBytesParse() => Gen.Byte.Array[0, 200].Sample(Invariants.Hold, iter: 5_000);

    [Fact]
    public void LfAndCrlfAgree() => Message.Select(m => Encoding.Latin1.GetString(m).Replace("\r", "")).Sample(text =>
    {
        byte[] lf = MimeText.Bytes(text), crlf = MimeText.Crlf(text);
        Assert.Equal(MimeText.BodyStructure(crlf), MimeText.BodyStructure(lf));
        Assert.Equal(MimeText.Envelope(crlf), MimeText.Envelope(lf));
        MimeStructure ours = MimeStructure.Parse(lf, MimeLimits.Default), theirs = MimeStructure.Parse(crlf, MimeLimits.Default);
        Assert.Equal(crlf.Length, ours.WireLength);
        Assert.Equal(theirs.Count, ours.Count);
        for (int i = 0; i < ours.Count; i++)
        {
            MimePart part = new(ours, i), other = new(theirs, i);
            Assert.Equal(other.HeaderLength, part.WireHeaderLength);
            ArrayBufferWriter<byte> shown = new();
            CrlfText.Write(part.Body(lf), shown);
            Assert.Equal(other.Body(crlf).ToArray(), shown.WrittenSpan.ToArray());
            Assert.Equal(shown.WrittenCount, part.WireBodyLength);
            Assert.Equal(shown.WrittenCount, CrlfText.Length(part.Body(lf)));
        }
    }, iter: 10_000);

    [Fact]
    public void DamagedStructuresAreRefusedOrHold() => Gen.Select(Message, Gen.Int[0, 1000], Gen.Byte).Sample((message, at, value) =>
    {
        ArrayBufferWriter<byte> output = new();
        MimeStructure.Parse(message, MimeLimits.Default).WriteTo(output);
        byte[] bytes = output.WrittenSpan.ToArray();
        Assert.Null(MimeStructure.TryRead(bytes.AsSpan(0, bytes.Length - 1)));
        bytes[at % bytes.Length] = value;
        if (MimeStructure.TryRead(bytes) is { } back) Invariants.Walk(back.Root);
    }, iter: 10_000);

    [Theory]
    [InlineData(TransferEncoding.Base64)]
    [InlineData(TransferEncoding.QuotedPrintable)]
    [InlineData(TransferEncoding.UuEncode)]
    public void ChunksDecodeLikeTheWhole(TransferEncoding encoding) => Gen.Select(Message, Gen.Int[1, 7].Array[1, 20]).Sample((body, cuts) =>
    {
        ArrayBufferWriter<byte> whole = new(), pieces = new();
        TransferDecoder.DecodeAll(encoding, body, whole);
        TransferDecoder decoder = new(encoding);
        ReadOnlySpan<byte> rest = body;
        for (int i = 0; !rest.IsEmpty; i++)
        {
            int take = Math.Min(cuts[i % cuts.Length], rest.Length);
            decoder.Decode(rest[..take], false, pieces);
            rest = rest[take..];
        }
        decoder.Decode(default, true, pieces);
        Assert.Equal(Encoding.Latin1.GetString(whole.WrittenSpan), Encoding.Latin1.GetString(pieces.WrittenSpan));
    }, iter: 5_000);

    [Fact]
    public void Base64OfAnyBytesComesBack() => Gen.Byte.Array[0, 300].Sample(bytes =>
    {
        ArrayBufferWriter<byte> back = new();
        TransferDecoder.DecodeAll(TransferEncoding.Base64, MimeText.Bytes(Convert.ToBase64String(bytes, Base64FormattingOptions.InsertLineBreaks)), back);
        Assert.Equal(bytes, back.WrittenSpan.ToArray());
    });
}

/// <summary>The invariants of a parsed message.</summary>
internal static class Invariants
{
    public static void Hold(byte[] message)
    {
        MimeStructure structure = MimeStructure.Parse(message, MimeLimits.Default);
        Assert.Equal(message.Length, structure.Length);
        Walk(structure.Root);
        ImapChecker.Envelope(MimeText.Envelope(message));
        string extended = MimeText.BodyStructure(message);
        ImapChecker.Body(extended, extended: true);
        ImapChecker.Body(MimeText.BodyStructure(message, extended: false), extended: false);

        ArrayBufferWriter<byte> output = new();
        structure.WriteTo(output);
        MimeStructure back = MimeStructure.Read(output.WrittenSpan);
        ArrayBufferWriter<byte> again = new();
        back.WriteTo(again);
        Assert.Equal(output.WrittenSpan.ToArray(), again.WrittenSpan.ToArray());
        ArrayBufferWriter<byte> text = new();
        BodyStructureWriter.Write(back, message, true, MimeLimits.Default, text);
        Assert.Equal(extended, Encoding.Latin1.GetString(text.WrittenSpan));
        ReadTexts(message, structure);
    }

    private static void ReadTexts(byte[] message, MimeStructure structure)
    {
        ReadOnlySpan<byte> header = structure.Root.Header(message);
        foreach (HeaderField field in new HeaderReader(header))
        {
            Assert.NotNull(EncodedWord.Decode(field.RawValue));
            Assert.NotNull(AddressList.Parse(field.RawValue, MimeLimits.Default));
            Assert.NotNull(BaseSubject.Of(field.RawValue, MimeLimits.Default).Text);
            Assert.NotNull(MessageIds.Parse(field.RawValue));
            MimeParameters.Get(field.RawValue, "name"u8, MimeLimits.Default);
            MailDate.TryParse(field.RawValue, out _);
        }
        Assert.False(MessageText.Contains(message, structure, TextScope.All, new TextMatcher("no such text"), MimeLimits.Default));
        Assert.True(Preview.Make(message, structure, MimeLimits.Default).EnumerateRunes().Count() <= Preview.MaxCharacters);
    }

    /// <summary>Children lie inside their parent's body, in order, without overlap.</summary>
    public static void Walk(MimePart part)
    {
        int at = part.BodyOffset;
        int end = part.BodyOffset + part.BodyLength;
        bool any = false;
        foreach (MimePart child in part.Children)
        {
            any = true;
            Assert.InRange(child.HeaderOffset, at, end);
            at = child.BodyOffset + child.BodyLength;
            Assert.InRange(at, child.HeaderOffset, end);
            Walk(child);
        }
        Assert.Equal(part.Kind is PartKind.Multipart or PartKind.Message, any);
    }
}
