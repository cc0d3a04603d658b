using System.Buffers;
using System.Text;
using Posthorn.Core;

namespace Posthorn.Transport.Accept;

/// <summary>Reads a message's header as it streams by: counts hops, finds From, notices what is missing, and lets fields be added at its end.</summary>
/// <remarks>
/// The bytes go through unchanged, whatever pieces they come in, but for fields that a message does not leave with, where those are to be taken out. Only a blank line ends a header, as the readers of the mail see it;
/// but where fields are added to a message that begins with no field at all, its first line begins the body.
/// </remarks>
internal sealed class HeaderScanner(int maxSize, Action<HeaderScanner, IBufferWriter<byte>>? addFields, bool drops = false)
{
    /// <summary>The longest field name looked at, octets; a longer one is no field that we know. Blanks behind a name do not count: whoever reads the mail takes any number (RFC 5322 section 4.5).</summary>
    private const int MaxName = 128;

    /// <summary>What is kept of one field's value, octets: 500 authors. A From beyond it is refused where it matters.</summary>
    private const int MaxValue = 64 * 1024;

    /// <summary>The longest Message-ID kept, octets: a line of RFC 5322.</summary>
    private const int MaxMessageId = 998;

    /// <summary>Delivered-To fields kept; the hop limit ends a message long before.</summary>
    private const int MaxDeliveredTo = 100;

    private enum State { LineStart, Name, Value, EndCr, Done }
    private enum Field { Other, Received, DeliveredTo, From, Date, MessageId, Signature, TlsRequired, Private }

    private byte[] _name = new byte[MaxName];
    private readonly ArrayBufferWriter<byte> _value = new(256);
    private readonly List<EmailAddress> _deliveredTo = [];
    private State _state;
    private Field _field;
    private int _nameLength;
    private int _size;
    private bool _sawField;
    private int _tlsRequired;
    private bool _tlsNotRequired;
    private bool _dropping;

    /// <summary>False once the body has begun.</summary>
    public bool InHeader => _state != State.Done;

    /// <summary>Received fields.</summary>
    public int Hops { get; private set; }

    public IReadOnlyList<EmailAddress> DeliveredTo => _deliveredTo;
    public int FromCount { get; private set; }

    /// <summary>The value of the first From field, folds kept.</summary>
    public ReadOnlyMemory<byte> From { get; private set; }

    public bool HasDate { get; private set; }
    public bool HasMessageId { get; private set; }

    /// <summary>The value of the first Message-ID field; empty when there is none, or none that anybody would search for.</summary>
    public ReadOnlyMemory<byte> MessageId { get; private set; }

    /// <summary>A DKIM signature covers the message.</summary>
    public bool IsSigned { get; private set; }

    /// <summary><c>TLS-Required: No</c> (RFC 8689 section 3), once.</summary>
    public bool SaysTlsOptional => _tlsRequired == 1 && _tlsNotRequired;

    /// <summary>The header is over the limit; nothing beyond it was looked at.</summary>
    public bool IsTooLarge { get; private set; }

    /// <summary>A field kept for its value was over what is kept.</summary>
    public bool IsValueTooLarge { get; private set; }

    /// <summary>A byte above 127 was seen.</summary>
    public bool HasEightBit { get; private set; }

    /// <summary>Takes some bytes; writes what leaves. The number of bytes used: fewer than given when the body begins within them.</summary>
    public int Process(ReadOnlySpan<byte> input, IBufferWriter<byte> output)
    {
        int at = 0;
        while (at < input.Length && _state != State.Done)
        {
            switch (_state)
            {
                case State.LineStart: at += StartLine(input[at]); break;
                case State.Name: at += TakeName(input[at], output); break;
                case State.Value: at += TakeValue(input[at..], output); break;
                default: at += TakeEnd(input[at], output); break;
            }
        }
        _size += at;
        if (_size > maxSize)
        {
            IsTooLarge = true;
            _state = State.Done;
        }
        return at;
    }

    /// <summary>The message ended; within the header, what was held back leaves and fields are added.</summary>
    public void Complete(IBufferWriter<byte> output)
    {
        if (_state == State.Done) return;
        if (_state == State.Name && !_sawField && addFields is not null)
        {
            BeginBody(output);
            return;
        }
        if (_state == State.Name) output.Write(_name.AsSpan(0, _nameLength));
        if ((_state == State.Name || _state == State.Value && !_dropping) && addFields is not null) output.Write("\r\n"u8);
        FinishField();
        addFields?.Invoke(this, output);
        if (_state == State.EndCr) output.Write("\r"u8);
        _state = State.Done;
    }

    // Looks at the first byte of a line; uses it only when it may be the end of the header.
    private int StartLine(byte first)
    {
        if (first is (byte)' ' or (byte)'\t' && (_sawField || addFields is null))
        {
            _state = State.Value; // the field goes on
            return 0;
        }
        FinishField();
        if (first == '\r')
        {
            _state = State.EndCr;
            return 1;
        }
        if (first == '\n')
        {
            _state = State.EndCr; // its CR is missing; readers take it as the end too
            return 0;
        }
        _nameLength = 0;
        _state = State.Name;
        return 0;
    }

    private int TakeName(byte next, IBufferWriter<byte> output)
    {
        if (next == ':' && _nameLength > 0)
        {
            _field = Identify(_name.AsSpan(0, _nameLength).TrimEnd(" \t"u8));
            _sawField = true;
            Count();
            return EndName(output);
        }
        bool blank = next is (byte)' ' or (byte)'\t';
        if (blank ? _nameLength > 0 : next >= 32 && _nameLength < MaxName)
        {
            if (_nameLength == _name.Length) Array.Resize(ref _name, 2 * _nameLength); // by blanks alone; the header's size bounds them
            _name[_nameLength++] = next;
            return 1;
        }
        if (_sawField || addFields is null)
        {
            _field = Field.Other; // a line that is no field
            return EndName(output);
        }
        BeginBody(output);
        return 0;
    }

    // No header at all: the fields become it, and this line begins the body.
    private void BeginBody(IBufferWriter<byte> output)
    {
        addFields?.Invoke(this, output);
        output.Write("\r\n"u8);
        output.Write(_name.AsSpan(0, _nameLength));
        _state = State.Done;
    }

    // The byte that ended the name belongs to the value.
    private int EndName(IBufferWriter<byte> output)
    {
        _state = State.Value;
        _dropping = drops && _field == Field.Private;
        if (_dropping) return 0;
        if (!Ascii.IsValid(_name.AsSpan(0, _nameLength))) HasEightBit = true;
        output.Write(_name.AsSpan(0, _nameLength));
        return 0;
    }

    private int TakeValue(ReadOnlySpan<byte> rest, IBufferWriter<byte> output)
    {
        int newline = rest.IndexOf((byte)'\n');
        ReadOnlySpan<byte> part = newline < 0 ? rest : rest[..(newline + 1)];
        if (!_dropping)
        {
            if (!HasEightBit && !Ascii.IsValid(part)) HasEightBit = true;
            output.Write(part);
        }
        if (_field is Field.From or Field.DeliveredTo or Field.TlsRequired or Field.MessageId)
        {
            if (_value.WrittenCount + part.Length > MaxValue) IsValueTooLarge |= _field != Field.MessageId;
            else _value.Write(part);
        }
        if (newline >= 0) _state = State.LineStart;
        return part.Length;
    }

    private int TakeEnd(byte next, IBufferWriter<byte> output)
    {
        if (next != '\n')
        {
            output.Write("\r"u8); // a bare CR: no field, and not the end
            _field = Field.Other;
            _dropping = false;
            _state = State.Value;
            return 0;
        }
        addFields?.Invoke(this, output);
        output.Write("\r\n"u8);
        _state = State.Done;
        return 1;
    }

    private void Count()
    {
        switch (_field)
        {
            case Field.Received: Hops++; break;
            case Field.From: FromCount++; break;
            case Field.Date: HasDate = true; break;
            case Field.MessageId: HasMessageId = true; break;
            case Field.Signature: IsSigned = true; break;
            case Field.TlsRequired: _tlsRequired++; break;
            default: break;
        }
    }

    private void FinishField()
    {
        ReadOnlySpan<byte> value = _value.WrittenSpan;
        if (value.Length > 0 && value[0] == ':') value = value[1..];
        if (_field == Field.From && FromCount == 1) From = value.ToArray();
        if (_field == Field.MessageId && MessageId.IsEmpty && value.Length <= MaxMessageId) MessageId = value.ToArray();
        if (_field == Field.DeliveredTo && _deliveredTo.Count < MaxDeliveredTo)
        {
            string text = Encoding.UTF8.GetString(value).Trim().Trim('<', '>');
            if (EmailAddress.TryParse(text, out EmailAddress address)) _deliveredTo.Add(address);
        }
        if (_field == Field.TlsRequired) _tlsNotRequired = Ascii.EqualsIgnoreCase(value.Trim(" \t\r\n"u8), "No"u8);
        _value.ResetWrittenCount();
        _field = Field.Other;
    }

    private static Field Identify(ReadOnlySpan<byte> name) => name.Length switch
    {
        3 when Ascii.EqualsIgnoreCase(name, "Bcc"u8) => Field.Private,
        4 when Ascii.EqualsIgnoreCase(name, "From"u8) => Field.From,
        4 when Ascii.EqualsIgnoreCase(name, "Date"u8) => Field.Date,
        8 when Ascii.EqualsIgnoreCase(name, "Received"u8) => Field.Received,
        10 when Ascii.EqualsIgnoreCase(name, "Message-ID"u8) => Field.MessageId,
        10 when Ascii.EqualsIgnoreCase(name, "Resent-Bcc"u8) => Field.Private,
        11 when Ascii.EqualsIgnoreCase(name, "Return-Path"u8) => Field.Private,
        12 when Ascii.EqualsIgnoreCase(name, "Delivered-To"u8) => Field.DeliveredTo,
        12 when Ascii.EqualsIgnoreCase(name, "TLS-Required"u8) => Field.TlsRequired,
        14 when Ascii.EqualsIgnoreCase(name, "DKIM-Signature"u8) => Field.Signature,
        14 when Ascii.EqualsIgnoreCase(name, "Content-Length"u8) => Field.Private,
        _ => Field.Other,
    };
}
