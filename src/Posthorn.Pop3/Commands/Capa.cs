using Posthorn.Net;
using Posthorn.Pop3.Session;
using Posthorn.Pop3.Wire;

namespace Posthorn.Pop3.Commands;

/// <summary>CAPA: what there is (RFC 2449 section 5). Computed from what this client can have now.</summary>
internal sealed record Capa : IPop3Command<Capa>
{
    public static Capa Parse(ref Pop3Reader args)
    {
        args.End();
        return new();
    }

    public ValueTask<Reply?> RunAsync(Pop3Session session, CancellationToken cancel)
    {
        OutputBuffer output = session.Out;
        output.Write(Reply.Ok("Capabilities"));
        output.Write("TOP\r\nUIDL\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\nPIPELINING\r\nEXPIRE NEVER\r\nUTF8 USER\r\n"u8);
        if (session.CanStartTls) output.Write("STLS\r\n"u8);
        // RFC 2595 section 4 and RFC 5034 section 4: no clear-text mechanism is announced where it would be refused.
        if (session.MayLogIn) output.Write("USER\r\n"u8);
        if (session.Mechanisms.Count > 0)
        {
            output.Write("SASL "u8);
            output.Write(string.Join(' ', session.Mechanisms));
            output.Write("\r\n"u8);
        }
        output.Write("IMPLEMENTATION Posthorn\r\n"u8);
        output.EndOfLines();
        return new((Reply?)null);
    }
}
