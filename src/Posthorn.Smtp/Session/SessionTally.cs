namespace Posthorn.Smtp.Session;

/// <summary>Counts what a session may do only so often.</summary>
internal sealed class SessionTally(SmtpOptions options)
{
    private int _errors;
    private int _idle;
    private int _refused;
    private int _transactions;
    private int _refusals;
    private bool _early;

    /// <summary>One error more; true when it was one too many.</summary>
    public bool Error() => ++_errors >= options.MaxErrors;

    /// <summary>One refusal more; true when there have been so many that each is held back.</summary>
    public bool IsTarred() => ++_refusals > options.TarpitAfter;

    /// <summary>One command more that does nothing for mail; true when the session has done enough of that.</summary>
    public bool IdleCommand() => ++_idle > options.MaxIdleCommands && Error();

    /// <summary>One refused recipient more; true when it was one too many.</summary>
    public bool RefusedRecipient() => ++_refused >= options.MaxRefusedRecipients;

    /// <summary>Whether one transaction more is allowed; it is counted.</summary>
    public bool MayOpenAnother() => ++_transactions <= options.MaxTransactions;

    /// <summary>The client does not wait for replies that it has to wait for. True the first time.</summary>
    public bool TalksEarly()
    {
        if (_early) return false;
        return _early = true;
    }

    /// <summary>A message was accepted.</summary>
    public void Forgive() => _errors = _idle = _refusals = 0;
}
