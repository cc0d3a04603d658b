namespace Posthorn.Control;

/// <summary>What <c>explain</c> tells.</summary>
internal sealed record ExplainReport(
    string Listener, string Client, string? ClientName, string Helo, string From, string? Account, IReadOnlyList<ExplainReportStage> Stages, IReadOnlyList<ExplainReportRecipient> Recipients,
    bool Accepted, string? Held, string? Discarded, string? RedirectedTo, string? RewrittenFrom, IReadOnlyList<string> Prepended, IReadOnlyList<ExplainReportTarget> Targets);

/// <summary>One stage: what the client hears, what was decided against it, and by whom.</summary>
internal sealed record ExplainReportStage(string Stage, string? Recipient, string? Reply, string? Refusal, string? DecidedBy, IReadOnlyList<ExplainReportRemark> Remarks);

/// <summary>What a check said.</summary>
internal sealed record ExplainReportRemark(string By, string Text, bool IsDecision);

/// <summary>One recipient.</summary>
internal sealed record ExplainReportRecipient(string Address, bool Accepted, string Reply);

/// <summary>A place where mail would go.</summary>
internal sealed record ExplainReportTarget(string Recipient, string Address, string? Account, string? Mailbox, bool HasFilter, bool FilterUnusable, string? Route, string? Fault, bool Copy);
