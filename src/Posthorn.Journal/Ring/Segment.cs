using Posthorn.Journal.Format;
using Posthorn.Journal.Volume;

namespace Posthorn.Journal.Ring;

/// <summary>One file of the ring. The journal's lock guards what can change.</summary>
internal sealed class Segment(string path, IVolumeFile file, int size)
{
    internal string Path { get; } = path;
    internal IVolumeFile File { get; } = file;
    internal int Size { get; } = size;

    /// <summary>Its head in this use; the default while it is free.</summary>
    internal SegmentHeader Header { get; set; }

    /// <summary>Where its acknowledged part ends.</summary>
    internal long End { get; set; }

    /// <summary>The last acknowledged record in it, or before it.</summary>
    internal long LastLsn { get; set; }

    /// <summary>A flush of it failed: it is written anew from nothing before it is used again.</summary>
    internal bool Poisoned { get; set; }

    /// <summary>How many readers hold content in it.</summary>
    internal int Pins { get; set; }
}
