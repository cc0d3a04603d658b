using System.Globalization;
using System.Text;
using Posthorn.Core;

namespace Posthorn.Store.Maildir;

/// <summary>One mailbox as the account's file keeps it.</summary>
internal sealed record AccountFileMailbox(MailboxId Mailbox, UidValidity Validity, Uid UidNext, SpecialUse Use, Uid FirstRecent, MailboxName Name);

/// <summary>The account's own numbers beside the mail: with the folders' lists they are the second home of what the catalogue knows.</summary>
internal sealed record AccountFile(long ModSeq, uint Validity, IReadOnlyList<AccountFileMailbox> Mailboxes)
{
    internal const string FileName = "account";
    private const string Head = "posthorn-account 1";

    internal string Format()
    {
        StringBuilder text = new(Head + "\n");
        text.Append(CultureInfo.InvariantCulture, $"modseq {ModSeq}\nvalidity {Validity}\n");
        foreach (AccountFileMailbox box in Mailboxes)
            text.Append(CultureInfo.InvariantCulture, $"mailbox {box.Mailbox.Value} {box.Validity.Value} {box.UidNext.Value} {(byte)box.Use} {box.FirstRecent.Value} {ModifiedUtf7.Encode(box.Name.Value)}\n");
        return text.Append("end\n").ToString();
    }

    /// <summary>Reads the file; null when it is not whole.</summary>
    internal static AccountFile? Parse(string text, char separator)
    {
        string[] lines = text.Split('\n');
        if (lines.Length < 4 || lines[0] != Head || lines[^2] != "end") return null;
        long modSeq = 0;
        uint validity = 0;
        List<AccountFileMailbox> boxes = [];
        foreach (string line in lines)
        {
            string[] fields = line.Split(' ', 7);
            if (fields is ["modseq", _]) _ = long.TryParse(fields[1], NumberStyles.None, CultureInfo.InvariantCulture, out modSeq);
            else if (fields is ["validity", _]) _ = uint.TryParse(fields[1], NumberStyles.None, CultureInfo.InvariantCulture, out validity);
            else if (fields is ["mailbox", _, _, _, _, _, _] && Number(fields[2], out uint own) && Number(fields[3], out uint next) && Number(fields[4], out uint use) && Number(fields[5], out uint recent)
                && ModifiedUtf7.TryDecode(fields[6], out string decoded) && MailboxName.TryCreate(decoded, separator, out MailboxName name))
                boxes.Add(new(new(fields[1]), new(own), new(next), (SpecialUse)use, new(recent), name));
        }

        return new(modSeq, validity, boxes);
    }

    private static bool Number(string text, out uint value) => uint.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out value);
}
