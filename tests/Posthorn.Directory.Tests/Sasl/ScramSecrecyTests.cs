using Microsoft.Extensions.Logging.Abstractions;
using Posthorn.Directory.Passwords;

namespace Posthorn.Directory.Tests.Sasl;

/// <summary>SCRAM tells nobody which names are accounts (RFC 5802 section 9).</summary>
public sealed class ScramSecrecyTests
{
    private static ScramLookup Find(IDirectory directory, string login) => directory.FindScramKeys(new(login, ScramHash.Sha256, World.Secure));

    private static string SaltOf(IDirectory directory, string login) => Convert.ToHexString(Find(directory, login).Keys.Salt.Span);

    private static string Stored(string name, int iterations, int salt)
    {
        ScramKeys keys = ScramMath.KeysOf(ScramHash.Sha256, "pencil"u8, new byte[salt], iterations);
        return $"{name}:{{SCRAM-SHA-256}}{iterations},{Convert.ToBase64String(keys.Salt.Span)},{Convert.ToBase64String(keys.StoredKey.Span)},{Convert.ToBase64String(keys.ServerKey.Span)}\n";
    }

    [Fact]
    public void A_restart_changes_no_salt()
    {
        using World world = new("ann:{PLAIN}pencil\n");
        string file = Path.Combine(Path.GetDirectoryName(world.Users)!, "scram-secret");
        world.Options = world.Options with { SecretFile = file };
        Assert.False(File.Exists(file));
        string ann = SaltOf(world.Directory, "ann"), nobody = SaltOf(world.Directory, "nobody");
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(file));
        using (MailDirectory again = new(world.Options, world.Time, NullLogger.Instance))
            Assert.Equal((ann, nobody), (SaltOf(again, "ann"), SaltOf(again, "nobody")));
        File.Delete(file);
        using MailDirectory other = new(world.Options, world.Time, NullLogger.Instance);
        Assert.NotEqual(nobody, SaltOf(other, "nobody"));
    }

    [Fact]
    public void A_secret_that_cannot_be_kept_costs_no_login()
    {
        using World world = new("ann:{PLAIN}pencil\n");
        world.Options = world.Options with { SecretFile = "/nowhere/at/all" };
        Assert.Equal(SaltOf(world.Directory, "nobody"), SaltOf(world.Directory, "nobody"));
    }

    [Fact]
    public void A_name_that_nobody_has_looks_as_most_accounts_do()
    {
        using World world = new(Stored("ann", 10_000, 24) + Stored("bob", 10_000, 24) + Stored("carl", 5_000, 40));
        ScramKeys made = Find(world.Directory, "nobody").Keys;
        Assert.Equal((10_000, 24), (made.Iterations, made.Salt.Length));
        using World plain = new("ann:{PLAIN}pencil\n");
        made = Find(plain.Directory, "nobody").Keys;
        Assert.Equal((ScramMath.Iterations, ScramMath.SaltLength), (made.Iterations, made.Salt.Length));
    }

    [Fact]
    public void All_spellings_of_a_name_have_one_salt_whether_it_exists_or_not()
    {
        using World world = new("ann:{PLAIN}pencil\n");
        foreach (string name in (string[])["ann", "nobody"])
            Assert.Single(((string[])[name, name.ToUpperInvariant(), name + "@example.org", name + "@EXAMPLE.org"]).Select(spelling => SaltOf(world.Directory, spelling)).Distinct());
        Assert.NotEqual(SaltOf(world.Directory, "ann"), SaltOf(world.Directory, "nobody"));
    }

    // The iterations of PBKDF2 take a millisecond or more: for nobody's sake before his proof is there, and once for a password.
    [Fact]
    public void Keys_are_computed_behind_the_proof_and_once()
    {
        using World world = new("ann:{PLAIN}pencil\nbob:{PLAIN}rubber\n");
        world.Options = world.Options with { Limits = world.Options.Limits with { ScramKeysKept = 1 } };
        ScramLookup ann = Find(world.Directory, "ann"), nobody = Find(world.Directory, "nobody");
        Assert.Null(nobody.Derive);
        ScramKeys expected = ScramMath.KeysOf(ScramHash.Sha256, "pencil"u8, ann.Keys.Salt.Span, ann.Keys.Iterations);
        Assert.NotEqual(expected.StoredKey.ToArray(), ann.Keys.StoredKey.ToArray());
        ScramKeys derived = ann.Derive!();
        Assert.Equal(expected.StoredKey.ToArray(), derived.StoredKey.ToArray());
        Assert.Same(derived, Find(world.Directory, "ann").Derive!());
        Find(world.Directory, "bob").Derive!(); // over the limit: all are computed anew
        Assert.NotSame(derived, Find(world.Directory, "ann").Derive!());
    }
}
