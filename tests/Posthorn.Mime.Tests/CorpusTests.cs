using MimeKit;

namespace Posthorn.Mime.Tests;

/// <summary>Real and odd messages, MimeKit beside us.</summary>
public class CorpusTests
{
    /// <summary>Where we differ from MimeKit on purpose, and why.</summary>
    private static readonly Dictionary<string, string> Judged = new(StringComparer.Ordinal)
    {
        ["mbox/content-length.mbox#7 from"] = "two at signs: the last one starts the host",
        ["mbox/content-length.mbox#7 to"] = "a route without brackets: shown as it stands, not dropped",
        ["mbox/content-length.mbox#23 date"] = "zone 'cst' in lower case is a zone",
        ["mbox/simple.mbox#3 structure"] = "an empty boundary is none (RFC 2046 section 5.1.1): the body is shown as text",
        ["messages/empty-multipart.txt structure"] = "a multipart without parts gets one, as IMAP demands",
        ["messages/japanese.txt subject"] = "letters cut between two encoded words are joined",
        ["python/msg_27.txt subject"] = "a TAB behind a fold is a blank, as ENVELOPE says it (RFC 9051 section 7.5.2)",
        ["messages/stack-overflow.txt to"] = "words without an address are shown, not dropped",
        ["python/msg_14.txt structure"] = "'text' without a subtype is text/plain, so that it can be read",
        ["python/msg_17.txt structure"] = "a multipart without parts gets one, as IMAP demands",
        ["python/msg_19.txt unreadable to MimeKit"] = "a text without any header",
        ["python/msg_25.txt structure"] = "no boundary: the body is shown as text",
        ["python/msg_31.txt structure"] = "a multipart without parts gets one, as IMAP demands",
        ["python/msg_36.txt structure"] = "message/external-body has no body structure of its own in IMAP",
        ["python/msg_37.txt structure"] = "two boundaries in a row hold an empty part (RFC 2046 section 5.1)",
        ["python/msg_38.txt structure"] = "a multipart without parts gets one, as IMAP demands",
        ["python/msg_41.txt structure"] = "a multipart without parts gets one, as IMAP demands",
        ["python/msg_42.txt structure"] = "a multipart without parts gets one, as IMAP demands",
        ["python/msg_43.txt structure"] = "text/rfc822-headers is text",
        ["python/msg_43.txt from"] = "an empty angle address keeps its name",
        ["python/msg_47.txt date"] = "the zone glued to hh:mm is read with the minutes",
    };

    // Inputs that are odd in one way each; what fuzzing finds joins them.
    public static TheoryData<string> Odd() => [.. Directory.EnumerateFiles(Path.Combine(AppContext.BaseDirectory, "Corpus")).Select(f => Path.GetFileName(f))];

    [Theory]
    [MemberData(nameof(Odd))]
    public void OddMessageHoldsTheInvariants(string file)
    {
        byte[] stored = File.ReadAllBytes(Path.Combine(AppContext.BaseDirectory, "Corpus", file));
        Invariants.Hold(stored);
        Invariants.Hold(MimeText.Crlf(stored));
    }

    [Fact]
    public void EveryMessageHoldsTheInvariantsWithCrlfAndAsStored()
    {
        foreach ((string name, byte[] stored) in SharedMail.All())
        {
            try
            {
                Invariants.Hold(stored);
                byte[] crlf = MimeText.Crlf(stored);
                Invariants.Hold(crlf);
            }
            catch (Exception failed) { throw new InvalidOperationException(name, failed); }
        }
    }

    [Fact]
    public void StructureIsThatOfMimeKitButForTheJudgedDifferences()
    {
        List<string> differences = [];
        foreach ((string name, byte[] stored) in SharedMail.All())
        {
            byte[] message = MimeText.Crlf(stored);
            MimeMessage oracle;
            try { oracle = MimeMessage.Load(new MemoryStream(message), true, TestContext.Current.CancellationToken); }
            catch (FormatException)
            {
                differences.Add($"{name} unreadable to MimeKit");
                continue;
            }
            string ours = Ours(message), theirs = Theirs(oracle);
            if (ours != theirs) differences.Add($"{name} structure\n  ours   {ours}\n  theirs {theirs}");
            Fields(name, message, oracle, differences);
        }
        string[] unexpected = [.. differences.Where(d => !Judged.ContainsKey(d.Split('\n')[0]))];
        Assert.True(unexpected.Length == 0, string.Join('\n', unexpected));
        Assert.Equal(Judged.Keys.Order(), differences.Select(d => d.Split('\n')[0]).Order());
    }

    private static void Fields(string name, byte[] message, MimeMessage oracle, List<string> differences)
    {
        ReadOnlySpan<byte> header = MimeStructure.Parse(message, MimeLimits.Default).Root.Header(message);
        string subject = "";
        string? date = null;
        foreach (HeaderField field in new HeaderReader(header))
        {
            if (subject.Length == 0 && field.Is("subject"u8)) subject = EncodedWord.Decode(field.RawValue);
            if (date is null && field.Is("date"u8)) date = MailDate.TryParse(field.RawValue, out DateTimeOffset when) ? $"{when:O}" : "none";
        }
        if (subject != (oracle.Subject ?? "").Trim()) differences.Add($"{name} subject\n  ours   {subject}\n  theirs {oracle.Subject}");
        string theirDate = oracle.Date == default ? "none" : $"{oracle.Date:O}";
        if ((date ?? "none") != theirDate) differences.Add($"{name} date\n  ours   {date}\n  theirs {theirDate}");
        foreach ((string field, InternetAddressList list) in new[] { ("from", oracle.From), ("to", oracle.To), ("cc", oracle.Cc) })
        {
            string ours = string.Join(" | ", AddressList.OfField(header, MimeText.Bytes(field), MimeLimits.Default).Select(a => $"{a.Name} <{a.Address}>"));
            string theirs = string.Join(" | ", list.Mailboxes.Select(m => $"{m.Name} <{m.Address}>"));
            if (ours != theirs) differences.Add($"{name} {field}\n  ours   {ours}\n  theirs {theirs}");
        }
    }

    private static string Ours(byte[] message)
    {
        MimeStructure structure = MimeStructure.Parse(message, MimeLimits.Default);
        List<string> parts = [];
        for (int i = 0; i < structure.Count; i++)
        {
            MimePart part = new(structure, i);
            PartContent content = PartContent.Read(part, message, MimeLimits.Default);
            parts.Add($"{content.Type}/{content.Subtype}" + (part.HasChildren ? "" : $" {part.BodyLength}"));
        }
        return string.Join(", ", parts);
    }

    private static string Theirs(MimeMessage message)
    {
        List<string> parts = [];
        Add(message.Body);
        return string.Join(", ", parts);

        void Add(MimeEntity? entity)
        {
            if (entity is null) return;
            string type = $"{entity.ContentType.MediaType}/{entity.ContentType.MediaSubtype}".ToLowerInvariant();
            switch (entity)
            {
                case Multipart multipart:
                    parts.Add(type);
                    foreach (MimeEntity child in multipart) Add(child);
                    break;
                case MessagePart inner:
                    parts.Add(type);
                    Add(inner.Message?.Body);
                    break;
                case MimeKit.MimePart leaf:
                    parts.Add($"{type} {leaf.Content?.Stream?.Length ?? 0}");
                    break;
            }
        }
    }
}
