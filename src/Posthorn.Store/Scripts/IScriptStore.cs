using Posthorn.Core;

namespace Posthorn.Store.Scripts;

/// <summary>The Sieve scripts of all accounts: what ManageSieve changes and delivery runs. It knows nothing of the language; who puts a script checks it first.</summary>
/// <remarks>What changes something is whole or not there at all, and durable when its task completes. Changes of one account come one after the other.</remarks>
public interface IScriptStore
{
    /// <summary>The bounds, for who wants to tell them.</summary>
    ScriptLimits Limits { get; }

    /// <summary>All scripts in order of name. At most one is active.</summary>
    ValueTask<IReadOnlyList<ScriptInfo>> ListAsync(MailAccount account, CancellationToken cancel);

    /// <summary>One script; <see cref="RefusalKind.NoSuchScript"/> when there is none.</summary>
    ValueTask<Result<StoredScript>> GetAsync(MailAccount account, ScriptName name, CancellationToken cancel);

    /// <summary>The script that runs on delivery; <see cref="RefusalKind.NoSuchScript"/> when none is active.</summary>
    ValueTask<Result<StoredScript>> ActiveAsync(MailAccount account, CancellationToken cancel);

    /// <summary>Whether a script of this size could be put now (RFC 5804 section 2.5): <see cref="RefusalKind.TooBig"/>, <see cref="RefusalKind.Limit"/> (too many scripts) or <see cref="RefusalKind.OverQuota"/> when not.</summary>
    ValueTask<Result<Done>> HasRoomAsync(MailAccount account, ScriptName name, long octets, CancellationToken cancel);

    /// <summary>Makes or replaces a script; an active one stays active (RFC 5804 section 2.6). Refused as <see cref="HasRoomAsync"/> says.</summary>
    ValueTask<Result<Done>> PutAsync(MailAccount account, ScriptName name, ReadOnlyMemory<byte> content, CancellationToken cancel);

    /// <summary>Removes a script; <see cref="RefusalKind.InUse"/> when it is the active one (RFC 5804 section 2.10).</summary>
    ValueTask<Result<Done>> DeleteAsync(MailAccount account, ScriptName name, CancellationToken cancel);

    /// <summary>Renames a script; an active one stays active (RFC 5804 section 2.11.1). <see cref="RefusalKind.AlreadyExists"/> when the new name is taken.</summary>
    ValueTask<Result<Done>> RenameAsync(MailAccount account, ScriptName from, ScriptName target, CancellationToken cancel);

    /// <summary>Makes a script the active one; null makes none active (RFC 5804 section 2.8).</summary>
    ValueTask<Result<Done>> ActivateAsync(MailAccount account, ScriptName? name, CancellationToken cancel);
}

/// <summary>A script in a list.</summary>
public sealed record ScriptInfo(ScriptName Name, long Octets, bool IsActive);

/// <summary>A script's text.</summary>
/// <param name="Name">Its name; null for an active script that is not among the named ones (a file or a link of the administrator's making).</param>
/// <param name="Content">Its octets as they were put.</param>
/// <param name="Digest">SHA-256 of the content in hexadecimal: equal scripts need compiling once.</param>
public sealed record StoredScript(ScriptName? Name, ReadOnlyMemory<byte> Content, string Digest);

/// <summary>Bounds of one account's scripts.</summary>
public sealed record ScriptLimits
{
    /// <summary>The longest script, octets. 1 MiB, as Pigeonhole: generated rule sets with long address lists reach some hundred KiB.</summary>
    public long ScriptOctets { get; init; } = 1 << 20;

    /// <summary>The most scripts. 100: clients make one or a few; a client in a loop is stopped.</summary>
    public int Scripts { get; init; } = 100;

    /// <summary>The most octets of all scripts together. 10 MiB.</summary>
    public long TotalOctets { get; init; } = 10 << 20;
}
