using System.Globalization;
using System.Text;
using Posthorn.Core;

namespace Posthorn.Transport.Milter;

/// <summary>The parameters of MAIL and RCPT as filters hear and give them.</summary>
internal static class MilterParameters
{
    /// <summary>What came with MAIL.</summary>
    public static IEnumerable<string> Of(Envelope envelope)
    {
        if (envelope.DeclaredSize is { } size) yield return string.Create(CultureInfo.InvariantCulture, $"SIZE={size}");
        if (envelope.Body != BodyType.SevenBit) yield return envelope.Body == BodyType.BinaryMime ? "BODY=BINARYMIME" : "BODY=8BITMIME";
        if (envelope.SmtpUtf8) yield return "SMTPUTF8";
        if (envelope.RequiresTls) yield return "REQUIRETLS";
        if (envelope.Return != DsnReturn.Unspecified) yield return envelope.Return == DsnReturn.Full ? "RET=FULL" : "RET=HDRS";
        if (envelope.EnvelopeId is { } id) yield return $"ENVID={Xtext.Encode(id)}";
    }

    /// <summary>What came with RCPT.</summary>
    public static IEnumerable<string> Of(EnvelopeRecipient recipient)
    {
        if (recipient.Notify != DsnNotify.Unspecified) yield return $"NOTIFY={recipient.Notify.ToString().ToUpperInvariant().Replace(" ", "", StringComparison.Ordinal)}";
        if (recipient.OriginalRecipient is { } original) yield return $"ORCPT={original}";
    }

    /// <summary>A recipient that a filter adds; null when the address or a parameter makes no sense. Parameters that we do not know are left out.</summary>
    public static EnvelopeRecipient? Recipient(string address, string? parameters)
    {
        if (Address(address) is not { } to) return null;
        (DsnNotify notify, string? original) = (DsnNotify.Unspecified, null);
        foreach (string word in (parameters ?? "").Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            (string name, string value) = word.Split('=', 2) is [var key, var text] ? (key.ToUpperInvariant(), text) : (word.ToUpperInvariant(), "");
            if (name == "NOTIFY")
            {
                foreach (string when in value.Split(','))
                {
                    if (!Enum.TryParse(when, ignoreCase: true, out DsnNotify one) || one == DsnNotify.Unspecified || !when.All(char.IsAsciiLetter)) return null;
                    notify |= one;
                }
            }
            else if (name == "ORCPT") original = IsOriginal(value) ? value : null;
        }
        return notify != DsnNotify.Never && notify.HasFlag(DsnNotify.Never) ? null : new(to, notify, original);
    }

    /// <summary>An address, with or without its angle brackets.</summary>
    public static EmailAddress? Address(string text)
    {
        text = text.Trim();
        if (text is ['<', .., '>']) text = text[1..^1];
        return EmailAddress.TryParse(text, out EmailAddress address) ? address : null;
    }

    /// <summary>A sender: an address or the null path.</summary>
    public static ReversePath? Path(string text) => text.Trim() is "" or "<>" ? ReversePath.Null : Address(text) is { } address ? ReversePath.Of(address) : null;

    private static bool IsOriginal(string text)
    {
        int semicolon = text.IndexOf(';', StringComparison.Ordinal);
        return semicolon > 0 && text.Length <= 500 && Xtext.TryDecode(Encoding.UTF8.GetBytes(text[(semicolon + 1)..]), out _);
    }
}
