using System.Collections.Immutable;
using System.Text;
using Posthorn.Imap.Wire;
using Posthorn.Mime;
using Posthorn.Store;

namespace Posthorn.Imap.Commands;

/// <summary>One thing that FETCH is asked for (RFC 9051 section 6.4.5).</summary>
internal abstract record FetchItem
{
    private FetchItem() { }

    /// <summary>What of the stored summary it needs.</summary>
    public virtual SummaryFields Needs => SummaryFields.None;

    /// <summary>Reading it marks the message seen.</summary>
    public virtual bool SetsSeen => false;

    /// <summary>Something that the row or the summary holds.</summary>
    public sealed record Simple(SimpleItem Item, SummaryFields Fields) : FetchItem
    {
        public override SummaryFields Needs => Fields;
    }

    /// <summary>Octets of the message: <c>BODY[…]</c>, <c>RFC822</c> and their kin.</summary>
    /// <param name="Path">Which.</param>
    /// <param name="Label">The item's name as it is repeated in the answer.</param>
    /// <param name="Peek">Reading does not set <c>\Seen</c>.</param>
    /// <param name="Partial">Only a piece: its first octet and its length.</param>
    public sealed record Section(SectionPath Path, ReadOnlyMemory<byte> Label, bool Peek, (long Offset, long Count)? Partial) : FetchItem
    {
        public override SummaryFields Needs => Path.Equals(SectionPath.Whole) ? SummaryFields.None : SummaryFields.Structure;
        public override bool SetsSeen => !Peek;

        // By what the label says: nothing is told twice in one response.
        public bool Equals(Section? other) => other is not null && Peek == other.Peek && Partial == other.Partial && Label.Span.SequenceEqual(other.Label.Span);

        public override int GetHashCode() => HashCode.Combine(Peek, Partial, Label.Length);
    }

    /// <summary>A decoded part: <c>BINARY[…]</c>, or its size (RFC 3516).</summary>
    public sealed record Binary(SectionPath Path, ReadOnlyMemory<byte> Label, bool Peek, bool SizeOnly, (long Offset, long Count)? Partial) : FetchItem
    {
        public override SummaryFields Needs => SummaryFields.Structure;
        public override bool SetsSeen => !Peek && !SizeOnly;
    }
}

/// <summary>The items that are a word.</summary>
internal enum SimpleItem
{
    Flags,
    InternalDate,
    Size,
    Uid,
    ModSeq,
    Envelope,
    Body,
    BodyStructure,
    EmailId,
    ThreadId,
    SaveDate,
    Preview,
}

/// <summary>The grammar of FETCH's items.</summary>
/// <remarks><c>"ALL" / "FULL" / "FAST" / fetch-att / "(" fetch-att *(SP fetch-att) ")"</c></remarks>
internal static class FetchItems
{
    public static FetchItem Flags { get; } = new FetchItem.Simple(SimpleItem.Flags, SummaryFields.None);
    public static FetchItem Uid { get; } = new FetchItem.Simple(SimpleItem.Uid, SummaryFields.None);
    public static FetchItem ModSeq { get; } = new FetchItem.Simple(SimpleItem.ModSeq, SummaryFields.None);
    private static readonly FetchItem InternalDate = new FetchItem.Simple(SimpleItem.InternalDate, SummaryFields.None);
    private static readonly FetchItem Size = new FetchItem.Simple(SimpleItem.Size, SummaryFields.None);
    private static readonly FetchItem Envelope = new FetchItem.Simple(SimpleItem.Envelope, SummaryFields.Envelope);
    private static readonly FetchItem Body = new FetchItem.Simple(SimpleItem.Body, SummaryFields.Body);
    private static readonly FetchItem BodyStructure = new FetchItem.Simple(SimpleItem.BodyStructure, SummaryFields.BodyStructure);
    private static readonly FetchItem EmailId = new FetchItem.Simple(SimpleItem.EmailId, SummaryFields.Ids);
    private static readonly FetchItem ThreadId = new FetchItem.Simple(SimpleItem.ThreadId, SummaryFields.Ids);
    private static readonly FetchItem SaveDate = new FetchItem.Simple(SimpleItem.SaveDate, SummaryFields.SaveDate);
    private static readonly FetchItem Preview = new FetchItem.Simple(SimpleItem.Preview, SummaryFields.Preview);

    public static List<FetchItem> Parse(ref ImapReader args)
    {
        if (args.TryWord("ALL"u8)) return [Flags, InternalDate, Size, Envelope];
        if (args.TryWord("FAST"u8)) return [Flags, InternalDate, Size];
        if (args.TryWord("FULL"u8)) return [Flags, InternalDate, Size, Envelope, Body];
        List<FetchItem> items = [];
        bool list = args.TryTake((byte)'(');
        do
        {
            FetchItem item = ParseItem(ref args);
            if (!items.Contains(item)) items.Add(item);
            if (items.Count > args.Dialect.Limits.MaxFetchItems) args.Fail("fewer items");
        }
        while (list && args.TrySpace());
        if (list) args.Take((byte)')');
        return items;
    }

    /// <summary>The items of something that is told unasked: nothing of it marks a message seen.</summary>
    public static IEnumerable<FetchItem> ParseUnasked(ref ImapReader args) => Parse(ref args).Select(item => item switch
    {
        FetchItem.Section section => section with { Peek = true },
        FetchItem.Binary binary => binary with { Peek = true },
        _ => item,
    });

    private static FetchItem ParseItem(ref ImapReader args)
    {
        if (args.TryWord("FLAGS"u8)) return Flags;
        if (args.TryWord("UID"u8)) return Uid;
        if (args.TryWord("INTERNALDATE"u8)) return InternalDate;
        if (args.TryWord("ENVELOPE"u8)) return Envelope;
        if (args.TryWord("BODYSTRUCTURE"u8)) return BodyStructure;
        if (args.TryWord("RFC822.SIZE"u8)) return Size;
        if (args.TryWord("MODSEQ"u8)) return ModSeq;
        if (args.TryWord("EMAILID"u8)) return EmailId;
        if (args.TryWord("THREADID"u8)) return ThreadId;
        if (args.TryWord("SAVEDATE"u8)) return SaveDate;
        if (args.TryWord("PREVIEW"u8)) return ParsePreview(ref args);
        if (args.TryWord("RFC822"u8)) return Old("RFC822", SectionPath.Whole, peek: false);
        if (args.TryWord("RFC822.HEADER"u8)) return Old("RFC822.HEADER", new([], SectionText.Header, []), peek: true);
        if (args.TryWord("RFC822.TEXT"u8)) return Old("RFC822.TEXT", new([], SectionText.Text, []), peek: false);
        if (args.TryWord("BODY.PEEK"u8)) return ParseSection(ref args, peek: true);
        if (args.TryWord("BODY"u8)) return args.Next == '[' ? ParseSection(ref args, peek: false) : Body;
        if (args.TryWord("BINARY.PEEK"u8)) return ParseBinary(ref args, peek: true, sizeOnly: false);
        if (args.TryWord("BINARY.SIZE"u8)) return ParseBinary(ref args, peek: true, sizeOnly: true);
        if (args.TryWord("BINARY"u8)) return ParseBinary(ref args, peek: false, sizeOnly: false);
        args.Fail("a fetch item");
        return Flags;
    }

    // RFC 8970 section 3.2: LAZY allows NIL; previews are kept ready here, so nobody needs to wait for one.
    private static FetchItem ParsePreview(ref ImapReader args)
    {
        if (args.Next == ' ' && args.Second == '(')
        {
            args.Space();
            args.Take((byte)'(');
            if (!args.TryWord("LAZY"u8)) args.Fail("LAZY");
            args.Take((byte)')');
        }
        return Preview;
    }

    private static FetchItem.Section Old(string label, SectionPath path, bool peek) => new(path, Encoding.ASCII.GetBytes(label), peek, null);

    private static FetchItem.Section ParseSection(ref ImapReader args, bool peek)
    {
        StringBuilder label = new("BODY[");
        args.Take((byte)'[');
        SectionPath path = ParsePath(ref args, label);
        args.Take((byte)']');
        label.Append(']');
        (long, long)? partial = ParsePartial(ref args, label, mayLackCount: false);
        return new FetchItem.Section(path, Encoding.UTF8.GetBytes(label.ToString()), peek, partial);
    }

    // Headers and texts have no encoding to take off; Dovecot takes them here, so its clients may ask.
    private static FetchItem.Binary ParseBinary(ref ImapReader args, bool peek, bool sizeOnly)
    {
        StringBuilder label = new(sizeOnly ? "BINARY.SIZE[" : "BINARY[");
        args.Take((byte)'[');
        SectionPath path = ParsePath(ref args, label);
        args.Take((byte)']');
        label.Append(']');
        (long, long)? partial = sizeOnly ? null : ParsePartial(ref args, label, mayLackCount: true);
        return new FetchItem.Binary(path, Encoding.ASCII.GetBytes(label.ToString()), peek, sizeOnly, partial);
    }

    // section-spec = section-msgtext / (section-part ["." section-text])
    private static SectionPath ParsePath(ref ImapReader args, StringBuilder label)
    {
        ImmutableArray<uint> numbers = ParseNumbers(ref args, label);
        if (args.Next == ']') return numbers.IsEmpty ? SectionPath.Whole : new(numbers, SectionText.None, []);
        string word = Encoding.ASCII.GetString(args.Word()).ToUpperInvariant();
        SectionText text = word switch
        {
            "HEADER" => SectionText.Header,
            "HEADER.FIELDS" => SectionText.HeaderFields,
            "HEADER.FIELDS.NOT" => SectionText.HeaderFieldsNot,
            "TEXT" => SectionText.Text,
            "MIME" when !numbers.IsEmpty => SectionText.Mime,
            _ => SectionText.None,
        };
        if (text == SectionText.None) args.Fail("a section");
        label.Append(word);
        return new(numbers, text, text is SectionText.HeaderFields or SectionText.HeaderFieldsNot ? ParseNames(ref args, label) : []);
    }

    // Numbers up to the last dot before a word, which goes into the label with them.
    private static ImmutableArray<uint> ParseNumbers(ref ImapReader args, StringBuilder label)
    {
        ImmutableArray<uint>.Builder numbers = ImmutableArray.CreateBuilder<uint>();
        while (char.IsAsciiDigit((char)args.Next))
        {
            uint number = args.NzNumber();
            numbers.Add(number);
            label.Append(System.Globalization.CultureInfo.InvariantCulture, $"{number}");
            if (numbers.Count > MimeLimits.DepthCeiling * 2) args.Fail("fewer part numbers");
            if (!args.TryTake((byte)'.')) break;
            label.Append('.');
            if (args.Next == ']') args.Fail("a part number or a word");
        }
        return numbers.DrainToImmutable();
    }

    private static ImmutableArray<string> ParseNames(ref ImapReader args, StringBuilder label)
    {
        ImmutableArray<string>.Builder names = ImmutableArray.CreateBuilder<string>();
        args.Space();
        args.Take((byte)'(');
        do
        {
            ReadOnlySpan<byte> name = args.AString();
            if (name.IsEmpty || name.ContainsAnyExceptInRange((byte)33, (byte)126) || name.ContainsAny("\"\\:{"u8)) args.Fail("a header name");
            names.Add(Encoding.ASCII.GetString(name));
            if (names.Count > args.Dialect.Limits.MaxHeaderNames) args.Fail("fewer header names");
        }
        while (args.TrySpace());
        args.Take((byte)')');
        label.Append(" (").AppendJoin(' ', names.Select(Quoted)).Append(')');
        return names.DrainToImmutable();
    }

    private static string Quoted(string name) => name.AsSpan().ContainsAny("()%*]") ? $"\"{name}\"" : name;

    // BINARY[1]<15> without a length is no grammar, but clients that know Dovecot ask so for all that follows.
    private static (long, long)? ParsePartial(ref ImapReader args, StringBuilder label, bool mayLackCount)
    {
        if (!args.TryTake((byte)'<')) return null;
        long offset = args.Number64();
        long count = long.MaxValue;
        if (!mayLackCount || args.Next != '>')
        {
            args.Take((byte)'.');
            count = args.Number64();
        }
        if (count == 0) args.Fail("a length above 0");
        args.Take((byte)'>');
        label.Append(System.Globalization.CultureInfo.InvariantCulture, $"<{offset}>");
        return (offset, count);
    }
}
