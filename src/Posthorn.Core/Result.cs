namespace Posthorn.Core;

/// <summary>Why something that a caller must expect did not happen. Each protocol maps kinds to its replies in one place.</summary>
public enum RefusalKind
{
    /// <summary>No mailbox of that name.</summary>
    NoSuchMailbox,
    /// <summary>A mailbox of that name exists.</summary>
    AlreadyExists,
    /// <summary>The name cannot be used (RFC 9051 CANNOT).</summary>
    BadName,
    /// <summary>The account's quota would be exceeded.</summary>
    OverQuota,
    /// <summary>One message is larger than the account or server takes.</summary>
    TooBig,
    /// <summary>A limit of the server (mailboxes, keywords, depth) is reached.</summary>
    Limit,
    /// <summary>The caller has no right to do this.</summary>
    NoPermission,
    /// <summary>The mailbox was opened read-only.</summary>
    ReadOnly,
    /// <summary>The content is gone: another session expunged it (RFC 5530 EXPUNGEISSUED).</summary>
    Expunged,
    /// <summary>The mailbox has children or is otherwise in use.</summary>
    InUse,
    /// <summary>No Sieve script of that name (RFC 5804 NONEXISTENT).</summary>
    NoSuchScript,
    /// <summary>No account of that name.</summary>
    NoSuchAccount,
    /// <summary>The disk or the journal is full: works again when there is room (RFC 5530 UNAVAILABLE, SMTP 452).</summary>
    NoSpace,
    /// <summary>Disk broken, volume missing, database busy: may work later (RFC 5530 UNAVAILABLE, SMTP 4xx).</summary>
    Unavailable,
}

/// <summary>A refusal: its kind and one sentence that a person can act on. Never holds secrets or paths.</summary>
public sealed record Refusal(RefusalKind Kind, string Text);

/// <summary>A value, or the reason why there is none.</summary>
public readonly struct Result<T> where T : notnull
{
    private readonly T? _value;
    private readonly Refusal? _refusal;

    private Result(T? value, Refusal? refusal) => (_value, _refusal) = (value, refusal);

    public bool IsOk => _refusal is null;

    /// <summary>The value.</summary>
    /// <exception cref="InvalidOperationException">It was refused.</exception>
    public T Value => _refusal is null ? _value! : throw new InvalidOperationException(_refusal.Text);

    /// <summary>The refusal.</summary>
    /// <exception cref="InvalidOperationException">There is a value.</exception>
    public Refusal Refusal => _refusal ?? throw new InvalidOperationException("There is no refusal.");

    /// <summary>Takes the value or the refusal apart.</summary>
    public bool TryGet([System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out T? value, [System.Diagnostics.CodeAnalysis.NotNullWhen(false)] out Refusal? refusal)
    {
        value = _value;
        refusal = _refusal;
        return _refusal is null;
    }

    public static implicit operator Result<T>(T value) => new(value, null);
    public static implicit operator Result<T>(Refusal refusal) => new(default, refusal);
}

/// <summary>The value of a <see cref="Result{T}"/> that only says that it was done.</summary>
public readonly record struct Done
{
    /// <summary>It was done.</summary>
    public static Done It => default;
}
