using Posthorn.Sieve.Running;

namespace Posthorn.Sieve.Messages;

/// <summary>The message during one run: the original under the edits of the script so far, with decoded fields kept.</summary>
internal sealed class MessageView
{
    private readonly ISieveMessage _original;
    private readonly SieveMessageParser? _parser;
    private readonly SieveLimits _limits;
    private readonly Dictionary<ISievePart, List<HeaderField>> _partFields = [];
    private ISieveMessage _message;
    private List<HeaderField>? _fields;
    private bool _headerEdited;
    private SieveImage? _image;

    public MessageView(ISieveMessage message, SieveMessageParser? parser, SieveLimits limits)
    {
        _original = _message = message;
        _parser = parser;
        _limits = limits;
    }

    public ISieveMessage Message => _message;

    /// <summary>The original, whatever was edited: for reports about the message as it came (RFC 5293 section 7).</summary>
    public ISieveMessage Original => _original;

    /// <summary>The fields of the message's own header as they are now.</summary>
    public List<HeaderField> Fields => _fields ??= Split(_message.Root);

    /// <summary>Counts how often the structure has been made anew; loops over parts compare it.</summary>
    public int Generation { get; private set; }

    public List<HeaderField> FieldsOf(ISievePart part)
    {
        if (ReferenceEquals(part, _message.Root)) return Fields;
        if (!_partFields.TryGetValue(part, out List<HeaderField>? fields)) _partFields[part] = fields = Split(part);
        return fields;
    }

    /// <summary>The first field of that name, or null.</summary>
    public HeaderField? First(string name)
    {
        foreach (HeaderField field in Fields)
            if (field.IsNamed(name)) return field;
        return null;
    }

    /// <summary>The message as it is now; the same object as long as nothing changes.</summary>
    public SieveImage Image
    {
        get
        {
            if (_image is not null) return _image;
            if (!_headerEdited) return _image = new(_message, ReferenceEquals(_message, _original));
            using MemoryStream header = new();
            foreach (HeaderField one in Fields) header.Write(one.Raw.Span);
            header.Write(NewLine);
            return _image = new(_message, header.ToArray(), _message.Root.BodyStart);
        }
    }

    /// <summary>The message before it was enclosed: what redirect sends (RFC 5703 section 6).</summary>
    public SieveImage? BeforeEnclosing { get; set; }

    /// <summary>The line end of this message.</summary>
    public ReadOnlySpan<byte> NewLine
    {
        get
        {
            ReadOnlySpan<byte> header = HeaderOf(_message.Root).Span;
            int lf = header.IndexOf((byte)'\n');
            return lf > 0 && header[lf - 1] != '\r' || lf == 0 ? "\n"u8 : "\r\n"u8;
        }
    }

    public void AddField(string name, string value, bool last)
    {
        byte[] raw = HeaderWriter.Field(name, value, NewLine);
        HeaderField field = HeaderField.Split(raw, _message, 1)[0];
        Fields.Insert(last ? Fields.Count : 0, field);
        Touch();
    }

    public void RemoveFields(Predicate<HeaderField> choose)
    {
        if (Fields.RemoveAll(choose) > 0) Touch();
    }

    private void Touch()
    {
        _headerEdited = true;
        _image = null;
    }

    /// <summary>Puts other octets in the place of a part, or of the whole message when that is null.</summary>
    public void Replace(ISievePart? part, ReadOnlySpan<byte> octets)
    {
        if (part is null || ReferenceEquals(part, _message.Root))
        {
            Become(octets.ToArray());
            return;
        }
        // Header edits so far go into the new octets, which moves the part by as much as the header grew.
        ReadOnlyMemory<byte> now = Image.ToBytes();
        long shift = _headerEdited ? Image.Header.Length - Image.BodyOffset : 0;
        int start = (int)(part.Start + shift);
        int end = (int)(part.End + shift);
        byte[] all = new byte[now.Length - (end - start) + octets.Length];
        now.Span[..start].CopyTo(all);
        octets.CopyTo(all.AsSpan(start));
        now.Span[end..].CopyTo(all.AsSpan(start + octets.Length));
        Become(all);
    }

    /// <summary>Goes on with another message.</summary>
    public void Become(byte[] octets)
    {
        if (octets.Length > _limits.MaxEditedSize)
            throw new SieveRunException("the changed message is larger than allowed", SieveFailure.Limit);
        if (_parser is null) throw new SieveRunException("this host cannot change messages");
        _message = _parser(octets);
        _fields = null;
        _headerEdited = false;
        _image = null;
        _partFields.Clear();
        Generation++;
    }

    public ReadOnlyMemory<byte> HeaderOf(ISievePart part) => _message.Read(part.Start, part.BodyStart - part.Start);

    /// <summary>Octets of the message as it is now, with CRLF line ends: what the size test sees (RFC 5293 section 7).</summary>
    public long Size => _message.Size + (_headerEdited ? WireLength(Image.Header.Span) - WireLength(HeaderOf(_message.Root).Span) : 0);

    private static long WireLength(ReadOnlySpan<byte> text)
    {
        long length = text.Length;
        for (int i = 0; i < text.Length; i++)
            if (text[i] == '\n' && (i == 0 || text[i - 1] != '\r')) length++;
        return length;
    }

    /// <summary>The part's size with its header, as the size test sees it in a loop.</summary>
    public static long SizeOf(ISievePart part) => part.End - part.Start;

    private List<HeaderField> Split(ISievePart part) => HeaderField.Split(HeaderOf(part), _message, _limits.MaxHeaderFields);

}
