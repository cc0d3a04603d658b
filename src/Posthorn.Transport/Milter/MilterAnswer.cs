using System.Buffers.Binary;
using System.Globalization;
using System.Text;

namespace Posthorn.Transport.Milter;

/// <summary>One packet of a filter, read. What is not well formed is no answer.</summary>
internal abstract record MilterAnswer
{
    private MilterAnswer() { }

    /// <summary>Go on.</summary>
    public sealed record Continue : MilterAnswer;

    /// <summary>Go on, and send no more of this kind.</summary>
    public sealed record Skip : MilterAnswer;

    /// <summary>Take it; the filter wants to hear no more of it.</summary>
    public sealed record Accept : MilterAnswer;

    /// <summary>Say yes, and throw it away.</summary>
    public sealed record Discard : MilterAnswer;

    public sealed record Reject : MilterAnswer;

    public sealed record TempFail : MilterAnswer;

    /// <summary>Say this (<c>SMFIR_REPLYCODE</c>).</summary>
    public sealed record Say(SmtpReply Reply) : MilterAnswer;

    /// <summary>Close the client's connection.</summary>
    public sealed record HangUp : MilterAnswer;

    /// <summary>It still works on it.</summary>
    public sealed record Progress : MilterAnswer;

    public sealed record AddHeader(byte[] Name, byte[] Value) : MilterAnswer;

    public sealed record InsertHeader(int Index, byte[] Name, byte[] Value) : MilterAnswer;

    /// <summary>An empty value removes the field.</summary>
    public sealed record ChangeHeader(int Index, byte[] Name, byte[] Value) : MilterAnswer;

    public sealed record ChangeFrom(string Address, string? Parameters) : MilterAnswer;

    public sealed record AddRecipient(string Address, string? Parameters) : MilterAnswer;

    public sealed record DeleteRecipient(string Address) : MilterAnswer;

    /// <summary>A piece of the new body. Valid until the next packet is read.</summary>
    public sealed record ReplaceBody(ReadOnlyMemory<byte> Octets) : MilterAnswer;

    public sealed record Quarantine(string Reason) : MilterAnswer;

    private static readonly Continue Continued = new();
    private static readonly Progress Progressed = new();

    /// <summary>True for the last answer to a command.</summary>
    public bool IsFinal => this is Continue or Skip or Accept or Discard or Reject or TempFail or Say or HangUp;

    /// <summary>Reads a packet; null when it is none of the protocol's.</summary>
    public static MilterAnswer? Read(byte command, ReadOnlyMemory<byte> data)
    {
        ReadOnlySpan<byte> span = data.Span;
        switch ((char)command)
        {
            case 'c': return Continued;
            case 'p': return Progressed;
            case 's': return new Skip();
            case 'a': return new Accept();
            case 'd': return new Discard();
            case 'r': return new Reject();
            case 't': return new TempFail();
            case 'f' or '4': return new HangUp();
            case 'y': return ReadReply(span) is { } reply ? new Say(reply) : null;
            case 'h': return Texts(span) is [var name, var value] && IsFieldName(name) ? new AddHeader(name, value) : null;
            case 'i': return Indexed(span, out int at) is { } inserted ? new InsertHeader(at, inserted.Name, inserted.Value) : null;
            case 'm': return Indexed(span, out int nth) is { } changed ? new ChangeHeader(nth, changed.Name, changed.Value) : null;
            case 'e': return Texts(span) is [var from, .. var rest] && rest.Length <= 1 ? new ChangeFrom(Utf8(from), rest.Length == 1 ? Utf8(rest[0]) : null) : null;
            case '+': return Texts(span) is [var to] ? new AddRecipient(Utf8(to), null) : null;
            case '2': return Texts(span) is [var with, .. var words] && words.Length <= 1 ? new AddRecipient(Utf8(with), words.Length == 1 ? Utf8(words[0]) : null) : null;
            case '-': return Texts(span) is [var gone] ? new DeleteRecipient(Utf8(gone)) : null;
            case 'b': return new ReplaceBody(data);
            case 'q': return Texts(span) is [var reason] ? new Quarantine(Plain(Utf8(reason))) : null;
            default: return null;
        }
    }

    /// <summary>Reads the packet that agrees on terms; null when it is wrong or asks for what was not offered.</summary>
    public static MilterTerms? ReadTerms(ReadOnlySpan<byte> data, int offered)
    {
        if (data.Length < 12) return null;
        uint version = BinaryPrimitives.ReadUInt32BigEndian(data);
        if (version < MilterProtocol.OldestVersion || version > offered) return null;
        (MilterActions actions, MilterSteps steps) = ((MilterActions)BinaryPrimitives.ReadInt32BigEndian(data[4..]), (MilterSteps)BinaryPrimitives.ReadInt32BigEndian(data[8..]));
        (MilterActions knownActions, MilterSteps knownSteps) = MilterProtocol.Offer(offered);
        // Bits of steps that nobody offered are left out, as Sendmail does; actions are rights, and rights are not taken.
        if ((actions & ~knownActions) != 0) return null;
        IReadOnlyList<string>?[] macros = new IReadOnlyList<string>?[MilterTerms.Stages];
        for (data = data[12..]; data.Length > 0;)
        {
            if (data.Length < 5) return null;
            uint stage = BinaryPrimitives.ReadUInt32BigEndian(data);
            int end = data[4..].IndexOf((byte)0);
            if (end < 0 || stage >= MilterTerms.Stages) return null;
            macros[stage] = Encoding.ASCII.GetString(data.Slice(4, end)).Split([' ', '\t', ','], StringSplitOptions.RemoveEmptyEntries);
            data = data[(4 + end + 1)..];
        }
        return new((int)version, actions, steps & knownSteps, macros);
    }

    // 3DIGIT [SP / "-"] [enhanced code SP] text; several lines each with the code.
    private static SmtpReply? ReadReply(ReadOnlySpan<byte> data)
    {
        if (Texts(data) is not [var octets]) return null;
        List<string> lines = [];
        int code = 0;
        string status = "";
        foreach (string line in Utf8(octets).ReplaceLineEndings("\n").Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            if (line.Length < 3 || !int.TryParse(line.AsSpan(0, 3), NumberStyles.None, CultureInfo.InvariantCulture, out int number) || number is < 400 or > 599) return null;
            if (code != 0 && number != code || line.Length > 3 && line[3] is not (' ' or '-')) return null;
            code = number;
            string text = line.Length > 4 ? line[4..] : "";
            (string found, string rest) = SplitStatus(text, code);
            if (found.Length > 0) status = found;
            if (lines.Count < MaxReplyLines) lines.Add(Plain(rest));
        }
        if (code == 0) return null;
        if (status.Length == 0) status = code >= 500 ? "5.7.1" : "4.7.1";
        return new(code, status, string.Join('\n', lines));
    }

    // Lines of one reply: more than this no client shows anybody.
    private const int MaxReplyLines = 32;

    // Octets of one line (RFC 5321 section 4.5.3.1.5), less code and status.
    private const int MaxReplyText = 480;

    private static (string Status, string Text) SplitStatus(string text, int code)
    {
        int blank = text.IndexOf(' ', StringComparison.Ordinal);
        string word = blank < 0 ? text : text[..blank];
        string[] parts = word.Split('.');
        bool isStatus = parts.Length == 3 && parts[0] == (code / 100).ToString(CultureInfo.InvariantCulture)
            && parts.Skip(1).All(part => part.Length is >= 1 and <= 3 && part.All(char.IsAsciiDigit));
        return isStatus ? (word, blank < 0 ? "" : text[(blank + 1)..]) : ("", text);
    }

    // What goes into replies, logs and fields of our own: one line of printable ASCII.
    private static string Plain(string text)
    {
        if (text.Length > MaxReplyText) text = text[..MaxReplyText];
        return string.Create(text.Length, text, static (into, from) =>
        {
            for (int i = 0; i < from.Length; i++) into[i] = from[i] is >= ' ' and <= '~' ? from[i] : '?';
        });
    }

    private static (byte[] Name, byte[] Value)? Indexed(ReadOnlySpan<byte> data, out int index)
    {
        index = 0;
        if (data.Length < 4) return null;
        index = BinaryPrimitives.ReadInt32BigEndian(data);
        return index >= 0 && Texts(data[4..]) is [var name, var value] && IsFieldName(name) ? (name, value) : null;
    }

    // RFC 5322 section 2.2: printable ASCII without the colon.
    private static bool IsFieldName(byte[] name) => name.Length is > 0 and <= 256 && Array.TrueForAll(name, c => c is > 32 and < 127 and not (byte)':');

    // Texts that each end in a zero; null when one does not.
    private static byte[][]? Texts(ReadOnlySpan<byte> data)
    {
        if (data.Length == 0 || data[^1] != 0) return null;
        List<byte[]> texts = [];
        while (data.Length > 0)
        {
            int end = data.IndexOf((byte)0);
            texts.Add(data[..end].ToArray());
            data = data[(end + 1)..];
            if (texts.Count > 3) return null;
        }
        return [.. texts];
    }

    private static string Utf8(byte[] octets) => Encoding.UTF8.GetString(octets);
}
