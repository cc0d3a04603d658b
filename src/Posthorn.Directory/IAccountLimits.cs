using Posthorn.Core;

namespace Posthorn.Directory;

/// <summary>Changes what accounts may use, where the accounts are kept.</summary>
public interface IAccountLimits
{
    /// <summary>Sets both limits; null is none. The directory knows it when the task completes.</summary>
    ValueTask<Result<Done>> SetQuotaAsync(MailAccount account, long? bytes, long? messages, CancellationToken cancel);
}
