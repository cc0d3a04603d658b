using System.Text;
using System.Text.Unicode;

namespace Posthorn.Directory.Sasl;

/// <summary>PLAIN (RFC 4616).</summary>
/// <remarks><c>message = [authzid] UTF8NUL authcid UTF8NUL passwd</c></remarks>
internal sealed class PlainMechanism : SaslMechanism
{
    public override SaslStep Step(ReadOnlySpan<byte> response)
    {
        int first = response.IndexOf((byte)0);
        int second = first < 0 ? -1 : response[(first + 1)..].IndexOf((byte)0);
        if (second < 0) return new SaslStep.Malformed("Expected an identity, NUL, a name, NUL and a password");
        ReadOnlySpan<byte> authorize = response[..first];
        ReadOnlySpan<byte> login = response.Slice(first + 1, second);
        ReadOnlySpan<byte> password = response[(first + second + 2)..];
        if (!Utf8.IsValid(authorize) || !Utf8.IsValid(login)) return new SaslStep.Malformed("The name is not UTF-8");
        if (login.IsEmpty || password.IsEmpty || password.Contains((byte)0)) return new SaslStep.Malformed("The name or password is empty or holds a NUL");
        return new SaslStep.CheckPassword(Encoding.UTF8.GetString(login), Encoding.UTF8.GetString(authorize), password.ToArray());
    }
}
