using System.Globalization;
using System.Text;
using Posthorn.Journal.Volume;

namespace Posthorn.Store.Engine;

/// <summary>A small file beside the catalogues that says whether the last run ended in order, and counts the ends of the machine that did not.</summary>
/// <remarks>
/// A catalogue cannot say so of itself: the note that it was opened is as unsynced as the changes that clients were told of, and a power cut may take both.
/// The file is durable before the first account is opened, at the cost of one flush for each start.
/// </remarks>
internal sealed class RunMarker(string directory, string bootId)
{
    private const string Name = "run";
    private readonly LinuxVolume _volume = new(); // SQLite's files lie on the real disk, and so does this one.

    /// <summary>How many runs were ended by the machine: what they told last may be forgotten.</summary>
    internal long Losses { get; private set; }

    /// <summary>Begins a run.</summary>
    /// <exception cref="VolumeException">The file cannot be written.</exception>
    internal void Begin()
    {
        if (!_volume.TryStat(directory, out _)) Directory.CreateDirectory(directory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        (Losses, string boot) = Read();
        if (boot.Length > 0 && boot != bootId) Losses++;
        Write(bootId);
    }

    /// <summary>Ends it in order: the catalogues are closed and durable.</summary>
    internal void End() => Write("");

    private (long, string) Read()
    {
        string path = $"{directory}/{Name}";
        if (!_volume.TryStat(path, out _)) return (0, "");
        string[] words = File.ReadAllText(path).Split('\n');
        return (long.TryParse(words[0], CultureInfo.InvariantCulture, out long losses) ? losses : 0, words.Length > 1 ? words[1] : "");
    }

    private void Write(string boot)
    {
        string path = $"{directory}/{Name}";
        using (IVolumeFile file = _volume.Open(path + ".new", VolumeOpen.Replace))
        {
            file.Write(0, Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{Losses}\n{boot}\n")));
            file.SyncData();
        }

        _volume.Rename(path + ".new", path);
        _volume.SyncDirectory(directory);
    }
}
