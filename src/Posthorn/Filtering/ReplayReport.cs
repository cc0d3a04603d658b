namespace Posthorn.Filtering;

/// <summary>What <c>sieve replay</c> found.</summary>
/// <param name="Examined">Messages that were read.</param>
/// <param name="Gone">Messages that went while we looked.</param>
/// <param name="Differ">Messages with which the draft does something else than the scripts as they are.</param>
/// <param name="Elsewhere">Messages that the draft would not put where they lie now.</param>
/// <param name="Failed">Messages at which the draft fails; they would be kept.</param>
/// <param name="HasActive">A script runs now.</param>
/// <param name="Messages">Those that differ or fail, oldest first.</param>
/// <param name="Lines">Each line of the draft with commands, and how many messages reached it.</param>
/// <param name="Limits">What this replay could not know or do, in words.</param>
internal sealed record ReplayReport(
    string Account, DateTimeOffset Since, int Examined, int Gone, int Differ, int Elsewhere, int Failed, bool HasActive, IReadOnlyList<ReplayedMessage> Messages, IReadOnlyList<ReplayedLine> Lines,
    IReadOnlyList<string> Limits);

/// <summary>One message: where it lies, what the scripts as they are do with it, and what the draft would.</summary>
internal sealed record ReplayedMessage(string Mailbox, DateTimeOffset Received, string From, string Subject, IReadOnlyList<string> Active, IReadOnlyList<string> Draft, string? Error);

/// <summary>A line of the draft.</summary>
internal sealed record ReplayedLine(int Line, long Times);

/// <summary>One line of the stream over the control socket: how far it is, or the end.</summary>
internal sealed record ReplayNews(int? Done, int? Total, ReplayReport? Report, string? Error);
