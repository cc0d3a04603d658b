using System.Diagnostics;
using System.Globalization;
using System.Text;
using Posthorn.Core;
using Posthorn.Sieve;
using Posthorn.Transport.Filtering;

// What one evaluation of a script of thirty rules costs, over a message whose last rule fits: budget 50 us (docs/performance.md).
const int Rounds = 200, Runs = 500;
string message = string.Concat(
    "Return-Path: <news@shop.example>\r\nDelivered-To: ann@example.org\r\n",
    string.Concat(Enumerable.Range(0, 4).Select(i => $"Received: from mx{i}.shop.example (mx{i}.shop.example [192.0.2.{i}])\r\n\tby mail.example.org (Posthorn) with ESMTPS id 0123456789{i};\r\n\tThu, 26 Nov 2026 10:00:00 +0000\r\n")),
    "DKIM-Signature: v=1; a=rsa-sha256; d=shop.example; s=k1; h=from:to:subject:date; bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=;\r\n b=", new string('A', 300), "\r\n",
    "From: =?utf-8?q?Der_gro=C3=9Fe_Laden?= <news@shop.example>\r\nTo: Ann <ann@example.org>\r\nSubject: =?utf-8?q?Ihre_Rechnung_Nr=2E_4711_f=C3=BCr_November?=\r\n",
    "Date: Thu, 26 Nov 2026 10:00:00 +0000\r\nMessage-ID: <4711@shop.example>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nX-Mailer: Mailer 1.0\r\nX-Spam-Score: 0.3\r\n\r\n",
    string.Concat(Enumerable.Repeat("A line of the text of this message, as messages have them.\r\n", 60)));
StringBuilder script = new("require [\"fileinto\", \"imap4flags\", \"envelope\", \"copy\", \"relational\", \"comparator-i;ascii-numeric\"];\r\n");
for (int i = 0; i < 26; i++)
{
    FormattableString rule = (i % 5) switch
    {
        0 => $"if header :contains \"List-Id\" \"list{i}.example.net\" {{ fileinto \"Lists.list{i}\"; stop; }}\r\n",
        1 => $"if address :domain :is \"From\" [\"host{i}.example.com\", \"other{i}.example.com\"] {{ fileinto \"Hosts.h{i}\"; stop; }}\r\n",
        2 => $"if anyof (header :contains \"Subject\" \"[project{i}]\", header :matches \"Subject\" \"*ticket #{i}*\") {{ fileinto \"Projects.p{i}\"; stop; }}\r\n",
        3 => $"if allof (address :is [\"To\", \"Cc\"] \"role{i}@example.org\", not exists \"X-Loop\") {{ fileinto \"Roles.r{i}\"; stop; }}\r\n",
        _ => $"if envelope :localpart :is \"from\" \"robot{i}\" {{ addflag \"\\\\Seen\"; }}\r\n",
    };
    script.Append(rule.ToString(CultureInfo.InvariantCulture));
}
script.Append("if size :over 5M { fileinto \"Large\"; stop; }\r\nif header :is \"X-Spam-Flag\" \"YES\" { fileinto \"Junk\"; stop; }\r\nif header :value \"gt\" :comparator \"i;ascii-numeric\" \"X-Spam-Score\" \"5\" { fileinto \"Junk\"; stop; }\r\nif header :contains \"Subject\" \"rechnung\" { fileinto :copy \"Bills\"; }\r\n");
SieveSettings settings = new() { MailboxSeparator = '.' };
SieveCompilation compiled = SieveCompiler.Compile(script.ToString(), "bench", settings);
if (compiled.Script is not { } ready) throw new InvalidOperationException(string.Join('\n', compiled.Errors));
byte[] octets = Encoding.UTF8.GetBytes(message);
SieveContext context = new() { Envelope = new() { From = "news@shop.example", To = "ann@example.org" }, Owner = EmailAddress.Parse("ann@example.org"), Parser = MimeSieveMessage.Parse };
SieveScript[] chain = [ready];
Nobody nobody = new();
double[] times = new double[Rounds];
long allocated = 0;
for (int round = 0; round < Rounds; round++)
{
    long before = GC.GetAllocatedBytesForCurrentThread(), start = Stopwatch.GetTimestamp();
    for (int i = 0; i < Runs; i++)
    {
        SinkMessage fresh = new((offset, into) => Read(octets, offset, into), octets.Length, 16 << 20);
        SieveResult result = await SieveInterpreter.RunAsync(chain, fresh, context, settings, nobody, default);
        if (result.Actions is not [SieveAction.FileInto { Target.Mailbox.Value: "Bills" }, SieveAction.Keep]) throw new InvalidOperationException("the result is wrong");
    }
    times[round] = Stopwatch.GetElapsedTime(start).TotalMicroseconds / Runs;
    allocated = (GC.GetAllocatedBytesForCurrentThread() - before) / Runs;
}
Array.Sort(times);
Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"30 rules over {octets.Length} octets: median {times[Rounds / 2]:F1} us, best {times[0]:F1} us, {allocated} octets allocated; {Rounds} rounds of {Runs}"));
return times[Rounds / 2] < 50 ? 0 : 1;

static int Read(byte[] octets, long offset, Span<byte> into)
{
    int count = (int)Math.Clamp(octets.Length - offset, 0, into.Length);
    octets.AsSpan((int)offset, count).CopyTo(into);
    return count;
}

internal sealed class Nobody : ISieveHost
{
    public ValueTask<SieveAnswer> AskAsync(SieveQuestion question, CancellationToken cancel) => throw new InvalidOperationException($"Nobody knows {question}.");
}
