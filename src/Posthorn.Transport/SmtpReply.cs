using System.Globalization;

namespace Posthorn.Transport;

/// <summary>A reply of SMTP or LMTP: to our client, or from a remote server (RFC 5321 section 4.2, RFC 3463).</summary>
/// <param name="Code">The three digits.</param>
/// <param name="Status">The enhanced status code, such as <c>5.1.1</c>; empty where none belongs (greeting, EHLO, 354).</param>
/// <param name="Text">Text for people; lines parted by LF.</param>
public sealed record SmtpReply(int Code, string Status, string Text)
{
    /// <summary>2xx or 3xx.</summary>
    public bool IsPositive => Code is >= 200 and < 400;

    /// <summary>4xx: trying again later may help.</summary>
    public bool IsTransient => Code is >= 400 and < 500;

    /// <summary>5xx.</summary>
    public bool IsPermanent => Code >= 500;

    /// <summary>One line, for logs and reports.</summary>
    public override string ToString() =>
        string.Create(CultureInfo.InvariantCulture, $"{Code} {Status}{(Status.Length > 0 ? " " : "")}{Text.Replace('\n', ' ')}");
}
