using System.Text.RegularExpressions;
using CsCheck;
using Posthorn.Testing;
using Posthorn.Testing.Fuzzing;

namespace Posthorn.Imap.Tests.Session;

/// <summary>Any bytes in each state: the session ends in order, its output is bounded, and how the bytes were split makes no difference.</summary>
public sealed partial class FuzzTests
{
    private static readonly string[] Commands =
    [
        "a NOOP\r\n", "a CAPABILITY\r\n", "a LOGIN ann nna\r\n", "a LOGIN {3}\r\nann {3+}\r\nnna\r\n", "a AUTHENTICATE PLAIN\r\nAGFubgBubmE=\r\n", "a AUTHENTICATE PLAIN AGFubgBubmE=\r\n",
        "a ID (\"name\" \"x\")\r\n", "a ENABLE QRESYNC IMAP4rev2\r\n", "a SELECT INBOX (CONDSTORE)\r\n", "a EXAMINE {5+}\r\nINBOX\r\n", "a CREATE x/y\r\n", "a DELETE x/y\r\n", "a RENAME x z\r\n",
        "a SUBSCRIBE x\r\n", "a LIST (SUBSCRIBED RECURSIVEMATCH) \"\" (\"*\" %) RETURN (STATUS (MESSAGES SIZE))\r\n", "a LSUB \"\" *\r\n", "a STATUS INBOX (MESSAGES UIDNEXT)\r\n", "a NAMESPACE\r\n",
        "a APPEND INBOX (\\Seen) \"17-Jul-1996 02:44:25 -0700\" {12}\r\nSubject: x\r\n\r\n", "a APPEND INBOX {3+}\r\nabc {3+}\r\ndef\r\n", "a APPEND x UTF8 (~{3+}\r\na\0b)\r\n", "a IDLE\r\nDONE\r\n",
        "a FETCH 1:* (FLAGS UID ENVELOPE BODYSTRUCTURE BODY[1.MIME]<0.5> BODY.PEEK[HEADER.FIELDS (A B)])\r\n", "a UID FETCH 1:* (FLAGS) (CHANGEDSINCE 1 VANISHED)\r\n", "a FETCH 1 BINARY[1]\r\n", "a FETCH 2 ALL\r\n",
        "a STORE 1:2 (UNCHANGEDSINCE 5) +FLAGS.SILENT (\\Deleted $x)\r\n", "a SEARCH RETURN (MIN COUNT SAVE) OR (NOT SEEN) HEADER Subject {1+}\r\nM UID $\r\n", "a SEARCH CHARSET UTF-8 SINCE 1-Jan-2020 TEXT \"m\"\r\n",
        "a SORT (REVERSE DATE SUBJECT) UTF-8 ALL\r\n", "a UID THREAD REFERENCES UTF-8 ALL\r\n", "a COPY 1 INBOX\r\n", "a UID MOVE 2 Archive\r\n", "a EXPUNGE\r\n", "a UID EXPUNGE 1:*\r\n", "a CLOSE\r\n", "a UNSELECT\r\n",
        "a REPLACE 1 INBOX {3+}\r\nabc\r\n", "a GETQUOTAROOT INBOX\r\n", "a UNAUTHENTICATE\r\n",
        "a GETMETADATA (DEPTH 1 MAXSIZE 9) INBOX (/private/comment /shared)\r\n", "a SETMETADATA INBOX (/private/comment ~{3+}\r\na\0b /shared/x NIL)\r\n", "a GETMETADATA \"\" /shared/admin\r\n",
        "a SETACL INBOX anyone +lrd\r\n", "a DELETEACL INBOX -bob\r\n", "a GETACL INBOX\r\n", "a LISTRIGHTS INBOX {3+}\r\nbob\r\n", "a MYRIGHTS \"Other Users/bob@example.org/INBOX\"\r\n",
        "a LIST \"\" * RETURN (MYRIGHTS METADATA (/shared/comment) STATUS (MESSAGES))\r\n", "a ENABLE METADATA UIDONLY\r\n", "a SETQUOTA \"\" (STORAGE 5 MESSAGE 7)\r\n",
        "a NOTIFY SET STATUS (selected MessageNew (UID BODY.PEEK[TEXT]<0.9>) MessageExpunge) (subtree (x y) (MessageNew MessageExpunge FlagChange MailboxName))\r\n", "a NOTIFY NONE\r\n",
        "a NOTIFY SET (personal (MailboxMetadataChange SubscriptionChange)) (selected-delayed NONE)\r\n", "a ESEARCH IN (personal subtree-one x mailboxes (INBOX Archive)) RETURN (COUNT SAVE) TEXT m\r\n",
        "a UID SEARCH RETURN (UPDATE CONTEXT COUNT) UIDAFTER 1\r\n", "b UID SORT RETURN (UPDATE PARTIAL 1:2) (SIZE) UTF-8 UIDBEFORE 9\r\n", "a CANCELUPDATE \"a\" \"b\"\r\n",
        "a APPEND INBOX (\\Seen) CATENATE (URL \"/INBOX/;UID=1/;SECTION=HEADER\" TEXT {4+}\r\nabcd URL \"/;UID=2/;PARTIAL=0.5\")\r\n", "a APPEND x CATENATE (TEXT {3}\r\nabc)\r\n", "a LOGOUT\r\n", "{5}\r\n", "a {5+}\r\n", "a X {99999999999+}\r\n", "\r\n", "a UID\r\n",
    ];

    // All that the transcripts say, too: whoever adds a command adds to the corpus.
    private static readonly string[] Corpus = [.. Commands, .. Spoken().Distinct()];

    private static readonly Gen<(byte[] Input, int Seed)> Inputs = WireFuzz.Inputs(Corpus);

    private static IEnumerable<string> Spoken()
    {
        foreach (TheoryDataRow<string> file in TranscriptTests.All())
            foreach (TranscriptStep step in Transcript.Load(TranscriptTests.Folder, file.Data).Steps)
                if (step.Kind == StepKind.Client) yield return step.Text + "\r\n";
                else if (step.Kind == StepKind.ClientRaw && Transcript.Unescape(step.Text) is { Length: < 2000 } raw) yield return System.Text.Encoding.Latin1.GetString(raw);
    }

    [Theory]
    [InlineData("not logged in")]
    [InlineData("logged in")]
    [InlineData("selected INBOX")]
    [InlineData("logged in", "sent EXAMINE INBOX")]
    [InlineData("logged in", "sent ENABLE IMAP4rev2 QRESYNC UTF8=ACCEPT METADATA", "sent SELECT INBOX")]
    [InlineData("logged in", "sent ENABLE UIDONLY", "sent SELECT INBOX")]
    public Task Any_bytes_are_survived_however_they_are_split(params string[] state) => Inputs.SampleAsync(
        async sample =>
        {
            string whole = await AnswerAsync(state, sample.Input, ReadSplit.Whole);
            Assert.Equal(whole, await AnswerAsync(state, sample.Input, ReadSplit.Random(sample.Seed)));
            Assert.InRange(whole.Length, 0, 20_000 + 100 * sample.Input.Length);
            Assert.DoesNotContain("SERVERBUG", whole, StringComparison.Ordinal);
        },
        iter: 200, threads: 1);

    private static async Task<string> AnswerAsync(string[] state, byte[] input, ReadSplit split)
    {
        await using ImapHost host = new();
        await host.GivenAsync("INBOX has 3 messages");
        foreach (string given in state.Where(given => given != "not logged in")) await host.GivenAsync(given);
        return Ids().Replace(await WireFuzz.AnswerAsync(host, input, split), "E"); // new ones each time
    }

    [GeneratedRegex("E[0-9a-f]{24}")]
    private static partial Regex Ids();
}
