using System.Text;
using System.Text.Unicode;

namespace Posthorn.Directory.Sasl;

/// <summary>LOGIN: never a standard, but what old Outlook and many devices speak (draft-murchison-sasl-login).</summary>
/// <remarks>Some clients compare the prompts' text, and Microsoft's cloud sends an initial response though LOGIN has none: it is taken as the name.</remarks>
internal sealed class LoginMechanism : SaslMechanism
{
    private string? _login;

    public override ReadOnlyMemory<byte> FirstChallenge => "Username:"u8.ToArray();

    public override SaslStep Step(ReadOnlySpan<byte> response)
    {
        if (_login is not null)
        {
            if (response.IsEmpty) return new SaslStep.Malformed("The password is empty");
            return new SaslStep.CheckPassword(_login, "", response.ToArray());
        }
        // The draft lets clients end the name with a NUL.
        ReadOnlySpan<byte> name = response.TrimEnd((byte)0);
        if (name.IsEmpty || name.Contains((byte)0) || !Utf8.IsValid(name)) return new SaslStep.Malformed("The name is empty or not UTF-8");
        _login = Encoding.UTF8.GetString(name);
        return new SaslStep.Challenge("Password:"u8.ToArray());
    }
}
