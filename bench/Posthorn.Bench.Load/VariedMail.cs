using System.Globalization;
using System.Text;

namespace Posthorn.Bench.Load;

/// <summary>Mail as a mailbox holds it: texts, alternatives, attachments, messages in messages, threads; 2 to 60 KiB, 12.8 KiB in the middle; the same for the same number.</summary>
public static class VariedMail
{
    /// <summary>In the body of one message of a thousand.</summary>
    public const string Needle = "xyzzyneedle";

    private static readonly string[] Words =
        ("time year people way day man thing woman life child world school state family student group country problem hand part place case week company system program question work "
        + "government number night point home water room mother area money story fact month lot right study book eye job word business issue side kind head house service friend father "
        + "power hour game line end member law car city community name president team minute idea body information back parent face others level office door health person art war history "
        + "party result change morning reason research moment air teacher force education meeting invoice project release server").Split(' ');

    private static readonly string[] Names = "Alice Bob Carol Dave Erin Frank Grace Heidi Ivan Judy Mallory Niaj Olivia Peggy Rupert Sybil Trent Uma Victor Walter".Split(' ');
    private static readonly string[] Encoded = ["=?utf-8?Q?Gr=C3=BC=C3=9Fe_aus_M=C3=BCnchen?=", "=?iso-8859-1?Q?R=E9union_d=27=E9quipe?=", "=?utf-8?B?5pel5pys6Kqe44Gu5Lu25ZCN?="];
    private static readonly int[] TextSizes = [2048, 3072, 4096, 6144, 8192, 12288], FileSizes = [8192, 16384, 24576, 40960];

    /// <summary>The message of a number, with CRLF.</summary>
    public static byte[] Message(int number)
    {
        Random random = new(number * 7919 + 20261122);
        StringBuilder text = new(40_000);
        int thread = random.Next(Math.Max(1, number / 4 + 1));
        bool reply = number > 4 && random.Next(2) == 0;
        string from = Pick(random, Names), host = $"sender{number % 50}.example";
        string date = string.Create(CultureInfo.InvariantCulture, $"{new DateTime(2026, 1, 1, 0, 0, 0, DateTimeKind.Utc).AddMinutes(number * 40.0):d MMM yyyy HH:mm:ss} +0000");
        text.Append(CultureInfo.InvariantCulture, $"Return-Path: <{from}@{host}>\r\nReceived: from mx.{host} (mx.{host} [192.0.2.{number % 250}])\r\n\tby mail.bench.test with ESMTPS id {number:X10}; {date}\r\n");
        text.Append(CultureInfo.InvariantCulture, $"From: {from} {Pick(random, Words)} <{from}@{host}>\r\nTo: {Pick(random, Names)} <user@bench.test>\r\n");
        if (number % 3 == 0) text.Append(CultureInfo.InvariantCulture, $"Cc: {string.Join(", ", Enumerable.Range(0, 1 + number % 6).Select(i => $"{Names[i]} <{Names[i]}@cc.example>"))}\r\n");
        text.Append(CultureInfo.InvariantCulture, $"Subject: {(reply ? $"Re: thread {thread}" : Subject(random))}\r\nDate: {date}\r\nMessage-ID: <m{number}@{host}>\r\nMIME-Version: 1.0\r\nX-Mailer: generator 1.0\r\n");
        if (reply) text.Append(CultureInfo.InvariantCulture, $"In-Reply-To: <m{thread}@sender{thread % 50}.example>\r\nReferences: <m{thread}@sender{thread % 50}.example>\r\n");
        if (number % 10 == 0) text.Append("List-Id: Bench list <bench-list.sender.example>\r\n");
        Body(text, random, number);
        return Encoding.ASCII.GetBytes(text.ToString());
    }

    private static void Body(StringBuilder text, Random random, int number)
    {
        string needle = number % 1000 == 500 ? $"{Needle} appears in this body\r\n" : "";
        int size = Pick(random, TextSizes), kind = number % 10;
        if (kind < 4)
        {
            text.Append("Content-Type: text/plain; charset=utf-8\r\n\r\n");
            Paragraph(text, random, size);
            text.Append(needle);
            return;
        }

        text.Append(CultureInfo.InvariantCulture, $"Content-Type: multipart/{(kind < 8 ? "alternative" : "mixed")}; boundary=\"----=_b{number}\"\r\n\r\n------=_b{number}\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n");
        Paragraph(text, random, size / 3);
        text.Append(CultureInfo.InvariantCulture, $"{needle}\r\n------=_b{number}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n<html><body><p style=3D\"color:#333\">");
        Paragraph(text, random, size);
        text.Append("</p></body></html>\r\n");
        if (kind >= 8) Attachment(text, random, number);
        text.Append(CultureInfo.InvariantCulture, $"\r\n------=_b{number}--\r\n");
    }

    private static void Attachment(StringBuilder text, Random random, int number)
    {
        byte[] file = new byte[Pick(random, FileSizes)];
        random.NextBytes(file);
        text.Append(CultureInfo.InvariantCulture, $"\r\n------=_b{number}\r\nContent-Type: application/pdf; name=\"file{number}.pdf\"\r\nContent-Disposition: attachment; filename=\"file{number}.pdf\"\r\n");
        text.Append("Content-Transfer-Encoding: base64\r\n\r\n").Append(Convert.ToBase64String(file, Base64FormattingOptions.InsertLineBreaks)).Append("\r\n");
        if (number % 20 != 9) return;
        text.Append(CultureInfo.InvariantCulture, $"\r\n------=_b{number}\r\nContent-Type: message/rfc822\r\n\r\nFrom: inner@example\r\nSubject: inner {number}\r\nDate: 1 Jan 2026 00:00:00 +0000\r\n\r\n");
        Paragraph(text, random, 500);
    }

    private static string Subject(Random random) =>
        random.Next(7) == 0 ? Pick(random, Encoded) : string.Join(' ', Enumerable.Range(0, 2 + random.Next(7)).Select(_ => Pick(random, Words)));

    private static void Paragraph(StringBuilder text, Random random, int octets)
    {
        int line = 0;
        for (int end = text.Length + octets; text.Length < end;)
        {
            string word = Pick(random, Words);
            text.Append(word);
            line += word.Length + 1;
            text.Append(line > 66 ? "\r\n" : " ");
            if (line > 66) line = 0;
        }

        text.Append("\r\n");
    }

    private static T Pick<T>(Random random, T[] from) => from[random.Next(from.Length)];
}
