using System.Buffers;
using System.Text;

namespace Posthorn.Mime.Tests;

/// <summary>Short ways to say messages and their IMAP texts.</summary>
internal static class MimeText
{
    public static byte[] Bytes(string text) => Encoding.Latin1.GetBytes(text);

    /// <summary>The text with each LF turned to CRLF.</summary>
    public static byte[] Crlf(string text) => Bytes(text.Replace("\r\n", "\n").Replace("\n", "\r\n"));

    public static byte[] Crlf(byte[] text) => Crlf(Encoding.Latin1.GetString(text));

    public static string Envelope(byte[] message, MimeLimits? limits = null)
    {
        ArrayBufferWriter<byte> output = new();
        MimeStructure structure = MimeStructure.Parse(message, limits ?? MimeLimits.Default);
        EnvelopeWriter.Write(structure.Root.Header(message), limits ?? MimeLimits.Default, output);
        return Encoding.Latin1.GetString(output.WrittenSpan);
    }

    public static string BodyStructure(byte[] message, bool extended = true, MimeLimits? limits = null)
    {
        ArrayBufferWriter<byte> output = new();
        MimeStructure structure = MimeStructure.Parse(message, limits ?? MimeLimits.Default);
        BodyStructureWriter.Write(structure, message, extended, limits ?? MimeLimits.Default, output);
        return Encoding.Latin1.GetString(output.WrittenSpan);
    }

    public static string Section(byte[] message, string section)
    {
        if (!SectionPath.TryParse(Bytes(section), out SectionPath path)) return "BAD";
        if (!path.TryResolve(MimeStructure.Parse(message, MimeLimits.Default), out SectionRange range)) return "NIL";
        ReadOnlySpan<byte> bytes = range.Of(message);
        if (path.Text is not (SectionText.HeaderFields or SectionText.HeaderFieldsNot)) return Encoding.Latin1.GetString(bytes);
        ArrayBufferWriter<byte> output = new();
        HeaderFields.Select(bytes, path.FieldNames, path.Text == SectionText.HeaderFieldsNot, output);
        return Encoding.Latin1.GetString(output.WrittenSpan);
    }
}
