using Posthorn.Core;
using Posthorn.Journal.Volume;
using Posthorn.Sieve;
using Posthorn.Store.Scripts;

namespace Posthorn.Transport.Filtering;

/// <summary>The lists that scripts ask for (RFC 6134): text files that the administrator names, and the address books in an account's home.</summary>
/// <remarks>Locking: <c>_gate</c> guards the table of parsed lists; files are read outside it.</remarks>
public sealed class ListFiles(IVolume volume, TimeProvider time)
{
    /// <summary>Octets of one list: 4 MiB hold a hundred thousand addresses.</summary>
    public const long MaxList = 4L << 20;

    /// <summary>The folder of address books in an account's home.</summary>
    public const string BookFolder = "sieve/lists";

    // Parsed lists, about as many as there are busy accounts.
    private const int MaxParsed = 500;

    private readonly ScriptFiles _files = new(volume, time, MaxList, maxTotal: 64 << 20);
    private readonly Lock _gate = new();
    private readonly Dictionary<string, SieveExternalList> _parsed = [];

    /// <summary>The answer to a script's question. The default address book is there, and empty, where its file is not.</summary>
    public SieveAnswer Find(MailAccount account, string name, SieveOptions options)
    {
        string? path = options.Lists.GetValueOrDefault(name) ?? BookOf(account, name);
        if (path is null) return new SieveAnswer.List(null);
        Result<StoredScript> read = _files.Read(path, null);
        if (read.TryGet(out StoredScript? text, out Refusal? refusal)) return new SieveAnswer.List(Parsed(text));
        // A list is part of the script: one that cannot be read is no list without members (RFC 6134 section 3).
        if (refusal.Kind != RefusalKind.NoSuchScript) return new SieveAnswer.Unavailable($"the list {name} is larger than {MaxList} octets", IsTemporary: false);
        return new SieveAnswer.List(name == SieveExternalList.DefaultAddressBook ? new([]) : null);
    }

    // A name that could lead out of the folder names nothing.
    private static string? BookOf(MailAccount account, string name) =>
        SieveExternalList.AddressBook(name) is { } book && ScriptName.TryCreate(book, out _) && book[0] != '.' ? $"{account.Home}/{BookFolder}/{book}.txt" : null;

    private SieveExternalList Parsed(StoredScript text)
    {
        lock (_gate)
            if (_parsed.TryGetValue(text.Digest, out SieveExternalList? known)) return known;
        SieveExternalList list = SieveExternalList.Parse(text.Content.Span);
        lock (_gate)
        {
            if (_parsed.Count >= MaxParsed) _parsed.Clear();
            _parsed[text.Digest] = list;
        }
        return list;
    }
}
