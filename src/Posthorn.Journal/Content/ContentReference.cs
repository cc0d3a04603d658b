namespace Posthorn.Journal.Content;

/// <summary>Where a record's content lies. The values reach the disk.</summary>
internal enum ContentKind : byte
{
    /// <summary>It has none.</summary>
    None = 0,
    /// <summary>Behind the steps in the segment.</summary>
    Inline = 1,
    /// <summary>In a file of its own in the folder <c>spool</c>.</summary>
    Spool = 2,
}

/// <summary>A record's content: where, how long, its checksum, and the number of its spool file.</summary>
internal readonly record struct ContentReference(ContentKind Kind, long Length, uint Checksum, long Spool);
