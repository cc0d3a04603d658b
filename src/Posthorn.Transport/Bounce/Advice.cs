namespace Posthorn.Transport.Bounce;

/// <summary>What a status code means for the person who wrote the message, in a sentence (RFC 3463 section 3).</summary>
internal static class Advice
{
    public static string For(string status)
    {
        string[] parts = status.Split('.');
        string detail = parts.Length == 3 ? $"{parts[1]}.{parts[2]}" : "";
        return detail switch
        {
            "1.1" or "1.3" or "1.6" => "There is no such address. Check the spelling, or ask the recipient for the right one.",
            "1.2" or "4.4" => "There is no mail server for this domain. Check what stands behind the @.",
            "1.10" => "This domain says that it takes no mail at all. Ask the recipient for another address.",
            "2.1" => "The mailbox is closed. Reach the recipient in another way.",
            "2.2" => "The recipient's mailbox is full. Try again in some days, or reach the recipient in another way.",
            "2.3" or "3.4" => "The message is too large for the recipient. Send less, or a link instead of an attachment.",
            "4.1" or "4.2" or "4.3" or "4.7" => "The recipient's mail server could not be reached for too long. Try again later, or reach the recipient in another way.",
            "4.6" => "The mail goes in a circle. The administrator of the recipient's address has to mend that.",
            "6.1" or "6.3" or "6.7" or "6.9" => "The recipient's mail server cannot take a message of this kind. Send it without special characters in addresses and subject, or as an ordinary attachment.",
            "7.10" or "7.30" => "You asked for a way that is encrypted throughout (REQUIRETLS), and there is none to this recipient's mail server. Send the message without that demand, or reach the recipient in another way.",
            "7.1" => "The recipient's mail server refuses this message by its rules. Its words above may say why; its administrator can help.",
            _ when parts is [_, "7", _] => "The message was refused for security or policy reasons. The words above may say why; the administrator of the recipient's server can help.",
            _ when parts is [_, "6", _] => "Something about the form of the message was not accepted. The words above say what.",
            _ => "The words above say why. If they do not help, show this message to your administrator.",
        };
    }
}
