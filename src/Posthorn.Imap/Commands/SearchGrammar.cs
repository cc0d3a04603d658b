using System.Text;
using Posthorn.Core;
using Posthorn.Imap.Session;
using Posthorn.Imap.Wire;
using Posthorn.Store;

namespace Posthorn.Imap.Commands;

/// <summary>What a command has to know of its search keys.</summary>
[Flags]
internal enum SearchTraits
{
    None = 0,

    /// <summary>The result is the highest MODSEQ too (RFC 7162 section 3.1.5).</summary>
    ModSeq = 1,

    /// <summary>Messages have a relevancy (RFC 6203 section 4).</summary>
    Fuzzy = 2,

    /// <summary>There are sequence numbers among them, which must go on to mean the same while the search runs (RFC 7162 section 3.2.10.2).</summary>
    Numbers = 4,
}

/// <summary>The grammar of search keys (RFC 9051 section 9, RFC 3501 section 9 for OLD, NEW and RECENT, RFC 5032 for OLDER and YOUNGER).</summary>
internal ref struct SearchGrammar
{
    private readonly Encoding? _charset;
    private readonly ImapOptions _limits;
    private int _keys;

    private SearchGrammar(Encoding? charset, ImapOptions limits) => (_charset, _limits) = (charset, limits);

    private SearchTraits _traits;

    /// <summary><c>search-program = ["CHARSET" SP astring SP] search-key *(SP search-key)</c></summary>
    public static SearchKey ParseProgram(ref ImapReader args, out SearchTraits traits)
    {
        string? charset = null;
        if (args.TryWord("CHARSET"u8))
        {
            if (args.Dialect.Utf8Accept) args.Fail("no charset after ENABLE UTF8=ACCEPT");
            args.Space();
            charset = Encoding.ASCII.GetString(args.AString());
            args.Space();
        }
        return Parse(ref args, charset, out traits);
    }

    /// <summary>Reads keys up to the end of the command.</summary>
    /// <param name="args">Where they stand.</param>
    /// <param name="charset">The name after CHARSET, or null.</param>
    /// <param name="traits">What is to be known of them.</param>
    public static SearchKey Parse(ref ImapReader args, string? charset, out SearchTraits traits)
    {
        SearchGrammar grammar = new(Charset(ref args, charset), args.Dialect.Limits);
        List<SearchKey> keys = [];
        do
        {
            keys.Add(grammar.Key(ref args, 0));
        }
        while (args.TrySpace() && !args.AtEnd);
        args.End();
        traits = grammar._traits;
        return keys.Count == 1 ? keys[0] : new SearchKey.And(keys);
    }

    private static Encoding? Charset(ref ImapReader args, string? name)
    {
        if (name is null) return null;
        // US-ASCII keys are read as UTF-8, which they are.
        if (name.Equals("US-ASCII", StringComparison.OrdinalIgnoreCase)) return Encoding.UTF8;
        // Names that messages have for "unknown" are no charset that a search can be in (RFC 3501 section 6.4.4).
        Encoding? charset = IsUnknown(name) ? null : Mime.Charsets.TryFind(Encoding.ASCII.GetBytes(name));
        if (charset is null) args.Refuse(Completion.No("BADCHARSET (US-ASCII UTF-8)", "This charset is not known here"));
        return charset;
    }

    private static bool IsUnknown(string name) => name.ToUpperInvariant() is "X-UNKNOWN" or "UNKNOWN-8BIT" or "DEFAULT";

    private SearchKey Key(ref ImapReader args, int depth)
    {
        if (depth > _limits.MaxSearchDepth) args.Fail("a search that is less deep");
        if (++_keys > _limits.MaxSearchKeys) args.Fail("a search with fewer keys");
        if (args.TryTake((byte)'(')) return Group(ref args, depth);
        bool numbers = args.Next is (byte)'*' or (>= (byte)'0' and <= (byte)'9');
        if (numbers && args.Dialect.UidOnly) args.Refuse(Completion.UidRequired);
        if (numbers) _traits |= SearchTraits.Numbers;
        if (numbers || args.Next == '$') return new SearchKey.Numbers(args.SequenceSet(), Numbering.Sequence);
        if (args.TryWord("NOT"u8))
        {
            args.Space();
            return new SearchKey.Not(Key(ref args, depth + 1));
        }
        if (args.TryWord("OR"u8)) return Or(ref args, depth);
        // RFC 6203: what matches exactly matches fuzzily.
        if (args.TryWord("FUZZY"u8))
        {
            args.Space();
            _traits |= SearchTraits.Fuzzy;
            return Key(ref args, depth + 1);
        }
        return Flag(ref args) ?? Date(ref args) ?? Text(ref args) ?? Other(ref args);
    }

    // However ORs nest, they are one list: programs ask so for many messages or addresses.
    private SearchKey.Or Or(ref ImapReader args, int depth)
    {
        List<SearchKey> keys = [];
        for (int wanted = 2; keys.Count < wanted && !args.Failed;)
        {
            args.Space();
            if (!args.TryWord("OR"u8)) keys.Add(Key(ref args, depth + 1));
            else if (++wanted > _limits.MaxSearchKeys) args.Fail("a search with fewer keys");
        }

        return new(keys);
    }

    private SearchKey Group(ref ImapReader args, int depth)
    {
        List<SearchKey> keys = [];
        do
        {
            keys.Add(Key(ref args, depth + 1));
        }
        while (args.TrySpace());
        args.Take((byte)')');
        return keys.Count == 1 ? keys[0] : new SearchKey.And(keys);
    }

    private static SearchKey.Row? Flag(ref ImapReader args)
    {
        if (args.TryWord("ALL"u8)) return Row((in MessageRow r, bool _) => true);
        if (args.TryWord("ANSWERED"u8)) return Has(SystemFlags.Answered);
        if (args.TryWord("DELETED"u8)) return Has(SystemFlags.Deleted);
        if (args.TryWord("DRAFT"u8)) return Has(SystemFlags.Draft);
        if (args.TryWord("FLAGGED"u8)) return Has(SystemFlags.Flagged);
        if (args.TryWord("SEEN"u8)) return Has(SystemFlags.Seen);
        if (args.TryWord("UNANSWERED"u8)) return Lacks(SystemFlags.Answered);
        if (args.TryWord("UNDELETED"u8)) return Lacks(SystemFlags.Deleted);
        if (args.TryWord("UNDRAFT"u8)) return Lacks(SystemFlags.Draft);
        if (args.TryWord("UNFLAGGED"u8)) return Lacks(SystemFlags.Flagged);
        if (args.TryWord("UNSEEN"u8)) return Lacks(SystemFlags.Seen);
        if (args.TryWord("RECENT"u8)) return Row((in MessageRow r, bool recent) => recent);
        if (args.TryWord("OLD"u8)) return Row((in MessageRow r, bool recent) => !recent);
        if (args.TryWord("NEW"u8)) return Row((in MessageRow r, bool recent) => recent && (r.Flags & SystemFlags.Seen) == 0);
        bool wanted = args.TryWord("KEYWORD"u8);
        if (!wanted && !args.TryWord("UNKEYWORD"u8)) return null;
        args.Space();
        string name = Encoding.ASCII.GetString(args.Atom());
        // A keyword that no message can have is simply nowhere.
        return Keyword.TryCreate(name, out Keyword keyword) ? Row((in MessageRow r, bool _) => r.Keywords.Contains(keyword) == wanted) : Row((in MessageRow r, bool _) => !wanted);
    }

    private static SearchKey? Date(ref ImapReader args)
    {
        if (args.TryWord("BEFORE"u8)) return Internal(Day(ref args, true, false, false));
        if (args.TryWord("ON"u8)) return Internal(Day(ref args, false, true, false));
        if (args.TryWord("SINCE"u8)) return Internal(Day(ref args, false, true, true));
        if (args.TryWord("SENTBEFORE"u8)) return new SearchKey.Sent(Day(ref args, true, false, false));
        if (args.TryWord("SENTON"u8)) return new SearchKey.Sent(Day(ref args, false, true, false));
        if (args.TryWord("SENTSINCE"u8)) return new SearchKey.Sent(Day(ref args, false, true, true));
        if (args.TryWord("SAVEDBEFORE"u8)) return new SearchKey.Saved(Day(ref args, true, false, false));
        if (args.TryWord("SAVEDON"u8)) return new SearchKey.Saved(Day(ref args, false, true, false));
        if (args.TryWord("SAVEDSINCE"u8)) return new SearchKey.Saved(Day(ref args, false, true, true));
        return args.TryWord("SAVEDATESUPPORTED"u8) ? Row((in MessageRow r, bool _) => true) : null;
    }

    private readonly SearchKey? Text(ref ImapReader args)
    {
        if (args.TryWord("TEXT"u8)) return Find(ref args, TextScope.All, "");
        if (args.TryWord("BODY"u8)) return Find(ref args, TextScope.Body, "");
        if (args.TryWord("SUBJECT"u8)) return Find(ref args, TextScope.Header, "Subject");
        if (args.TryWord("FROM"u8)) return Find(ref args, TextScope.Header, "From");
        if (args.TryWord("TO"u8)) return Find(ref args, TextScope.Header, "To");
        if (args.TryWord("CC"u8)) return Find(ref args, TextScope.Header, "Cc");
        if (args.TryWord("BCC"u8)) return Find(ref args, TextScope.Header, "Bcc");
        if (!args.TryWord("HEADER"u8)) return null;
        args.Space();
        string name = Encoding.Latin1.GetString(args.AString()).TrimEnd(':');
        return Find(ref args, TextScope.Header, name);
    }

    private SearchKey Other(ref ImapReader args)
    {
        if (args.TryWord("UID"u8))
        {
            args.Space();
            return new SearchKey.Numbers(args.SequenceSet(), Numbering.Uid);
        }
        // RFC 9738: the way on from where a command ended.
        if (args.TryWord("UIDAFTER"u8)) return Beyond(ref args, after: true);
        if (args.TryWord("UIDBEFORE"u8)) return Beyond(ref args, after: false);
        if (args.TryWord("LARGER"u8))
        {
            long size = Number(ref args);
            return Row((in MessageRow r, bool _) => r.Size > size);
        }
        if (args.TryWord("SMALLER"u8))
        {
            long size = Number(ref args);
            return Row((in MessageRow r, bool _) => r.Size < size);
        }
        if (args.TryWord("OLDER"u8)) return Age(ref args, older: true);
        if (args.TryWord("YOUNGER"u8)) return Age(ref args, older: false);
        if (args.TryWord("MODSEQ"u8)) return ModSeq(ref args);
        if (args.TryWord("EMAILID"u8)) return Id(ref args, isThread: false);
        if (args.TryWord("THREADID"u8)) return Id(ref args, isThread: true);
        args.Fail("a search key");
        return Row((in MessageRow r, bool _) => false);
    }

    private static SearchKey.Numbers Beyond(ref ImapReader args, bool after)
    {
        args.Space();
        uint uid = args.NzNumber();
        if (uid == (after ? uint.MaxValue : 1)) return new SearchKey.Numbers(new([]), Numbering.Uid);
        return new SearchKey.Numbers(new([after ? new(uid + 1, uint.MaxValue) : new(1, uid - 1)]), Numbering.Uid);
    }

    // RFC 5032: seconds before now; the answer is that of the moment of the command.
    private static SearchKey.Row Age(ref ImapReader args, bool older)
    {
        args.Space();
        long limit = args.Dialect.Now.ToUnixTimeSeconds() - args.NzNumber();
        return Row((in MessageRow r, bool _) => older ? r.Internal <= limit : r.Internal >= limit);
    }

    // search-modsequence = "MODSEQ" [SP entry-name SP entry-type-req] SP mod-sequence-valzer
    private SearchKey.Row ModSeq(ref ImapReader args)
    {
        _traits |= SearchTraits.ModSeq;
        args.Space();
        if (args.Next == '"')
        {
            args.String(); // all flags of a message share one MODSEQ here, as RFC 7162 section 3.1.5 allows
            args.Space();
            if (!args.TryWord("priv"u8) && !args.TryWord("shared"u8) && !args.TryWord("all"u8)) args.Fail("priv, shared or all");
            args.Space();
        }
        long least = args.Number64();
        return Row((in MessageRow r, bool _) => r.ModSeq.Value >= least);
    }

    private static SearchKey.ObjectId Id(ref ImapReader args, bool isThread)
    {
        args.Space();
        return new(Encoding.ASCII.GetString(args.AString()), isThread);
    }

    private readonly SearchKey Find(ref ImapReader args, TextScope scope, string header)
    {
        args.Space();
        ReadOnlySpan<byte> needle = args.AString();
        string text = _charset is null ? ImapReader.Text(needle) : _charset.GetString(needle);
        // An empty needle is in every text (RFC 9051 section 6.4.4); only a header may be missing.
        return text.Length == 0 && scope != TextScope.Header ? Row((in MessageRow r, bool _) => true) : new SearchKey.Text(new(scope, header, text));
    }

    private static long Number(ref ImapReader args)
    {
        args.Space();
        return args.Number64();
    }

    private static DayTest Day(ref ImapReader args, bool before, bool on, bool after)
    {
        args.Space();
        return new(args.Date(), before, on, after);
    }

    private static SearchKey.Row Internal(DayTest test) => Row((in MessageRow r, bool _) => test.Holds(r.InternalDate));
    private static SearchKey.Row Has(SystemFlags flag) => Row((in MessageRow r, bool _) => (r.Flags & flag) != 0);
    private static SearchKey.Row Lacks(SystemFlags flag) => Row((in MessageRow r, bool _) => (r.Flags & flag) == 0);
    private static SearchKey.Row Row(RowTest test) => new(test);
}
