using System.Buffers;
using Posthorn.Mime;

namespace Posthorn.Store;

/// <summary>What a store keeps about a message's content, computed once when it comes in.</summary>
public sealed class MessageFacts
{
    private readonly byte[] _all;
    private readonly int _envelope;
    private readonly int _body;
    private readonly int _extended;

    private MessageFacts(byte[] all, int envelope, int body, int extended, long wireLength) =>
        (_all, _envelope, _body, _extended, WireLength) = (all, envelope, body, extended, wireLength);

    /// <summary>Octets with CRLF line ends: RFC822.SIZE.</summary>
    public long WireLength { get; }

    /// <summary>The ENVELOPE, ready for the wire.</summary>
    public ReadOnlyMemory<byte> Envelope => _all.AsMemory(0, _envelope);

    /// <summary>BODY, ready for the wire.</summary>
    public ReadOnlyMemory<byte> Body => _all.AsMemory(_envelope, _body - _envelope);

    /// <summary>BODYSTRUCTURE, ready for the wire.</summary>
    public ReadOnlyMemory<byte> BodyStructure => _all.AsMemory(_body, _extended - _body);

    /// <summary>The part tree, as <see cref="MimeStructure.Read"/> takes it.</summary>
    public ReadOnlyMemory<byte> Structure => _all.AsMemory(_extended);

    /// <summary>Reads a whole message.</summary>
    public static MessageFacts Of(ReadOnlySpan<byte> message, MimeLimits limits)
    {
        MimeStructure structure = MimeStructure.Parse(message, limits);
        ArrayBufferWriter<byte> all = new(1024);
        EnvelopeWriter.Write(structure.Root.Header(message), limits, all);
        int envelope = all.WrittenCount;
        BodyStructureWriter.Write(structure, message, extended: false, limits, all);
        int body = all.WrittenCount;
        BodyStructureWriter.Write(structure, message, extended: true, limits, all);
        int extended = all.WrittenCount;
        structure.WriteTo(all);
        return new(all.WrittenSpan.ToArray(), envelope, body, extended, structure.WireLength);
    }
}
