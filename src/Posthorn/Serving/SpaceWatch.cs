using Microsoft.Extensions.Logging;
using Posthorn.Configuration;
using Posthorn.Control;
using Posthorn.Journal.Volume;

namespace Posthorn.Serving;

/// <summary>Tells the administrator when a volume has so little room that the stores refuse new mail: the clients are told "later", and <c>df</c> shows room all the same.</summary>
/// <param name="folders">Where mail and catalogues are.</param>
/// <param name="reserve">Below so many octets new mail is refused.</param>
/// <param name="freeAt">The free octets of a folder's volume; null when nobody knows.</param>
/// <param name="log">Where it is said.</param>
internal sealed class SpaceWatch(Func<IReadOnlyList<string>> folders, long reserve, Func<string, long?> freeAt, ILogger log)
{
    private readonly HashSet<string> _short = new(StringComparer.Ordinal);
    private readonly Lock _gate = new();

    /// <summary>Looks, and says what has changed since the last look.</summary>
    public void Look()
    {
        foreach (SpaceReport one in Report())
        {
            bool changed;
            lock (_gate) changed = one.IsShort ? _short.Add(one.Folder) : _short.Remove(one.Folder);
            if (!changed) continue;
            if (one.IsShort) log.SpaceShort(one.Folder, one.FreeBytes, one.ReserveBytes);
            else log.SpaceAgain(one.Folder, one.FreeBytes, one.ReserveBytes);
        }
    }

    /// <summary>How much room there is now.</summary>
    public IReadOnlyList<SpaceReport> Report() => [.. folders().Select(folder => (folder, Free: freeAt(folder))).Where(one => one.Free is not null).Select(one => new SpaceReport(one.folder, one.Free!.Value, reserve, one.Free < reserve))];

    /// <summary>The folders of a configuration: <c>data</c>, and the part of the mail's place that is the same for all, where that is elsewhere.</summary>
    public static IReadOnlyList<string> FoldersOf(ServerConfiguration configuration)
    {
        string mail = OptionsFor.Directory(configuration).MailLocationTemplate;
        mail = mail[(mail.IndexOf(':', StringComparison.Ordinal) + 1)..];
        if (mail.AsSpan().IndexOfAny('{', '%') is var variable and >= 0) mail = mail[..variable];
        string data = configuration.Data.TrimEnd('/');
        if (!mail.StartsWith('/')) return [data]; // in the homes of the accounts
        mail = mail[..Math.Max(mail.LastIndexOf('/'), 1)];
        while (mail.Length > 1 && !Folder.Exists(mail)) mail = Path.GetDirectoryName(mail) ?? "/";
        return mail == data || mail.StartsWith(data + "/", StringComparison.Ordinal) ? [data] : [data, mail];
    }

    /// <summary>What a volume says; null when it cannot be asked.</summary>
    public static long? FreeAt(IVolume volume, string folder)
    {
        try { return volume.FreeSpace(folder); }
        catch (IOException) { return null; }
    }
}
