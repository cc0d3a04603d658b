using System.Buffers;
using System.Text;
using Microsoft.Extensions.Logging;
using Posthorn.Mime;
using Posthorn.Store.Changes;

namespace Posthorn.Store;

/// <summary>What a store keeps about a message's content, computed once when it comes in.</summary>
public sealed class MessageFacts
{
    // Kept for the next message of the thread, unless a strange one blew it up.
    private const int KeptScratch = 64 * 1024;

    /// <summary>Characters of one text of the sort keys. Nobody sees the order of subjects that are the same for so long, and all keys of a mailbox are in memory when it is sorted.</summary>
    internal const int SortText = 1_000;

    [ThreadStatic]
    private static ArrayBufferWriter<byte>? s_scratch;

    private readonly byte[] _all;
    private readonly int[] _ends;

    private MessageFacts(byte[] all, int[] ends, long wireLength, SortKeys sort) => (_all, _ends, WireLength, Sort) = (all, ends, wireLength, sort);

    /// <summary>Octets with CRLF line ends: RFC822.SIZE.</summary>
    public long WireLength { get; }

    /// <summary>The ENVELOPE, ready for the wire.</summary>
    public ReadOnlyMemory<byte> Envelope => Part(0);

    /// <summary>BODY, ready for the wire.</summary>
    public ReadOnlyMemory<byte> Body => Part(1);

    /// <summary>BODYSTRUCTURE, ready for the wire.</summary>
    public ReadOnlyMemory<byte> BodyStructure => Part(2);

    /// <summary>The part tree, as <see cref="MimeStructure.Read"/> takes it.</summary>
    public ReadOnlyMemory<byte> Structure => Part(3);

    /// <summary>The preview, UTF-8 (RFC 8970).</summary>
    public ReadOnlyMemory<byte> Preview => Part(4);

    /// <summary>What SORT and THREAD compare.</summary>
    public SortKeys Sort { get; }

    /// <summary>The octets in memory.</summary>
    internal int Size => _all.Length;

    /// <summary>Nothing but the length is known: what is asked for is made from the message each time.</summary>
    internal static MessageFacts Unknown(long wireLength) => new([], new int[5], wireLength, new(null, "", false, "", "", "", "", "", "", []));

    /// <summary>Reads a whole message.</summary>
    public static MessageFacts Of(ReadOnlyMemory<byte> message, MimeLimits limits)
    {
        ReadOnlySpan<byte> text = message.Span;
        MimeStructure structure = MimeStructure.Parse(text, limits);
        // Readers get CRLF, so that offsets count that.
        if (structure.WireLength != text.Length) return Of(LineEnds.ToCrlf(text, structure.WireLength), limits);
        ReadOnlySpan<byte> header = structure.Root.Header(text);
        int[] ends = new int[5];
        ArrayBufferWriter<byte> all = s_scratch ?? new(4096);
        s_scratch = null;
        EnvelopeWriter.Write(header, limits, all);
        ends[0] = all.WrittenCount;
        BodyStructureWriter.Write(structure, text, extended: false, limits, all);
        ends[1] = all.WrittenCount;
        BodyStructureWriter.Write(structure, text, extended: true, limits, all);
        ends[2] = all.WrittenCount;
        structure.WriteTo(all);
        ends[3] = all.WrittenCount;
        Encoding.UTF8.GetBytes(Mime.Preview.Make(message, structure, limits), all);
        ends[4] = all.WrittenCount;
        MessageFacts facts = new(all.WrittenSpan.ToArray(), ends, structure.WireLength, KeysOf(header, limits));
        all.ResetWrittenCount();
        if (all.Capacity <= KeptScratch) s_scratch = all;
        return facts;
    }

    /// <summary>As above, but whatever goes wrong costs this message's facts alone: what has come in must get into its mailbox, or nothing behind it would.</summary>
    [System.Diagnostics.CodeAnalysis.SuppressMessage("Design", "CA1031:Do not catch general exception types", Justification = "It is logged; what is asked of the message is made from it then.")]
    internal static MessageFacts OfAny(ReadOnlyMemory<byte> message, MimeLimits limits, ILogger log)
    {
        try
        {
            return Of(message, limits);
        }
        catch (Exception problem)
        {
            log.FactsUnknown(problem, message.Length);
            return Unknown(CrlfText.Length(message.Span));
        }
    }

    /// <summary>The sort keys as a catalogue keeps them.</summary>
    internal static byte[] Write(SortKeys keys)
    {
        ChangeWriter to = new(256);
        to.Byte(1);
        to.Number(keys.Sent?.ToUnixTimeSeconds() ?? long.MinValue);
        to.Number(keys.Sent is { } sent ? (long)sent.Offset.TotalMinutes : 0);
        to.Byte(keys.IsReply ? (byte)1 : (byte)0);
        foreach (string text in (ReadOnlySpan<string>)[keys.BaseSubject, keys.From, keys.To, keys.Cc, keys.DisplayFrom, keys.DisplayTo, keys.MessageId]) to.Text(text);
        to.Number(keys.References.Count);
        foreach (string reference in keys.References) to.Text(reference);
        return to.End();
    }

    /// <summary>The sort keys as <see cref="Write"/> wrote them.</summary>
    internal static SortKeys ReadKeys(ReadOnlyMemory<byte> bytes)
    {
        ChangeReader from = new(bytes);
        from.Byte();
        long seconds = from.Number(), zone = from.Number();
        bool reply = from.Byte() == 1;
        string[] texts = new string[7];
        for (int i = 0; i < texts.Length; i++) texts[i] = from.Text();
        string[] references = new string[from.Count()];
        for (int i = 0; i < references.Length; i++) references[i] = from.Text();
        DateTimeOffset? sent = seconds == long.MinValue ? null : DateTimeOffset.FromUnixTimeSeconds(seconds).ToOffset(TimeSpan.FromMinutes(zone));
        return new(sent, texts[0], reply, texts[1], texts[2], texts[3], texts[4], texts[5], texts[6], references);
    }

    private static SortKeys KeysOf(ReadOnlySpan<byte> header, MimeLimits limits)
    {
        // Of repeated fields the first counts, as in the ENVELOPE.
        BaseSubject? subject = null;
        DateTimeOffset? sent = null;
        (string Mailbox, string Display)? from = null, to = null, cc = null;
        HeaderReader reader = new(header);
        for (int fields = 0; reader.MoveNext() && fields < limits.MaxHeaderFields && reader.Position <= limits.MaxHeaderBytes; fields++)
        {
            HeaderField field = reader.Current;
            if (field.Is("Subject"u8)) subject ??= BaseSubject.Of(field.RawValue, limits);
            else if (field.Is("Date"u8) && sent is null && MailDate.TryParse(field.RawValue, out DateTimeOffset date)) sent = date;
            else if (field.Is("From"u8)) from ??= First(field.RawValue, limits);
            else if (field.Is("To"u8)) to ??= First(field.RawValue, limits);
            else if (field.Is("Cc"u8)) cc ??= First(field.RawValue, limits);
        }

        BaseSubject about = subject ?? new("", false);
        return new(sent, Key(about.Text), about.IsReplyOrForward, from?.Mailbox ?? "", to?.Mailbox ?? "", cc?.Mailbox ?? "", from?.Display ?? "", to?.Display ?? "",
            MessageIds.Own(header, limits) ?? "", MessageIds.References(header, limits));
    }

    private static (string Mailbox, string Display) First(ReadOnlySpan<byte> value, MimeLimits limits)
    {
        IReadOnlyList<MailAddress> list = AddressList.Parse(value, limits);
        if (list.Count == 0) return ("", "");
        MailAddress first = list[0];
        return (Key(first.Mailbox), Key(first.Name.Length > 0 ? first.Name : first.Address));
    }

    private static string Key(string text) => TextMatcher.Fold(text.Length <= SortText ? text : text[..SortText]);

    private ReadOnlyMemory<byte> Part(int index) => _all.AsMemory((index == 0 ? 0 : _ends[index - 1])..(_ends[index]));
}
