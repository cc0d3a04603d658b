using Posthorn.Core;

namespace Posthorn.Sieve;

/// <summary>A question that only the host can answer. Equal questions have equal answers during one run.</summary>
public abstract record SieveQuestion
{
    private SieveQuestion()
    {
    }

    /// <summary>Can the owner deliver into this mailbox? Answer: <see cref="SieveAnswer.Truth"/> (RFC 5490 section 3.1).</summary>
    public sealed record MailboxExists(MailboxName Mailbox) : SieveQuestion;

    /// <summary>Is there a mailbox with this id? Answer: <see cref="SieveAnswer.Truth"/> (RFC 9042 section 6).</summary>
    public sealed record MailboxIdExists(string Id) : SieveQuestion;

    /// <summary>Has this mailbox, or any, the special use? Answer: <see cref="SieveAnswer.Truth"/> (RFC 8579 section 3).</summary>
    public sealed record SpecialUseExists(MailboxName? Mailbox, string Use) : SieveQuestion;

    /// <summary>An annotation of a mailbox, or of the server. Answer: <see cref="SieveAnswer.Text"/> (RFC 5490 sections 3.3 and 4.1).</summary>
    public sealed record Metadata(MailboxName? Mailbox, string Entry) : SieveQuestion;

    /// <summary>A list that is kept outside the script. Answer: <see cref="SieveAnswer.List"/> (RFC 6134).</summary>
    /// <param name="Name">The full name, a URI; see <see cref="SieveExternalList.Normalize"/>.</param>
    public sealed record ExternalList(string Name) : SieveQuestion;

    /// <summary>Was the id seen before, within its period? Answer: <see cref="SieveAnswer.Truth"/> (RFC 7352 section 3).</summary>
    public sealed record WasSeen(string Handle, string Id) : SieveQuestion;

    /// <summary>May the owner send mail as this address? Answer: <see cref="SieveAnswer.Truth"/> (RFC 5230 section 4.3, RFC 5435 section 3.3).</summary>
    public sealed record MaySendAs(EmailAddress Address) : SieveQuestion;

    /// <summary>A script to include, compiled. Answer: <see cref="SieveAnswer.Script"/> (RFC 6609 section 3.2).</summary>
    public sealed record Include(bool IsGlobal, string Name) : SieveQuestion;

    /// <summary>Run a program of the administrator's directory now (vnd.dovecot.filter, vnd.dovecot.execute). Answer: <see cref="SieveAnswer.Output"/>.</summary>
    /// <param name="Number">Which call of this run it is.</param>
    /// <param name="Input">Its input, not part of the question's identity.</param>
    public sealed record Run(int Number, bool IsFilter, string Program, string ArgumentLine, IReadOnlyList<string> Arguments, SieveInput Input) : SieveQuestion
    {
        public bool Equals(Run? other) => other is not null && Number == other.Number && IsFilter == other.IsFilter && Program == other.Program && ArgumentLine == other.ArgumentLine;
        public override int GetHashCode() => HashCode.Combine(Number, IsFilter, Program, ArgumentLine);
    }
}

/// <summary>Input for a program.</summary>
public sealed record SieveInput(ReadOnlyMemory<byte> Octets);

/// <summary>An answer of the host.</summary>
public abstract record SieveAnswer
{
    private SieveAnswer()
    {
    }

    public sealed record Truth(bool Value) : SieveAnswer;

    /// <summary>A text, or none.</summary>
    public sealed record Text(string? Value) : SieveAnswer;

    /// <summary>A list, or null when there is none of that name.</summary>
    public sealed record List(SieveExternalList? Value) : SieveAnswer;

    /// <summary>A script; null with <paramref name="Problem"/> null when there is none of that name.</summary>
    public sealed record Script(SieveScript? Value, string? Problem = null) : SieveAnswer;

    /// <summary>A program's end: whether it went well, and what it wrote.</summary>
    public sealed record Output(bool IsOk, ReadOnlyMemory<byte> Octets) : SieveAnswer;

    /// <summary>The host cannot say now, or the question makes no sense to it.</summary>
    public sealed record Unavailable(string Why, bool IsTemporary = true) : SieveAnswer;
}

/// <summary>What the interpreter asks of its surroundings. Effects are not among it: those are actions.</summary>
public interface ISieveHost
{
    /// <summary>Answers one question. Called between evaluations, never during one; each question once per run.</summary>
    ValueTask<SieveAnswer> AskAsync(SieveQuestion question, CancellationToken cancel);
}
