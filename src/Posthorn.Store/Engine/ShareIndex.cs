using System.Collections.Concurrent;
using Posthorn.Core;
using Posthorn.Journal.Volume;
using Posthorn.Store.Sharing;

namespace Posthorn.Store.Engine;

/// <summary>Which accounts share something with whom, so that a list of mailboxes need not open every account.</summary>
/// <remarks>
/// A file <c>shared</c> beside the catalogue of each account that shares: its address, then a line for each identifier that has a right somewhere (each lets do something without the others, RFC 4314 section 4). The catalogue has the truth: the file
/// is compared with it whenever the account is opened. Locking: the table is concurrent; an account's entry changes under its catalogue lock alone.
/// </remarks>
internal sealed class ShareIndex(MaildirStoreOptions options)
{
    private const string FileName = "shared";
    private readonly LinuxVolume _volume = new(); // beside SQLite's files, which lie on the real disk
    private readonly ConcurrentDictionary<EmailAddress, string[]> _shares = new();
    private readonly ConcurrentDictionary<EmailAddress, bool> _unwritten = new();
    private TaskCompletionSource _change = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _number;

    /// <summary>Grows with every change.</summary>
    internal long Number => Volatile.Read(ref _number);

    /// <summary>Reads the files of all accounts.</summary>
    internal void Load()
    {
        if (!Directory.Exists(options.AccountsDirectory)) return;
        foreach (string domain in Directory.EnumerateDirectories(options.AccountsDirectory))
            foreach (string account in Directory.EnumerateDirectories(domain))
            {
                string path = $"{account}/{FileName}";
                if (!File.Exists(path)) continue;
                string[] lines = File.ReadAllLines(path);
                if (lines.Length > 1 && EmailAddress.TryParse(lines[0], out EmailAddress owner)) _shares[owner] = lines[1..];
            }
    }

    /// <summary>The accounts that share something with a user, in order.</summary>
    internal IReadOnlyList<EmailAddress> With(EmailAddress user)
    {
        string name = MailboxAcl.IdentifierOf(user);
        return [.. _shares.Where(pair => pair.Key != user && (pair.Value.Contains(name) || pair.Value.Contains(MailboxAcl.Anyone))).Select(pair => pair.Key)
            .OrderBy(owner => owner.ToString(), StringComparer.OrdinalIgnoreCase)];
    }

    /// <summary>Completes when <see cref="Number"/> is above <paramref name="seen"/>.</summary>
    internal async ValueTask WaitAsync(long seen, CancellationToken cancel)
    {
        while (true)
        {
            Task change = Volatile.Read(ref _change).Task;
            if (Number > seen) return;
            await change.WaitAsync(cancel);
        }
    }

    /// <summary>Says what an account's mailboxes grant now. That counts at once, also where the file cannot be written: then the next call tries again.</summary>
    internal void Update(EmailAddress owner, IEnumerable<MailboxAcl> lists)
    {
        string self = MailboxAcl.IdentifierOf(owner);
        string[] identifiers = [.. lists.SelectMany(list => list.Entries).Where(entry => entry.Rights != MailboxRights.None && entry.Identifier[0] != '-' && entry.Identifier != self)
            .Select(entry => entry.Identifier).Distinct().Order(StringComparer.Ordinal)];
        bool isKnown = _shares.TryGetValue(owner, out string[]? known) ? known.AsSpan().SequenceEqual(identifiers) : identifiers.Length == 0;
        if (isKnown && !_unwritten.ContainsKey(owner)) return;
        _unwritten[owner] = true;
        if (!isKnown)
        {
            if (identifiers.Length == 0) _shares.TryRemove(owner, out _);
            else _shares[owner] = identifiers;
            Announce();
        }

        Write(owner, identifiers);
        _unwritten.TryRemove(owner, out _);
    }

    private void Write(EmailAddress owner, string[] identifiers)
    {
        string directory = AccountOpener.DirectoryOf(options, owner);
        if (identifiers.Length == 0) File.Delete($"{directory}/{FileName}");
        else
        {
            string text = string.Join('\n', [owner.ToString(), .. identifiers, ""]);
            _volume.ReplaceFile($"{directory}/{FileName}", $"{directory}/{FileName}.new", System.Text.Encoding.UTF8.GetBytes(text), sync: true);
        }

        _volume.SyncDirectory(directory);
    }

    private void Announce()
    {
        Interlocked.Increment(ref _number);
        Interlocked.Exchange(ref _change, new(TaskCreationOptions.RunContinuationsAsynchronously)).TrySetResult();
    }
}
