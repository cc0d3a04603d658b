using System.Text;
using CsCheck;
using Microsoft.Extensions.Time.Testing;
using Posthorn.Directory.Passwords;

namespace Posthorn.Directory.Tests.Passwords;

public sealed class PasswordTests
{
    private static readonly string[] Beginnings = ["", "{PLAIN}", "{SSHA}", "{SCRAM-SHA-256}", "{ARGON2ID}$argon2id$v=19$", "{PBKDF2}$1$", "$6$", "{CRYPT}", "{SHA.HEX}", "{"];

    private static async Task<Verdict> VerifyAsync(string field, string password)
    {
        StoredPassword stored = StoredPassword.Parse(field, out string error) ?? throw new InvalidOperationException(error);
        using PasswordVerifier verifier = new(new(), new FakeTimeProvider());
        return (await verifier.VerifyAsync("ann", stored, Encoding.UTF8.GetBytes(password), TestContext.Current.CancellationToken)).Verdict;
    }

    [Theory]
    [InlineData("test", "{PLAIN}test")]
    [InlineData("test", "{cleartext}test")]
    [InlineData("test", "{PLAIN.HEX}74657374")]
    [InlineData("test", "{PLAIN.b64}dGVzdA==")]
    // Ulrich Drepper's vectors for SHA-crypt
    [InlineData("Hello world!", "{SHA512-CRYPT}$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1")]
    [InlineData("Hello world!", "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1")]
    [InlineData("Hello world!", "{SHA256-CRYPT}$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5")]
    [InlineData("Hello world!", "{CRYPT}$5$rounds=10000$saltstringsaltst$3xv.VbSHBb41AL9AvLeujZkZRBAwqFMz2.opqey6IcA")]
    [InlineData("test", "{BLF-CRYPT}$2y$05$abcdefghijklmnopqrstuuMceFj4VbmHOj8C7PetMxzZkwre/z.Ri")]
    [InlineData("test", "$2y$05$abcdefghijklmnopqrstuuMceFj4VbmHOj8C7PetMxzZkwre/z.Ri")]
    [InlineData("test", "{MD5-CRYPT}$1$saltsalt$tTWg0JeO/sYmHvtKmZE8c.")]
    [InlineData("test", "{CRYPT}abgOeLfPimXQo")]
    // the reference implementation's vectors for Argon2
    [InlineData("password", "{ARGON2ID}$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4")]
    [InlineData("password", "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4")]
    [InlineData("password", "{ARGON2I}$argon2i$v=19$m=256,t=2,p=1$c29tZXNhbHQ$iekCn0Y3spW+sCcFanM2xBT63UP2sghkUoHLIUpWRS8")]
    [InlineData("test", "{SSHA}9YXuJIMxdDUN2UTYFe5OtQSMfxZzYWx0c2FsdA==")]
    [InlineData("test", "{SSHA256}xC+zI/3otfSn04tPigpaGLPDkBuF7d+OnI9pqyKsAwlzYWx0c2FsdA==")]
    [InlineData("test", "{SSHA512}qWwv8RJmIrdxkMnpdAlJ6F/o1ojlCxB+JAwYsklUnOdiSM3BKkqCuia9Z9oxOjwF9qmSgFNH5BIhsuAVf6XQ3XNhbHRzYWx0")]
    [InlineData("pass", "{SSHA256.hex}4a847fefc4f9ab450f16783c5025d64313942a1ceb2599707cdb65940ba901e513fa442f")]
    [InlineData("test", "{SHA}qUqP5cyxm6YcTAhz05Hph5gvu9M=")]
    [InlineData("test", "{SHA1}qUqP5cyxm6YcTAhz05Hph5gvu9M=")]
    [InlineData("test", "{SHA256}9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")]
    [InlineData("test", "{SHA512}7iaw3Ur350mqGo7jwQrpkj9hiYB3Lkc/iBml1JQODbJ6wYX4oOHV+E+IvIh/1nsUNzLDBMxfqa2Ob1f1ACio/w==")]
    [InlineData("test", "{PBKDF2}$1$abcdefghijklmnop$5000$fbc8e98fec1f8d415860fb10dc090bc508581b01")]
    // keys that Dovecot made
    [InlineData("IeDahgai", "{SCRAM-SHA-1}4096,YLq6hzinvC13hpOtiYrY6w==,U2vQpW46v6506Zsab9NTlPv/jbk=,cJxnNAQ5EeLhLAk6IB8ymube7TU=")]
    [InlineData("maiPeeja", "{SCRAM-SHA-256}4096,2LdpQgqFUFMdV63SS9XgnQ==,1lqxQc6gqLHXXuycpPlLyvb8AUSuxBfmZlqaJGzFDOI=,j+dSYp5a1uwOD6HLuzKvnJSmGeKJuJCLQmN80MCEeS0=")]
    public async Task Every_scheme_knows_its_password_and_no_other(string password, string field)
    {
        Assert.Equal(Verdict.Match, await VerifyAsync(field, password));
        Assert.Equal(Verdict.Mismatch, await VerifyAsync(field, password + "x"));
        Assert.Equal(Verdict.Mismatch, await VerifyAsync(field, password[1..]));
    }

    [Theory]
    [InlineData("{PLAIN")]
    [InlineData("{PLAIN}")]
    [InlineData("{NTLM}abc")]
    [InlineData("{PLAIN.ROT13}abc")]
    [InlineData("secret")]
    [InlineData("{SHA512-CRYPT}$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc8")]
    [InlineData("{SHA256}abcd")]
    [InlineData("{SSHA}qUqP")]
    [InlineData("{SHA}***")]
    [InlineData("{PBKDF2}$1$salt$0$fbc8e98fec1f8d415860fb10dc090bc508581b01")]
    [InlineData("{PBKDF2}$1$salt$10000001$fbc8e98fec1f8d415860fb10dc090bc508581b01")]
    [InlineData("{ARGON2ID}$argon2id$v=19$m=1048577,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4")]
    [InlineData("{ARGON2ID}$argon2id$v=19$m=256,t=65,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4")]
    [InlineData("{ARGON2ID}$argon2d$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4")]
    [InlineData("{SCRAM-SHA-256}4096,YQ==,YQ==,YQ==")]
    public void What_cannot_be_used_is_said_without_the_secret(string field)
    {
        Assert.Null(StoredPassword.Parse(field, out string error));
        Assert.NotEmpty(error);
        if (field.Contains('}', StringComparison.Ordinal) && field[^1] != '}') Assert.DoesNotContain(field[(field.IndexOf('}', StringComparison.Ordinal) + 1)..], error, StringComparison.Ordinal);
    }

    [Fact]
    public void Parsing_never_throws() =>
        Gen.Select(Gen.Int[0, Beginnings.Length - 1], Gen.Char["$,=.abc01{}mtpv"].Array[0, 60])
            .Sample(static (beginning, rest) => (Beginnings[beginning] + new string(rest)) is not { Length: > 0 } field || StoredPassword.Parse(field, out string error) is not null || error.Length > 0);

    [Fact]
    public async Task Our_own_hashes_are_of_the_promised_kind_and_never_the_same()
    {
        string one = PasswordHasher.Argon2Id("pass"), two = PasswordHasher.Argon2Id("pass");
        Assert.StartsWith("{ARGON2ID}$argon2id$v=19$m=19456,t=2,p=1$", one, StringComparison.Ordinal);
        Assert.NotEqual(one, two);
        Assert.Equal(Verdict.Match, await VerifyAsync(one, "pass"));
        Assert.Equal(Verdict.Mismatch, await VerifyAsync(one, "Pass"));
    }

    [Fact]
    public void No_secret_prints_itself() =>
        Assert.All(["{PLAIN}hush", "{SCRAM-SHA-1}4096,YLq6hzinvC13hpOtiYrY6w==,U2vQpW46v6506Zsab9NTlPv/jbk=,cJxnNAQ5EeLhLAk6IB8ymube7TU="],
            static field => Assert.Matches("^\\{[A-Z0-9-]+\\}…$", StoredPassword.Parse(field, out _)!.ToString()));

    [Fact]
    public async Task The_gate_lets_a_few_in_and_turns_the_rest_away()
    {
        using WorkGate gate = new(2, 1);
        CancellationToken cancel = TestContext.Current.CancellationToken;
        Assert.True(await gate.EnterAsync(cancel));
        Assert.True(await gate.EnterAsync(cancel));
        Task<bool> waiting = gate.EnterAsync(cancel).AsTask();
        Assert.False(waiting.IsCompleted);
        Assert.False(await gate.EnterAsync(cancel));
        gate.Leave();
        Assert.True(await waiting);
        using CancellationTokenSource impatient = new();
        Task<bool> given = gate.EnterAsync(impatient.Token).AsTask();
        await impatient.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => given);
        gate.Leave();
        gate.Leave();
        Assert.True(await gate.EnterAsync(cancel));
    }

    [Fact]
    public void The_cache_is_bounded_and_forgets()
    {
        FakeTimeProvider time = new();
        SuccessCache cache = new(3, TimeSpan.FromMinutes(10), time);
        SuccessCache.Ticket[] tickets = [.. Enumerable.Range(0, 5).Select(i => cache.TicketFor($"u{i}", "hash", "pw"u8))];
        foreach (SuccessCache.Ticket ticket in tickets) cache.Remember(ticket, PasswordForm.AsSent);
        Assert.Equal(3, cache.Count);
        Assert.Null(cache.Find(tickets[1]));
        Assert.NotNull(cache.Find(tickets[4]));
        Assert.NotEqual(cache.TicketFor("u", "ab", "c"u8), cache.TicketFor("u", "a", "bc"u8));
        time.Advance(TimeSpan.FromMinutes(10));
        Assert.Null(cache.Find(tickets[4]));
    }

    [Fact]
    public void Sasl_prep_follows_the_examples_of_its_rfc()
    {
        // RFC 4013 section 3
        Assert.Equal("IX", PasswordForms.SaslPrep("I\u00ADX"));
        Assert.Equal("user", PasswordForms.SaslPrep("user"));
        Assert.Equal("USER", PasswordForms.SaslPrep("USER"));
        Assert.Equal("a", PasswordForms.SaslPrep("\u00AA"));
        Assert.Equal("IX", PasswordForms.SaslPrep("\u2168"));
        Assert.Null(PasswordForms.SaslPrep("\u0007"));
    }
}
