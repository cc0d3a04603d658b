using Posthorn.Core;

namespace Posthorn.Imap.Commands;

/// <summary>How clients see a THREADID. It is kept as the EMAILID of the conversation's first message, and the two must differ (RFC 8474 section 5.2).</summary>
internal static class ThreadIdText
{
    /// <summary>The value as it goes out and comes in; empty for none.</summary>
    public static string Of(ThreadId thread) => string.IsNullOrEmpty(thread.Value) ? "" : "T" + thread.Value;
}
